/**
 * A small terminal screen: what a program writes to a terminal goes in, the lines that a person would see come out. It knows the
 * sequences that line editors use: moves of the cursor, and clearing from it.
 */

const ESCAPE = '\x1b';

export class Screen {
  readonly #columns: number;
  #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  /** The beginning of a sequence whose end is in the next chunk. */
  #rest = '';

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(text: string): void {
    const all = this.#rest + text;
    this.#rest = '';
    for (let at = 0; at < all.length; ) {
      if (all[at] !== ESCAPE) {
        this.#put(all[at] as string);
        at++;
        continue;
      }
      const match = /^.(?:\[([?\d;]*)([A-Za-z])|[=>78])/.exec(all.slice(at));
      if (match === null) {
        this.#rest = all.slice(at);
        return;
      }
      this.#move(match[2] ?? '', match[1] ?? '');
      at += match[0].length;
    }
  }

  /** Lines from the top, without blanks at their ends. */
  get lines(): string[] {
    return this.#lines.map((line) =>
      Array.from(line, (char) => char ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  /** The line that the cursor is on. */
  get line(): string {
    return this.lines[this.#row] as string;
  }

  get text(): string {
    return this.lines.join('\n');
  }

  #put(char: string): void {
    if (char === '\r') this.#column = 0;
    else if (char === '\n') this.#down(1);
    else if (char === '\b') this.#column = Math.max(0, this.#column - 1);
    else if (char >= ' ') {
      if (this.#column >= this.#columns) {
        this.#column = 0;
        this.#down(1);
      }
      (this.#lines[this.#row] as string[])[this.#column++] = char;
    }
  }

  #down(count: number): void {
    this.#row += count;
    while (this.#lines.length <= this.#row) this.#lines.push([]);
  }

  #move(command: string, parameters: string): void {
    const count = Number(parameters) || 0;
    const moves: Readonly<Record<string, () => void>> = {
      A: () => {
        this.#row = Math.max(0, this.#row - (count || 1));
      },
      B: () => this.#down(count || 1),
      C: () => {
        this.#column += count || 1;
      },
      D: () => {
        this.#column = Math.max(0, this.#column - (count || 1));
      },
      G: () => {
        this.#column = (count || 1) - 1;
      },
      J: () => this.#clear(true),
      K: () => this.#clear(false),
    };
    moves[command]?.();
  }

  /** From the cursor to the end of the line, and the lines below it. */
  #clear(withLinesBelow: boolean): void {
    (this.#lines[this.#row] as string[]).length = Math.min(this.#column, (this.#lines[this.#row] as string[]).length);
    if (withLinesBelow) this.#lines.length = this.#row + 1;
  }
}
