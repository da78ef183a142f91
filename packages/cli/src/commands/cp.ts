/** `zoots cp`: a znode or a subtree to another place, on the same server or another. */
import type { Namespace } from '@zoots/client';
import { UsageError } from '../modern/command-line.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import { otherAuthOf, otherAuthOption, PlaceClients, parseZnodePlace } from '../modern/place.js';
import { EXIT, RefusedError } from '../modern/problem.js';
import { ensureParent, refuseOccupied, reportCounts, writeOptions, writeWishOf } from '../modern/tree-arrival.js';
import { recordsOfServer, type TreeRecord } from '../modern/tree-record.js';
import { writeTree } from '../modern/tree-writer.js';

export const command: ModernCommand = {
  name: 'cp',
  operands: { min: 2, max: 2 },
  options: [{ long: 'recursive', short: 'r', text: 'with everything below' }, ...writeOptions, otherAuthOption],
  remedies: {
    ZK_NO_NODE: '--parents creates the znodes above the target',
    ZK_UNIMPLEMENTED:
      'TTL znodes need a server with zookeeper.extendedTypesEnabled=true; --plain makes them persistent',
  },
  notes: `SOURCE and TARGET are /PATH on the server of --server, or zk://HOST:PORT/PATH on another. TARGET is the copy's own
path (not its parent): it refuses if TARGET exists, or with --merge brings it up to date. Ephemeral znodes are left
out. JSON: {"path", "created", "changed", "unchanged", "leftOut"}.

  zoots cp -r /app zk://backup:2181/app`,

  async run(invocation) {
    const { line, out } = invocation;
    const [source, target] = line.operands.map(parseZnodePlace) as [Place, Place];
    if (source.server === target.server) refuseOverlap(source.path, target.path);
    const clients = new PlaceClients(invocation);
    const auth = otherAuthOf(line);
    const [from, to] = [await clients.of(source, auth), await clients.of(target, auth)];
    const wish = writeWishOf(line, target.path);
    if (!line.has('recursive')) await refuseChildren(from, source.path);
    // Ephemerals are read, so that they can be counted, or copied as persistent ones.
    const { hasAcls } = wish;
    const newestZxid = await newestZxidOf(from, source.path);
    const records = recordsOfServer(from, source.path, { hasEphemerals: true, hasAcls, newestZxid });
    const first = await firstOf(records, source.path);
    await refuseOccupied(to, wish, target.path === '/' ? [] : [first]);
    if (line.has('parents') && !wish.isDryRun) await ensureParent(to, target.path);
    const counts = await writeTree(to, following(first, records), wish, () => {});
    reportCounts(out, line.operands[1] as string, counts, wish);
    return EXIT.ok;
  },
};

type Place = ReturnType<typeof parseZnodePlace>;

function refuseOverlap(source: string, target: string): void {
  const isBelow = target === source || target.startsWith(source === '/' ? '/' : `${source}/`);
  if (isBelow) throw new UsageError(`the target ${target} lies within the source ${source}`);
}

async function refuseChildren(from: Namespace, path: string): Promise<void> {
  const stat = await from.exists(path);
  if (stat !== null && stat.numChildren > 0) throw new RefusedError(`${path} has children; -r copies them, too`);
}

/** The source as it is now: the target may lie within it, under another name of the same server. */
async function newestZxidOf(from: Namespace, path: string): Promise<number> {
  await from.sync(path);
  await from.exists(path);
  return from.client.lastZxid;
}

async function firstOf(records: AsyncGenerator<TreeRecord>, path: string): Promise<TreeRecord> {
  const first = await records.next();
  if (first.done) throw new RefusedError(`${path}: the znode does not exist`);
  return first.value;
}

async function* following(first: TreeRecord, rest: AsyncGenerator<TreeRecord>): AsyncGenerator<TreeRecord> {
  yield first;
  yield* rest;
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
