/**
 * The options of a command of zkCli, with the rules and messages of the library that Apache's uses (commons-cli): options stand
 * anywhere among the words until `--`; letters join (`-sw`, and `-v3` with a value); a value may begin with a dash as long as it is
 * no option of the command.
 */
import { CliError } from './errors.js';

export interface OptionRow {
  /** Without the dash: mostly one letter. */
  readonly name: string;
  readonly hasValue?: boolean;
  /** For the help, and for messages about options that exclude each other. */
  readonly text: string;
}

/** The options of a command. */
export interface OptionTable {
  readonly rows: readonly OptionRow[];
  /** At most one of the rows may be given, or exactly one. */
  readonly choice?: 'optional' | 'required';
}

export class ParsedWords {
  /** The first is the command itself. */
  readonly words: readonly string[];
  readonly #values: ReadonlyMap<string, string>;

  constructor(words: readonly string[], values: ReadonlyMap<string, string>) {
    this.words = words;
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The first value, if the option was given several times; undefined without the option. */
  value(name: string): string | undefined {
    return this.#values.get(name);
  }
}

/** Throws {@link CliError} with Apache's message. */
export function parseOptions(table: OptionTable, given: readonly string[]): ParsedWords {
  const parser = new Parser(table);
  for (const word of given) parser.take(word);
  return parser.end();
}

class Parser {
  readonly #table: OptionTable;
  readonly #words: string[] = [];
  readonly #values = new Map<string, string>();
  /** The option whose value comes next. */
  #waiting: OptionRow | null = null;
  #isPastOptions = false;

  constructor(table: OptionTable) {
    this.#table = table;
  }

  take(word: string): void {
    if (this.#isPastOptions) this.#words.push(word);
    else if (word === '--') this.#isPastOptions = true;
    else if (this.#waiting !== null && !this.#isOption(word)) this.#give(this.#waiting, withoutQuotes(word));
    else if (word.startsWith('--')) throw unrecognized(word);
    else if (word.startsWith('-') && word !== '-') this.#takeOption(word);
    else this.#words.push(word);
  }

  end(): ParsedWords {
    this.#requireValue();
    const { rows, choice } = this.#table;
    if (choice === 'required' && !rows.some((row) => this.#values.has(row.name))) {
      const names = rows.map((row) => `-${row.name} ${row.text}`).join(', ');
      throw parseError('MissingOptionException', `Missing required option: [${names}]`);
    }
    return new ParsedWords(this.#words, this.#values);
  }

  #takeOption(word: string): void {
    const name = word.slice(1);
    const equals = name.indexOf('=');
    const row = this.#row(equals < 0 ? name : name.slice(0, equals));
    if (row !== undefined && equals < 0) this.#begin(row);
    else if (equals < 0) this.#takeJoined(word);
    else if (row?.hasValue) {
      this.#begin(row);
      this.#give(row, name.slice(equals + 1));
    } else throw unrecognized(word);
  }

  #takeJoined(word: string): void {
    for (let i = 1; i < word.length; i++) {
      const row = this.#row(word[i] as string);
      if (row === undefined) throw unrecognized(word);
      this.#begin(row);
      if (row.hasValue && i + 1 < word.length) {
        this.#give(row, word.slice(i + 1));
        return;
      }
    }
  }

  #begin(row: OptionRow): void {
    this.#requireValue();
    if (this.#table.choice !== undefined) {
      const other = this.#table.rows.find(({ name }) => name !== row.name && this.#values.has(name));
      if (other !== undefined) {
        const text = `The option '${row.name}' was specified but an option from this group has already been selected: '${other.name}'`;
        throw parseError('AlreadySelectedException', text);
      }
    }
    if (row.hasValue) this.#waiting = row;
    else this.#values.set(row.name, '');
  }

  #give(row: OptionRow, value: string): void {
    if (!this.#values.has(row.name)) this.#values.set(row.name, value);
    this.#waiting = null;
  }

  #requireValue(): void {
    if (this.#waiting !== null) {
      throw parseError('MissingArgumentException', `Missing argument for option: ${this.#waiting.name}`);
    }
  }

  #row(name: string): OptionRow | undefined {
    return this.#table.rows.find((row) => row.name === name);
  }

  /** Whether a word is an option rather than the value of the one before it. */
  #isOption(word: string): boolean {
    if (!word.startsWith('-') || word.length === 1 || isNumber(word)) return false;
    const name = word.slice(1).split('=', 1)[0] as string;
    return name !== '' && (this.#row(name) ?? this.#row(name[0] as string)) !== undefined;
  }
}

function isNumber(word: string): boolean {
  return word.trim() !== '' && !Number.isNaN(Number(word));
}

function withoutQuotes(word: string): string {
  return /^"[^"]*"$/.test(word) && word.length > 1 ? word.slice(1, -1) : word;
}

function unrecognized(word: string): CliError {
  return parseError('UnrecognizedOptionException', `Unrecognized option: ${word}`);
}

function parseError(kind: string, text: string): CliError {
  return new CliError(`org.apache.commons.cli.${kind}: ${text}`);
}

/** The options, one a line, as in the help of a command. Ends with a line end. */
export function optionLines({ rows }: OptionTable): string {
  const lefts = rows.map(({ name, hasValue }) => ` -${name}${hasValue ? ' <arg>' : ''}`);
  const width = Math.max(...lefts.map((left) => left.length)) + 3;
  const lines = rows.map((row, i) => `${(lefts[i] as string).padEnd(width)}${row.text}\n`);
  return lines.sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)).join('');
}
