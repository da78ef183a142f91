/** The whole terminal for a command that redraws itself: an alternate screen, no cursor, `q` and Ctrl-C to end. */

const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';

const CTRL_C = '\x03';

export class Screen {
  /** Aborts when the command is stopped, by a key or as every other. */
  readonly stop: AbortSignal;
  readonly #keys = new AbortController();
  readonly #onKey = (keys: Buffer): void => {
    const text = keys.toString('latin1');
    if (text.includes('q') || text.includes(CTRL_C)) this.#keys.abort();
  };

  constructor(stop: AbortSignal) {
    this.stop = AbortSignal.any([stop, this.#keys.signal]);
    process.stdout.write(enter);
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(true);
    process.stdin.on('data', this.#onKey);
  }

  /** Lines longer than the terminal is wide are cut by it; those below its end are left out. */
  show(lines: readonly string[]): void {
    const rows = process.stdout.rows;
    const shown = lines.slice(0, rows).map((line) => `${line}${clearLine}`);
    process.stdout.write(`\x1b[?7l${home}${shown.join('\r\n')}${clearBelow}\x1b[?7h`);
  }

  close(): void {
    process.stdout.write(leave);
    if (!process.stdin.isTTY) return;
    process.stdin.off('data', this.#onKey);
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }
}
