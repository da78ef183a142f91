/** `zoots elect`: takes part in an election and runs a command once it leads. */
import { holdConnectWishes, holdNotes, holdOptions } from '../modern/child-command.js';
import { UsageError } from '../modern/command-line.js';
import { lockOptionsOf, waitAndRun, waitMsOf } from '../modern/hold-wait.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';

export const command: ModernCommand = {
  name: 'elect',
  operands: { min: 1, max: 1 },
  hasChildCommand: true,
  options: holdOptions,
  notes: `Of all who take part at PATH one leads; when its command ends, or its leadership is lost, the next one does. To take
part again, start it again (a service manager does). kazoo's Election and Curator's LeaderLatch on the same PATH take part in
the same election, by the right --convention.
${holdNotes}

  zoots elect /services/scheduler/leader -- ./scheduler --active`,

  async run(invocation) {
    const { line } = invocation;
    const [path] = line.operands as [string];
    const options = lockOptionsOf(line);
    if (waitMsOf(line) === 0) throw new UsageError('--wait 0: an election takes a moment; write 1s, say');
    const client = await invocation.connect(holdConnectWishes(line));
    const { LeaderLatch } = await import('@zoots/recipes');
    await using latch = new LeaderLatch(client, path, options);
    return await waitAndRun(invocation, path, {
      acquire: async (wish) => {
        const leadership = await latch.leading(wish);
        // At its end, in whatever way, it must not stand again: nobody would do the work.
        leadership.signal.addEventListener('abort', () => void latch.close());
        return leadership;
      },
      contenders: () => latch.participants(),
    });
  },
};

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
