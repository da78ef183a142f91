/** `zoots export`: a subtree as JSON lines (the format: ../modern/dump-format.ts). */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { endLine, headLine, recordLine } from '../modern/dump-format.js';
import { type Invocation, type ModernCommand, runModern } from '../modern/invocation.js';
import { type Place, parsePlace } from '../modern/place.js';
import { recordsOfPlace } from '../modern/place-records.js';
import { EXIT } from '../modern/problem.js';
import { countText } from '../modern/quantities.js';
import type { TreeRecord } from '../modern/tree-record.js';

export const command: ModernCommand = {
  name: 'export',
  operands: { min: 0, max: 1 },
  options: [
    { long: 'output', short: 'o', value: 'FILE', text: 'into a file, which appears when it is complete' },
    { long: 'ephemerals', text: 'ephemeral znodes, too' },
    { long: 'no-acl', text: 'without ACLs' },
  ],
  notes: `PATH is / if it is left out; it may also be a snapshot of a data directory, or SNAPSHOT#/PATH: of the server's kinds
of znodes only a snapshot tells which are containers or have a TTL; from a server they come out persistent. /zookeeper
is never exported. The output is JSON lines in any case: a first line about the whole, {"path", "data", …} per znode
with paths relative to PATH, and {"end":true}. It is no snapshot of one moment: what changes meanwhile may be in it or
not. docs/cli.md has the format.

  zoots export /app -o app.jsonl`,

  async run(invocation) {
    const { line, out } = invocation;
    const place = parsePlace(line.operands[0] ?? '/');
    const records = await recordsOfPlace(invocation, place);
    const file = line.value('output');
    const head = headLine({ root: place.path, from: sourceText(place, invocation), time: new Date().toISOString() });
    if (file === undefined) {
      await writeRecords(out, head, records);
      return EXIT.ok;
    }
    const count = await writeFile(file, head, records);
    if (out.isJson) out.json({ file, nodes: count });
    else if (out.isTerminal) out.note(`${file}: ${countText(count, 'znode')}`);
    return EXIT.ok;
  },
};

function sourceText(place: Place, { server }: Invocation): string {
  return place.type === 'file' ? place.file : (place.server ?? server);
}

interface LineSink {
  line(text: string): void;
  /** Resolves when more may come. */
  ready(): Promise<void>;
}

/** How many records there were. */
async function writeRecords(sink: LineSink, head: string, records: AsyncIterable<TreeRecord>): Promise<number> {
  let count = 0;
  sink.line(head);
  for await (const record of records) {
    sink.line(recordLine(record));
    count++;
    await sink.ready();
  }
  sink.line(endLine);
  return count;
}

/** Under another name until it is complete; nothing stays behind if it never is. */
async function writeFile(file: string, head: string, records: AsyncIterable<TreeRecord>): Promise<number> {
  const partial = `${file}.partial`;
  const sink = new FileSink(partial);
  try {
    const count = await writeRecords(sink, head, records);
    await sink.close();
    await rename(partial, file);
    return count;
  } catch (error) {
    await sink.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}

/** A file that is written line by line. */
class FileSink implements LineSink {
  readonly #stream: NodeJS.WritableStream & { writableNeedDrain: boolean };
  #error: Error | null = null;

  constructor(path: string) {
    this.#stream = createWriteStream(path);
    this.#stream.on('error', (error) => {
      this.#error ??= error;
    });
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  async ready(): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (!this.#stream.writableNeedDrain) return;
    await new Promise((resolve) => {
      this.#stream.once('drain', resolve);
      this.#stream.once('error', resolve);
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#stream.once('error', () => resolve());
      this.#stream.end(resolve);
    });
    if (this.#error !== null) throw this.#error;
  }
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
