/**
 * What the modern commands write: text with colours on a terminal, JSON lines on request, messages on standard error.
 * A reader that has had enough (`zoots tree | head`) ends the program without a word.
 */

const HELD_CHARACTERS_MAX = 16 * 1024;

/** Select Graphic Rendition codes of the terminal. */
const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, inverse: 7 };
export type Style = keyof typeof styles;

/** Standard output, standard error, or what stands for them in tests. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly writableNeedDrain: boolean;
  hasColors?(): boolean;
  write(chunk: string | Uint8Array): boolean;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  once(event: 'drain', listener: () => void): unknown;
}

export interface Streams {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
}

export class Output {
  readonly isJson: boolean;
  /** Whether people look at it: then there are colours, unless NO_COLOR or TERM=dumb says no. */
  readonly isTerminal: boolean;
  readonly #hasColors: boolean;
  readonly #stream: TextStream;
  readonly #notes: TextStream;
  #held: string[] = [];
  #heldCharacters = 0;

  constructor(isJson: boolean, { stdout, stderr }: Streams) {
    this.isJson = isJson;
    this.#stream = stdout;
    this.#notes = stderr;
    this.isTerminal = stdout.isTTY === true;
    this.#hasColors = !isJson && this.isTerminal && stdout.hasColors?.() === true;
    for (const stream of [stdout, stderr]) stream.on('error', endQuietlyWithoutReader);
  }

  /** Columns of the terminal; null where there is none. */
  get columns(): number | null {
    return this.#stream.columns ?? null;
  }

  styled(style: Style, text: string): string {
    return this.#hasColors ? `\x1b[${styles[style]}m${text}\x1b[0m` : text;
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** One line with the value. A bigint in it would be an error of the command. */
  json(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  write(text: string): void {
    this.#held.push(text);
    this.#heldCharacters += text.length;
    if (this.isTerminal || this.#heldCharacters > HELD_CHARACTERS_MAX) this.flush();
  }

  /** Bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.flush();
    this.#stream.write(bytes);
  }

  flush(): void {
    if (this.#held.length > 0) this.#stream.write(this.#held.join(''));
    this.#held = [];
    this.#heldCharacters = 0;
  }

  /** Resolves when the reader has caught up: to be awaited in loops over many znodes. */
  async ready(): Promise<void> {
    if (!this.#stream.writableNeedDrain) return;
    await new Promise<void>((resolve) => this.#stream.once('drain', () => resolve()));
  }

  /** A remark for people, which is no part of the result. */
  note(text: string): void {
    this.flush();
    this.#notes.write(`${text}\n`);
  }
}

function endQuietlyWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(process.exitCode ?? 0);
}

/** Columns as wide as their widest cell; numbers to the right. The last column is not padded. */
export function tableLines(rows: readonly (readonly string[])[], isRight: readonly boolean[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => visibleLength(row[column] ?? ''))));
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const blanks = ' '.repeat((widths[column] ?? 0) - visibleLength(cell));
      if (isRight[column]) return blanks + cell;
      return column === row.length - 1 ? cell : cell + blanks;
    });
    return cells.join('  ').trimEnd();
  });
}

function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of colours begin with one.
  return text.replace(/\x1b\[\d+m/g, '').length;
}
