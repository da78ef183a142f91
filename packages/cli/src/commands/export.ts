/** `zoots export`: a subtree as JSON lines (the format: ../modern/dump-format.ts). */
import { createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { endLine, headLine, recordLine } from '../modern/dump-format.js';
import { type Invocation, type ModernCommand, runModern } from '../modern/invocation.js';
import { Output } from '../modern/output.js';
import { type Place, parsePlace } from '../modern/place.js';
import { recordsOfPlace } from '../modern/place-records.js';
import { EXIT } from '../modern/problem.js';
import { countText } from '../modern/quantities.js';

const command: ModernCommand = {
  name: 'export',
  operands: { min: 0, max: 1 },
  options: [
    { long: 'output', short: 'o', value: 'FILE', text: 'into a file, which appears when it is complete' },
    { long: 'ephemerals', text: 'ephemeral znodes, too' },
    { long: 'no-acl', text: 'without ACLs' },
  ],
  notes: `PATH is / if it is left out; it may also be a snapshot of a data directory, or SNAPSHOT#/PATH: of the server's kinds of
znodes only a snapshot tells which are containers or have a TTL; from a server they come out persistent. /zookeeper is never
exported. The output is JSON lines in any case: a first line about
the whole, {"path", "data", …} per znode with paths relative to PATH, and {"end":true}. It is no snapshot of one moment: what
changes meanwhile may be in it or not. docs/cli.md has the format.

  zoots export /app -o app.jsonl`,

  async run(invocation) {
    const { line, out } = invocation;
    const place = parsePlace(line.operands[0] ?? '/');
    const records = await recordsOfPlace(invocation, place);
    const file = line.value('output');
    const sink = file === undefined ? out : new FileSink(`${file}.partial`);
    sink.line(headLine({ root: place.path, from: sourceText(place, invocation), time: new Date().toISOString() }));
    let count = 0;
    for await (const record of records) {
      sink.line(recordLine(record));
      count++;
      await sink.ready();
    }
    sink.line(endLine);
    if (sink instanceof Output) return EXIT.ok;
    await sink.close();
    await rename(sink.path, file as string);
    if (out.isJson) out.json({ file, nodes: count });
    else if (out.isTerminal) out.note(`${file}: ${countText(count, 'znode')}`);
    return EXIT.ok;
  },
};

function sourceText(place: Place, { server }: Invocation): string {
  return place.type === 'file' ? place.file : (place.server ?? server);
}

/** A file that is written line by line. */
class FileSink {
  readonly path: string;
  readonly #stream: NodeJS.WritableStream & { writableNeedDrain: boolean };
  #error: Error | null = null;

  constructor(path: string) {
    this.path = path;
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
