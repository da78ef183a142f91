/** `zoots get`: the data of a znode. */
import { isUtf8 } from 'node:buffer';
import { UsageError } from '../modern/command-line.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import type { Output } from '../modern/output.js';
import { EXIT } from '../modern/problem.js';
import { dataJson, hexLines, statJson, statLines } from '../modern/znode-facts.js';

const formats = ['auto', 'raw', 'base64', 'hex'] as const;
const LINE_FEED = 0x0a;

type Format = (typeof formats)[number];

export const command: ModernCommand = {
  name: 'get',
  operands: { min: 1, max: 1 },
  options: [
    { long: 'stat', short: 's', text: 'the stat below the data' },
    { long: 'format', short: 'f', value: 'FORMAT', text: 'raw, base64, hex, or auto (default)' },
  ],
  notes: `auto: into a file or pipe the bytes as they are; on a terminal text with a line end, and hex for what is no text.
JSON: {"path", "data", "stat"}; "data" is null, text, or base64 and then "encoding" says so.

  zoots get /app/config | jq .`,

  async run(invocation) {
    const { line, out } = invocation;
    const [path] = line.operands as [string];
    const format = parseFormat(line.value('format') ?? 'auto');
    const client = await invocation.connect();
    const { data, stat } = await client.get(path);
    if (out.isJson) out.json({ path, ...dataJson(data), stat: statJson(stat) });
    else {
      writeData(out, data, format);
      if (!line.has('stat')) return EXIT.ok;
      const isLineOpen = data !== null && data.length > 0 && data.at(-1) !== LINE_FEED && !out.isTerminal;
      for (const text of [...(isLineOpen ? [''] : []), ...statLines(stat)]) out.line(text);
    }
    return EXIT.ok;
  },
};

function parseFormat(text: string): Format {
  const format = formats.find((name) => name === text);
  if (format === undefined) throw new UsageError(`--format: "${text}" is none of ${formats.join(', ')}`);
  return format;
}

function writeData(out: Output, data: Buffer | null, format: Format): void {
  if (data === null) {
    if (out.isTerminal) out.note('(null)');
  } else if (format === 'base64') out.line(data.toString('base64'));
  else if (format === 'hex') writeHex(out, data);
  else if (format === 'raw' || !out.isTerminal) out.bytes(data);
  else if (isUtf8(data)) out.line(withoutControls(data.toString('utf8')));
  else writeHex(out, data);
}

/** What is in a znode must not move the cursor of the terminal that shows it. */
function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => (character === '\r' ? '' : '\ufffd'));
}

function writeHex(out: Output, data: Uint8Array): void {
  for (const text of hexLines(data)) out.line(text);
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
