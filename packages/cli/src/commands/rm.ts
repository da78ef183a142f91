/** `zoots rm`: deletes znodes; subtrees with -r, after a question or with --yes, and never those of ZooKeeper itself. */
import type { ZooKeeper } from '@zoots/client';
import { UsageError } from '../modern/command-line.js';
import { confirm } from '../modern/confirm.js';
import { type Invocation, type ModernCommand, runModern } from '../modern/invocation.js';
import { EXIT, RefusedError } from '../modern/problem.js';
import { countText, parseCount } from '../modern/quantities.js';
import { refuseSystemPath } from '../modern/system-path.js';

export const command: ModernCommand = {
  name: 'rm',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  options: [
    { long: 'recursive', short: 'r', text: 'with everything below; asks first on a terminal' },
    { long: 'yes', short: 'y', text: 'do not ask' },
    { long: 'force', short: 'f', text: 'a znode that does not exist is no error' },
    { long: 'version', short: 'v', value: 'N', text: 'only if the data have this version' },
  ],
  remedies: {
    ZK_NOT_EMPTY: '-r deletes them too',
    ZK_BAD_VERSION: 'somebody changed it meanwhile: read it again',
  },
  notes: `/ and /zookeeper are refused. JSON: {"path", "deleted"}, the number of znodes, per PATH.

  zoots rm -r /app/old`,

  async run(invocation) {
    const { line } = invocation;
    const version = parseCount('version', line.value('version') ?? '-1', -1);
    const isRecursive = line.has('recursive');
    if (isRecursive && version !== -1) throw new UsageError('--version is for one znode, not for -r');
    for (const path of line.operands) refuseSystemPath(path, invocation.server);
    const client = await invocation.connect();
    for (const path of line.operands) {
      const deleted = isRecursive
        ? await deleteTree(invocation, client, path)
        : await deleteOne(client, path, version, line.has('force'));
      if (invocation.out.isJson) invocation.out.json({ path, deleted });
      else if (invocation.out.isTerminal) invocation.out.note(`${path}: ${countText(deleted, 'znode')} deleted`);
    }
    return EXIT.ok;
  },
};

async function deleteOne(client: ZooKeeper, path: string, version: number, isForced: boolean): Promise<number> {
  try {
    await client.delete(path, { version });
    return 1;
  } catch (error) {
    if (isForced && (error as { code?: string }).code === 'ZK_NO_NODE') return 0;
    throw error;
  }
}

async function deleteTree({ line, server }: Invocation, client: ZooKeeper, path: string): Promise<number> {
  if ((await client.exists(path)) === null) {
    if (line.has('force')) return 0;
    throw new RefusedError(`${path}: the znode does not exist`);
  }
  if (!line.has('yes')) {
    const count = (await client.countDescendants(path)) + 1;
    const question = `Delete ${path} and everything below, ${countText(count, 'znode')}, on ${server}?`;
    if (!(await confirm(question))) throw new RefusedError(`nothing of ${path} was deleted`);
  }
  return client.deleteRecursive(path);
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
