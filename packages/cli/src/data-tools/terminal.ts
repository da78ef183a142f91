/** What the data tools write and ask: lines gathered into large writes, answers by line or by word. */
import { createInterface } from 'node:readline';

const HELD_CHARACTERS_MAX = 64 * 1024;

/** Standard output. Text is held until there is enough of it: call `flush` before anything else writes, and at the end. */
export class Output {
  #held = '';

  constructor() {
    // `zkTxnLogToolkit.sh LOG | head`: whoever read has had enough, which is no error.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit();
    });
  }

  write(text: string): void {
    this.#held += text;
    if (this.#held.length > HELD_CHARACTERS_MAX) this.flush();
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  flush(): void {
    if (this.#held !== '') process.stdout.write(this.#held);
    this.#held = '';
  }
}

/** Standard input. Opened at the first question, so that a tool that asks nothing does not wait for it. */
export class Answers {
  #lines: AsyncIterator<string> | null = null;
  #words: string[] = [];

  /** The next line; null at the end of the input. */
  async line(): Promise<string | null> {
    this.#lines ??= createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    const { value, done } = await this.#lines.next();
    return done === true ? null : value;
  }

  /** The next word, wherever line ends are; null at the end of the input. */
  async word(): Promise<string | null> {
    while (this.#words.length === 0) {
      const line = await this.line();
      if (line === null) return null;
      this.#words = line.split(/\s+/).filter((word) => word !== '');
    }
    return this.#words.shift() as string;
  }

  close(): void {
    if (this.#lines !== null) process.stdin.destroy();
  }
}
