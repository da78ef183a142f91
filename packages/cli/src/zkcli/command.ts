/** What a command of zkCli is: a row of the table in `command-rows.ts`. */
import type { Connection } from './connection.js';
import { CliError } from './errors.js';
import { type OptionTable, optionLines, type ParsedWords, parseOptions } from './options.js';

/** Where lines go. On a terminal they must not run into the line that is being typed. */
export interface Output {
  /** A line of standard output. */
  line(text: string): void;
  /** Standard output without a line end. */
  text(text: string): void;
  /** A line of standard error. */
  error(text: string): void;
}

export interface CommandContext {
  readonly connection: Connection;
  readonly output: Output;
}

export interface CommandRow {
  /** What stands behind the name in the usage. */
  readonly usage: string;
  /** Null: every word is taken as it is. */
  readonly options: OptionTable | null;
  /** The usage on a mistake lists the options as well. */
  readonly listsOptions?: boolean;
  /** How many words there must be, the command's name among them. */
  readonly wordsMin: number;
  readonly wordsMax?: number;
  /** Left out of the list of commands: names that only older versions know. */
  readonly isHidden?: boolean;
  /** Before the words are counted. */
  before?(output: Output, parsed: ParsedWords): void;
  /** Fails with {@link CliError}. */
  run(context: CommandContext, parsed: ParsedWords): Promise<void>;
}

export const NO_OPTIONS: OptionTable = { rows: [] };

/** Reads the words of a command and runs it. Fails with {@link CliError}. */
export async function runCommand(
  name: string,
  row: CommandRow,
  words: readonly string[],
  context: CommandContext,
): Promise<void> {
  const parsed = parseOptions(row.options ?? NO_OPTIONS, row.options === null ? ['--', ...words] : words);
  row.before?.(context.output, parsed);
  const count = parsed.words.length;
  if (count < row.wordsMin || count > (row.wordsMax ?? count)) throw new CliError(usageOf(name, row));
  await row.run(context, parsed);
}

export function usageOf(name: string, row: CommandRow): string {
  const line = `${name} ${row.usage}`;
  return row.listsOptions && row.options !== null ? `${line}\n${optionLines(row.options)}` : line;
}
