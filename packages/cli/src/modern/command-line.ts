/**
 * The words of a modern command: options from a table, operands, help. Parsed by Node's own parseArgs; what is refused,
 * and how it is said, is decided here.
 */
import { parseArgs } from 'node:util';
import { findCommand } from '../command-table.js';

export interface OptionRow {
  readonly long: string;
  readonly short?: string;
  /** What the help calls the value; absent for a flag. */
  readonly value?: string;
  /** May be given more than once. */
  readonly isRepeatable?: boolean;
  readonly text: string;
}

export interface CommandLineRules {
  readonly name: string;
  readonly operands: { readonly min: number; readonly max: number };
  readonly options: readonly OptionRow[];
  /** Words behind `--` are a command of its own, and there must be some. */
  readonly hasChildCommand?: boolean;
  /** What the help says below the options: the rules, the JSON, an example. */
  readonly notes: string;
}

/** Wrong usage: exit code 2. The message says which word, and what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export class CommandLine {
  readonly operands: readonly string[];
  /** The words behind `--`, for commands that run one. */
  readonly childCommand: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(
    operands: readonly string[],
    childCommand: readonly string[],
    values: ReadonlyMap<string, readonly string[]>,
  ) {
    this.operands = operands;
    this.childCommand = childCommand;
    this.#values = values;
  }

  has(long: string): boolean {
    return this.#values.has(long);
  }

  /** The last value that was given. */
  value(long: string): string | undefined {
    return this.values(long).at(-1);
  }

  values(long: string): readonly string[] {
    return this.#values.get(long) ?? [];
  }
}

export const commonOptions: readonly OptionRow[] = [
  {
    long: 'server',
    value: 'HOSTS',
    text: 'connect string: h1:2181,h2:2181/chroot (or ZOOTS_SERVER; default localhost:2181)',
  },
  { long: 'timeout', value: 'TIME', text: 'how long a server may take to answer: 500ms, 5s, 1m (default 10s)' },
  {
    long: 'auth',
    value: 'SCHEME:AUTH',
    isRepeatable: true,
    text: 'an identity, digest:user:password say (or ZOOTS_AUTH, which ps does not show)',
  },
  { long: 'json', text: 'one JSON value per line' },
  { long: 'help', short: 'h', text: 'this text' },
];

/** Throws {@link UsageError}. With `--help` among them the words are not checked further. */
export function parseCommandLine(rules: CommandLineRules, words: readonly string[]): CommandLine {
  const options = [...rules.options, ...commonOptions];
  const operands: string[] = [];
  const child: string[] = [];
  const values = new Map<string, string[]>();
  let isBehindDashes = false;
  for (const token of tokensOf(options, words)) {
    if (token.kind === 'option-terminator') isBehindDashes = true;
    else if (token.kind === 'positional')
      (isBehindDashes && rules.hasChildCommand ? child : operands).push(token.value);
    else if (token.kind === 'option') {
      const row = rowOf(options, token.name, token.rawName);
      values.set(row.long, [...(values.get(row.long) ?? []), givenValue(row, token.value, token.inlineValue === true)]);
    }
  }
  const line = new CommandLine(operands, child, values);
  if (!line.has('help')) checkCounts(rules, line, options);
  return line;
}

function tokensOf(options: readonly OptionRow[], words: readonly string[]) {
  const declared = options.map(({ long, short, value }) => {
    const type: 'boolean' | 'string' = value === undefined ? 'boolean' : 'string';
    return [long, short === undefined ? { type } : { type, short }] as const;
  });
  return parseArgs({
    args: [...words],
    options: Object.fromEntries(declared),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;
}

function rowOf(options: readonly OptionRow[], name: string, rawName: string): OptionRow {
  const row = options.find(({ long }) => long === name);
  if (row !== undefined) return row;
  const near = options.find(({ long }) => name.length > 1 && (long.startsWith(name) || name.startsWith(long)));
  throw new UsageError(`there is no option ${rawName}${near === undefined ? '' : `; did you mean --${near.long}?`}`);
}

function givenValue(row: OptionRow, value: string | undefined, isInline: boolean): string {
  if (row.value === undefined) {
    if (isInline) throw new UsageError(`--${row.long} takes no value`);
    return '';
  }
  if (value === undefined) throw new UsageError(`--${row.long} needs a value: --${row.long} ${row.value}`);
  return value;
}

function checkCounts(rules: CommandLineRules, line: CommandLine, options: readonly OptionRow[]): void {
  const { min, max } = rules.operands;
  if (line.operands.length < min) throw new UsageError(`something is missing: ${usageLine(rules)}`);
  if (line.operands.length > max) {
    throw new UsageError(`"${line.operands[max]}" is too much: ${usageLine(rules)}`);
  }
  if (rules.hasChildCommand && line.childCommand.length === 0) {
    throw new UsageError(`the command to run is missing; it stands behind --: ${usageLine(rules)}`);
  }
  for (const { long, isRepeatable, value } of options) {
    if (value !== undefined && !isRepeatable && line.values(long).length > 1)
      throw new UsageError(`--${long} was given more than once`);
  }
}

export function usageLine(rules: CommandLineRules): string {
  return `zoots ${rules.name} ${findCommand(rules.name)?.usage ?? ''}`.trimEnd();
}

export function commandHelp(rules: CommandLineRules): string {
  const summary = findCommand(rules.name)?.summary ?? '';
  const parts = [`Usage: ${usageLine(rules)}`, `${summary[0]?.toUpperCase()}${summary.slice(1)}.`];
  if (rules.options.length > 0) parts.push(`Options:\n${optionLines(rules.options)}`);
  parts.push(`Common options:\n${optionLines(commonOptions)}`, rules.notes.trim());
  return parts.filter((part) => part !== '').join('\n\n');
}

function optionLines(options: readonly OptionRow[]): string {
  const lefts = options.map(({ long, short, value }) => {
    return `  ${short === undefined ? '    ' : `-${short}, `}--${long}${value === undefined ? '' : ` ${value}`}`;
  });
  const width = Math.max(26, ...lefts.map((left) => left.length));
  return options.map(({ text }, i) => `${(lefts[i] as string).padEnd(width)}  ${text}`).join('\n');
}
