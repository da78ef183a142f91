/**
 * The options of the data tools, with the rules and messages of the library that Apache's tools use (commons-cli):
 * `-x`, `-xyz`, `--long`, `-long`, values behind a blank or `=`, options anywhere among the arguments.
 */
import { parseArgs } from 'node:util';

export interface OptionRow {
  readonly short: string;
  readonly long: string;
  /** What the help calls the value; null for a flag. */
  readonly value: string | null;
  readonly isRequired?: boolean;
  readonly text: string;
}

/** The message is Apache's, to be printed before the help. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

export interface ParsedOptions {
  /** Values by long name; a flag's is the empty string. */
  readonly options: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

/** Throws {@link OptionError}. */
export function parseOptionWords(rows: readonly OptionRow[], args: readonly string[]): ParsedOptions {
  const options = new Map<string, string>();
  const words: string[] = [];
  const longNames = new Set(rows.map((row) => row.long));
  const given = args.map((word) => (longNames.has(/^-([a-z]+)(=|$)/.exec(word)?.[1] ?? '') ? `-${word}` : word));
  for (const token of tokensOf(rows, given)) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const row = rows.find((candidate) => candidate.long === token.name);
    if (row === undefined) throw new OptionError(`Unrecognized option: ${args[token.index]}`);
    if (row.value === null) options.set(row.long, '');
    else if (token.value !== undefined && (token.inlineValue || !isOption(token.value))) {
      options.set(row.long, token.value);
    } else throw new OptionError(`Missing argument for option: ${row.short}`);
  }
  requireAll(rows, options);
  return { options, words };
}

function tokensOf(rows: readonly OptionRow[], args: readonly string[]) {
  const declared = rows.map(({ short, long, value }) => {
    return [long, { type: value === null ? 'boolean' : 'string', short }] as const;
  });
  return parseArgs({
    args: [...args],
    options: Object.fromEntries(declared),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;
}

/** A negative number is a value, not an option. */
function isOption(word: string): boolean {
  return /^-[^0-9]/.test(word);
}

function requireAll(rows: readonly OptionRow[], options: ReadonlyMap<string, string>): void {
  const missing = rows.filter((row) => row.isRequired && !options.has(row.long)).map((row) => row.short);
  if (missing.length === 0) return;
  throw new OptionError(`Missing required option${missing.length > 1 ? 's' : ''}: ${missing.join(', ')}`);
}

/** The help: a usage line, and a line for each option. */
export function helpText(usage: string, rows: readonly OptionRow[]): string {
  const lefts = rows.map(({ short, long, value }) => `-${short},--${long}${value === null ? '' : ` <${value}>`}`);
  const width = Math.max(...lefts.map((left) => left.length));
  const lines = rows.map((row, i) => ` ${(lefts[i] as string).padEnd(width)}   ${row.text}`);
  return [`usage: ${usage}`, ...lines.sort()].join('\n');
}
