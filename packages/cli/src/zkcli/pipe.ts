/** zkCli without a terminal: lines from standard input, one after the other, without a prompt; the end of the input ends it. */
import type { Output } from './command.js';
import type { Shell } from './shell.js';

export const pipeOutput: Output = {
  line: (text) => {
    process.stdout.write(`${text}\n`);
  },
  text: (text) => {
    process.stdout.write(text);
  },
  error: (text) => {
    process.stderr.write(`${text}\n`);
  },
};

/** `zkCli.sh ls -R / | head`: whoever reads has had enough, which is no error. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}

export async function runLines(shell: Shell): Promise<void> {
  console.log('Welcome to ZooKeeper!\nJLine support is disabled');
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: process.stdin, terminal: false });
  for await (const line of lines) {
    await shell.runLine(line);
    if (shell.isQuitting) break;
  }
  lines.close();
  process.stdin.destroy();
}
