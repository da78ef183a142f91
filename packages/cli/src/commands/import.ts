/** `zoots import`: what `zoots export` wrote, into a server. The whole file is checked before the first znode is written. */
import { recordsOfDump } from '../modern/dump-file.js';
import type { DumpHead } from '../modern/dump-format.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import { EXIT } from '../modern/problem.js';
import { ensureParent, refuseOccupied, reportCounts, writeOptions, writeWishOf } from '../modern/tree-arrival.js';
import type { TreeRecord } from '../modern/tree-record.js';
import { writeTree } from '../modern/tree-writer.js';

export const command: ModernCommand = {
  name: 'import',
  operands: { min: 1, max: 2 },
  options: writeOptions,
  remedies: {
    ZK_NO_NODE: '--parents creates the znodes above PATH',
    ZK_UNIMPLEMENTED:
      'TTL znodes need a server with zookeeper.extendedTypesEnabled=true; --plain makes them persistent',
  },
  notes: `FILE is what zoots export wrote, plain or gzip; - is standard input. PATH is where its root goes; if it is left out,
where it came from. It refuses if PATH exists (for /: if one of the file's znodes exists), or with --merge brings what
is there up to date; it never deletes. Ephemeral znodes are left out. JSON: {"path", "created", "changed",
"unchanged", "leftOut"}.

  zoots import app.jsonl /app --merge --dry-run`,

  async run(invocation) {
    const { line, out } = invocation;
    const [file, target] = line.operands as [string, string | undefined];
    const records: TreeRecord[] = [];
    let root = target ?? '/';
    const onHead = (head: DumpHead): void => {
      root = target ?? head.root;
    };
    for await (const record of recordsOfDump(file, onHead)) records.push(record);
    const client = await invocation.connect();
    const wish = writeWishOf(line, root);
    await refuseOccupied(client, wish, records);
    if (line.has('parents') && !wish.isDryRun) await ensureParent(client, root);
    const counts = await writeTree(client, records, wish, () => {});
    reportCounts(out, root, counts, wish);
    return EXIT.ok;
  },
};

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
