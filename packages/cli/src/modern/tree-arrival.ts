/** What import and cp share: the options of writing a tree, the look before, and the report after. */
import type { Namespace } from '@zoots/client';
import type { CommandLine, OptionRow } from './command-line.js';
import type { Output } from './output.js';
import { countText } from './quantities.js';
import { absolutePath, type TreeRecord } from './tree-record.js';
import { existsAlready, type WriteCounts, type WriteWish } from './tree-writer.js';

export const writeOptions: readonly OptionRow[] = [
  { long: 'merge', short: 'm', text: 'write what differs over what is there; nothing is deleted' },
  { long: 'parents', short: 'p', text: 'create the missing znodes above' },
  { long: 'no-acl', text: 'leave ACLs out: new znodes are open, others keep theirs' },
  { long: 'plain', text: 'ephemeral znodes (and containers, TTL znodes of snapshots) become persistent' },
  { long: 'dry-run', short: 'n', text: 'only say what would be done' },
];

export function writeWishOf(line: CommandLine, root: string): WriteWish {
  return {
    root,
    isMerge: line.has('merge'),
    isDryRun: line.has('dry-run'),
    hasAcls: !line.has('no-acl'),
    isPlain: line.has('plain'),
  };
}

/** Throws before anything is written if there is something in the way and this is no merge. */
export async function refuseOccupied(namespace: Namespace, wish: WriteWish, records: readonly TreeRecord[]) {
  if (wish.isMerge) return;
  const isChildOfRoot = ({ path }: TreeRecord): boolean => path !== '/' && path.lastIndexOf('/') === 0;
  const paths = wish.root === '/' ? records.filter(isChildOfRoot).map(({ path }) => path) : ['/'];
  for (const path of paths) {
    const target = absolutePath(wish.root, path);
    if ((await namespace.exists(target)) !== null) throw existsAlready(target);
  }
}

export async function ensureParent(namespace: Namespace, path: string): Promise<void> {
  const parent = path.slice(0, path.lastIndexOf('/'));
  if (parent !== '') await namespace.ensurePath(parent);
}

export function reportCounts(out: Output, path: string, counts: WriteCounts, { isDryRun }: WriteWish): void {
  if (out.isJson) {
    out.json({ path, ...counts, ...(isDryRun ? { dryRun: true } : {}) });
    return;
  }
  const { created, changed, unchanged, leftOut } = counts;
  const parts = [`${countText(created, 'znode')} created`];
  if (changed > 0) parts.push(`${changed} changed`);
  if (unchanged > 0) parts.push(`${unchanged} unchanged`);
  if (leftOut > 0) parts.push(`${leftOut} ephemeral left out`);
  out.line(`${path}: ${parts.join(', ')}${isDryRun ? ' (dry run: nothing was written)' : ''}`);
}
