/**
 * TypeScript source without what is no code: comments, and the content of strings, templates and regular expressions become
 * blanks, line by line, so that a rule that looks for a word finds code only and can name its line.
 */

/** What a slash may follow when it begins a regular expression. */
const BEFORE_REGEXP = /(?:^|[([{,;=:?!&|+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|delete|throw|new))\s*$/;

/** As long as `source`, with the same line breaks. */
export function codeOf(source: string): string {
  return new CodeScanner(source).run();
}

class CodeScanner {
  readonly #source: string;
  #at = 0;
  #code = '';
  /** Braces still open within each `${…}` that is open. */
  readonly #templateDepths: number[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  run(): string {
    while (this.#at < this.#source.length) this.#step();
    return this.#code;
  }

  #step(): void {
    const character = this.#source[this.#at] as string;
    const pair = this.#source.slice(this.#at, this.#at + 2);
    if (pair === '//') this.#blankTo(this.#indexAfter('\n', this.#at, 0));
    else if (pair === '/*') this.#blankTo(this.#indexAfter('*/', this.#at + 2, 2));
    else if (character === "'" || character === '"') this.#quoted(character);
    else if (character === '`') this.#template();
    else if (character === '/' && BEFORE_REGEXP.test(this.#code.slice(-20))) this.#regexp();
    else this.#codeCharacter(character);
  }

  #codeCharacter(character: string): void {
    const depths = this.#templateDepths;
    const last = depths.length - 1;
    if (last >= 0 && character === '{') depths[last] = (depths[last] as number) + 1;
    if (last >= 0 && character === '}') {
      depths[last] = (depths[last] as number) - 1;
      if (depths[last] === 0) {
        depths.pop();
        this.#keep(1);
        this.#templateRest();
        return;
      }
    }
    this.#keep(1);
  }

  #quoted(quote: string): void {
    this.#keep(1);
    while (this.#at < this.#source.length && this.#source[this.#at] !== quote && this.#source[this.#at] !== '\n') {
      this.#blank(this.#source[this.#at] === '\\' ? 2 : 1);
    }
    this.#keep(1);
  }

  #template(): void {
    this.#keep(1);
    this.#templateRest();
  }

  /** Up to the closing backtick, or into the next `${`. */
  #templateRest(): void {
    while (this.#at < this.#source.length) {
      if (this.#source[this.#at] === '`') {
        this.#keep(1);
        return;
      }
      if (this.#source.startsWith('${', this.#at)) {
        this.#keep(2);
        this.#templateDepths.push(1);
        return;
      }
      this.#blank(this.#source[this.#at] === '\\' ? 2 : 1);
    }
  }

  #regexp(): void {
    this.#keep(1);
    let inClass = false;
    for (; this.#at < this.#source.length; ) {
      const character = this.#source[this.#at];
      if (character === '\n' || (character === '/' && !inClass)) break;
      if (character === '[') inClass = true;
      if (character === ']') inClass = false;
      this.#blank(character === '\\' ? 2 : 1);
    }
    this.#keep(1);
  }

  #indexAfter(text: string, from: number, extra: number): number {
    const found = this.#source.indexOf(text, from);
    return found < 0 ? this.#source.length : found + extra;
  }

  #keep(count: number): void {
    this.#code += this.#source.slice(this.#at, this.#at + count);
    this.#at += count;
  }

  #blank(count: number): void {
    this.#blankTo(Math.min(this.#at + count, this.#source.length));
  }

  #blankTo(end: number): void {
    this.#code += this.#source.slice(this.#at, end).replace(/[^\n]/g, ' ');
    this.#at = end;
  }
}
