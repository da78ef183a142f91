/** What two trees differ in: both are read once, side by side, in the order of their paths. */
import { comparePaths } from './tree-reader.js';
import { sameAcl, type TreeRecord } from './tree-record.js';
import { sameData } from './tree-writer.js';

export type DifferentPart = 'data' | 'acl' | 'kind';

export type Difference =
  | { readonly change: 'removed'; readonly path: string; readonly left: TreeRecord }
  | { readonly change: 'added'; readonly path: string; readonly right: TreeRecord }
  | {
      readonly change: 'changed';
      readonly path: string;
      readonly left: TreeRecord;
      readonly right: TreeRecord;
      readonly parts: readonly DifferentPart[];
    };

type Records = AsyncIterable<TreeRecord> | Iterable<TreeRecord>;

/** Both in the order of {@link comparePaths}. */
export async function* differencesOf(left: Records, right: Records): AsyncGenerator<Difference> {
  const [lefts, rights] = [iteratorOf(left), iteratorOf(right)];
  let [l, r] = await Promise.all([lefts.next(), rights.next()]);
  while (!l.done || !r.done) {
    const order = l.done ? 1 : r.done ? -1 : comparePaths(l.value.path, r.value.path);
    if (order < 0) yield { change: 'removed', path: l.value.path, left: l.value };
    else if (order > 0) yield { change: 'added', path: r.value.path, right: r.value };
    else {
      const parts = differentParts(l.value, r.value);
      if (parts.length > 0) yield { change: 'changed', path: l.value.path, left: l.value, right: r.value, parts };
    }
    [l, r] = await Promise.all([order <= 0 ? lefts.next() : l, order >= 0 ? rights.next() : r]);
  }
}

function iteratorOf(records: Records): AsyncIterator<TreeRecord> {
  return (async function* () {
    yield* records;
  })();
}

function differentParts(left: TreeRecord, right: TreeRecord): DifferentPart[] {
  const parts: DifferentPart[] = [];
  if (!sameData(left.data, right.data)) parts.push('data');
  if (!sameAcl(left.acl, right.acl)) parts.push('acl');
  if (left.kind !== right.kind && (isEphemeral(left) || isEphemeral(right))) parts.push('kind');
  return parts;
}

/** No other kinds are compared: a server does not tell them to its clients. */
function isEphemeral({ kind }: TreeRecord): boolean {
  return kind === 'ephemeral';
}
