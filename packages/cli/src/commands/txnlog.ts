/**
 * `zoots txnlog`, called by zkTxnLogToolkit.sh: prints a transaction log, mends the checksums of damaged records into a
 * copy, or copies it up to a zxid. Options, lines and exit codes are those of Apache's TxnLogToolkit; `--decode` is ours.
 * What is behind each mode: data-tools/log-dump.ts and data-tools/log-chop.ts.
 */
import { accessSync, constants } from 'node:fs';
import { chopLog } from '../data-tools/log-chop.js';
import { dumpLog } from '../data-tools/log-dump.js';
import {
  helpText,
  OptionError,
  type OptionRow,
  type ParsedOptions,
  parseOptionWords,
} from '../data-tools/option-words.js';

const usage = 'TxnLogToolkit [-dhrvc] <txn_log_file_name> (-z <zxid>)';

const rows: readonly OptionRow[] = [
  { short: 'h', long: 'help', value: null, text: 'Show this text.' },
  {
    short: 'd',
    long: 'dump',
    value: null,
    text: 'Print every transaction of the log (this is what happens by default).',
  },
  {
    short: 'r',
    long: 'recover',
    value: null,
    text: 'Write a copy, LOG.fixed, in which damaged records have a checksum that fits them; asks for each.',
  },
  { short: 'v', long: 'verbose', value: null, text: 'With -r: print all transactions, not only damaged ones.' },
  { short: 'y', long: 'yes', value: null, text: 'With -r: mend every checksum without asking.' },
  {
    short: 'c',
    long: 'chop',
    value: null,
    text: 'Write a copy, LOG.chopped<zxid>, that ends with the zxid given by -z.',
  },
  {
    short: 'z',
    long: 'zxid',
    value: 'arg',
    text: 'With -c: the last zxid to keep; decimal, or hexadecimal behind 0x.',
  },
  {
    short: 'm',
    long: 'decode',
    value: null,
    text: 'Print the parts of a multi in readable form instead of their bytes.',
  },
];

export async function run(args: readonly string[]): Promise<number> {
  let parsed: ParsedOptions;
  try {
    parsed = parseOptionWords(rows, args);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    console.error(`${error.message}\n`);
    return help(1);
  }
  const { options, words } = parsed;
  const [path] = words;
  if (options.has('help')) return help(0);
  if (path === undefined) return help(1);
  if (!isReadable(path)) {
    console.error(`File doesn't exist or not readable: ${path}`);
    return 1;
  }
  const zxid = options.get('zxid');
  if (options.has('chop') && zxid !== undefined) return chopAt(path, zxid);
  return dumpLog(path, {
    isRecovery: options.has('recover'),
    isVerbose: options.has('verbose'),
    isForced: options.has('yes'),
    isDecoded: options.has('decode'),
  });
}

function help(exitCode: number): number {
  console.log(helpText(usage, rows));
  return exitCode;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function chopAt(path: string, text: string): Promise<number> | number {
  if (/^(0[xX])?[0-9a-fA-F]+$/.test(text)) {
    const zxid = Number(text);
    if (Number.isSafeInteger(zxid)) return chopLog(path, zxid);
  }
  console.error(`-z ${text} is not a zxid: give it in decimal, or in hexadecimal with 0x in front`);
  return 1;
}
