/** Where the data of `set` and `create` come from: a word, a file, standard input, or nowhere (null). */
import { readFile } from 'node:fs/promises';
import { type CommandLine, type OptionRow, UsageError } from './command-line.js';

export const dataOperandOptions: readonly OptionRow[] = [
  { long: 'file', value: 'FILE', text: 'the data from a file; - is standard input' },
  { long: 'base64', text: 'the data are written in base64' },
];

export const dataRules = 'Without DATA and --file the data are null.';

/** Throws {@link UsageError}; rejects with the errors of the file system, which name the file. */
export async function readData(line: CommandLine, text: string | undefined): Promise<Uint8Array | null> {
  const file = line.value('file');
  if (text !== undefined && file !== undefined) throw new UsageError('DATA and --file are two sources; give one');
  if (text === undefined && file === undefined) {
    if (line.has('base64')) throw new UsageError('--base64 needs DATA or --file');
    return null;
  }
  const bytes = file === undefined ? Buffer.from(text as string) : await readWhole(file);
  return line.has('base64') ? decodeBase64(bytes.toString('latin1')) : bytes;
}

async function readWhole(file: string): Promise<Buffer> {
  if (file !== '-') return readFile(file);
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** White space is left out; anything else that is no base64 is refused, as Node would skip it. */
export function decodeBase64(text: string): Buffer {
  const compact = text.replace(/\s+/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact)) {
    throw new UsageError('the data are no base64: groups of four characters of A-Z a-z 0-9 + /, filled up with =');
  }
  return Buffer.from(compact, 'base64');
}
