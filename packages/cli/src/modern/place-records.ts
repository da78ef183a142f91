/** The records of a place, whatever it is; see place.ts for what it may be. */
import type { Invocation } from './invocation.js';
import { asMissingZnode, otherAuthOf, type Place, PlaceClients } from './place.js';
import { openAcl, recordsOfServer, subtreeOf, type TreeRecord } from './tree-record.js';

/** Options that it looks at: --ephemerals, --no-acl, --other-auth. In the order of paths. */
export async function recordsOfPlace(
  invocation: Invocation,
  place: Place,
  clients: PlaceClients = new PlaceClients(invocation),
): Promise<AsyncGenerator<TreeRecord>> {
  const { line } = invocation;
  const wish = { hasEphemerals: line.has('ephemerals'), hasAcls: !line.has('no-acl') };
  if (place.type === 'znode') {
    const client = await clients.of(place, otherAuthOf(line));
    return orMissing(recordsOfServer(client, place.path, wish), place.path);
  }
  const { sortedRecordsOfFile } = await import('./dump-file.js');
  const records = await sortedRecordsOfFile(place.file);
  return subtreeOf(asWished(records, wish), place.path, place.file);
}

async function* orMissing(records: AsyncIterable<TreeRecord>, path: string): AsyncGenerator<TreeRecord> {
  try {
    yield* records;
  } catch (error) {
    throw asMissingZnode(error, path);
  }
}

type Wish = Parameters<typeof recordsOfServer>[2];

async function* asWished(records: readonly TreeRecord[], { hasEphemerals, hasAcls }: Wish) {
  for (const record of records) {
    if (record.kind === 'ephemeral' && !hasEphemerals) continue;
    yield hasAcls ? record : { ...record, acl: openAcl };
  }
}
