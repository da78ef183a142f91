/** A question with yes or no, asked on a terminal only. */
import { createInterface } from 'node:readline';
import { RefusedError } from './problem.js';

/** False unless the answer is yes. Throws {@link RefusedError} where there is nobody to ask. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new RefusedError('there is no terminal to ask on; --yes does it without a question');
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await new Promise<string>((resolve) => {
      reader.once('close', () => resolve(''));
      reader.question(`${question} [y/N] `, resolve);
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    reader.close();
  }
}
