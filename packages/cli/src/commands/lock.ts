/** `zoots lock`: runs a command while holding a lock. */
import { holdConnectWishes, holdNotes, holdOptions } from '../modern/child-command.js';
import { lockOptionsOf, waitAndRun, waitMsOf } from '../modern/hold-wait.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';

export const command: ModernCommand = {
  name: 'lock',
  operands: { min: 1, max: 1 },
  hasChildCommand: true,
  options: holdOptions,
  notes: `One process at a time holds the lock at PATH, first come first served; --wait 0 tries once. kazoo's and Curator's locks on
the same PATH exclude it, by the right --convention.
${holdNotes}

  zoots lock /locks/backup --wait 0 -- ./backup.sh`,

  async run(invocation) {
    const { line } = invocation;
    const [path] = line.operands as [string];
    const options = lockOptionsOf(line);
    const isTry = waitMsOf(line) === 0;
    const client = await invocation.connect(holdConnectWishes(line));
    const { SimpleLock } = await import('@zoots/recipes');
    const lock = new SimpleLock(client, path, options);
    return waitAndRun(invocation, path, {
      acquire: ({ signal, timeoutMs }) => (isTry ? lock.tryAcquire({ signal }) : lock.acquire({ signal, timeoutMs })),
      contenders: () => lock.contenders(),
    });
  },
};

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
