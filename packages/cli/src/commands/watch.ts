/** `zoots watch`: the changes of a znode or a subtree, as they come. */
import type { Namespace, WatchEvent, ZooKeeper } from '@zoots/client';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import type { Output, Style } from '../modern/output.js';
import { EXIT, NoServerError } from '../modern/problem.js';
import { localTimeText, parseCount } from '../modern/quantities.js';
import { dataJson, dataSummary, zxidText } from '../modern/znode-facts.js';

const styleOfType: Readonly<Record<WatchEvent['type'], Style>> = {
  created: 'green',
  deleted: 'red',
  changed: 'yellow',
  children: 'blue',
  gap: 'inverse',
};

/** Characters of the data that --data shows. */
const DATA_CHARACTERS_MAX = 200;

export const command: ModernCommand = {
  name: 'watch',
  operands: { min: 1, max: 1 },
  options: [
    { long: 'recursive', short: 'R', text: 'everything below PATH, too' },
    { long: 'count', short: 'n', value: 'N', text: 'end after so many events' },
    { long: 'data', text: 'read and show the data after each creation and change' },
  ],
  notes: `Prints time, event (created, deleted, changed, children), path and zxid, until Ctrl-C. "gap" means that the connection
was lost for a while: events may be missing. PATH need not exist. Servers before 3.6 do not know such watches. JSON:
{"time", "type", "path", "zxid"}, with --data also "data" (and "encoding").

  zoots watch -R /app | while read -r day time event path rest; do …; done`,

  async run(invocation) {
    const { line, out } = invocation;
    const [path] = line.operands as [string];
    const countMax = parseCount('count', line.value('count') ?? String(Number.MAX_SAFE_INTEGER), 1);
    const stop = invocation.untilStopped();
    const client = await invocation.connect();
    const watch = client.watch(path, { recursive: line.has('recursive'), signal: stop });
    await watch.ready;
    if (out.isTerminal) out.note(`watching ${path} on ${invocation.server}; Ctrl-C ends it`);
    let count = 0;
    for await (const event of watch) {
      const data = line.has('data') ? await dataAfter(client, event) : undefined;
      writeEvent(out, event, data);
      out.flush();
      await out.ready();
      if (++count === countMax) break;
    }
    if (count < countMax && !stop.aborted) throw endedBy(client);
    return EXIT.ok;
  },
};

function endedBy(client: ZooKeeper): NoServerError {
  return new NoServerError(`the watch ended, and so will others: the client is ${client.state}`);
}

/** Undefined if the event has none, or the znode is gone by now. */
async function dataAfter(namespace: Namespace, { type, path }: WatchEvent): Promise<Buffer | null | undefined> {
  if (type !== 'created' && type !== 'changed') return undefined;
  try {
    return (await namespace.get(path)).data;
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === 'ZK_NO_NODE' || code === 'ZK_NO_AUTH') return undefined;
    throw error;
  }
}

function writeEvent(out: Output, { type, path, zxid }: WatchEvent, data: Buffer | null | undefined): void {
  const nowMs = Date.now();
  if (out.isJson) {
    const time = new Date(nowMs).toISOString();
    out.json({ time, type, path, zxid, ...(data === undefined ? {} : dataJson(data)) });
    return;
  }
  const event = out.styled(styleOfType[type], type.padEnd(8));
  const tail = [zxid === null ? '' : out.styled('dim', zxidText(zxid)), data === undefined ? '' : summary(data)];
  out.line(`${localTimeText(nowMs)} ${event} ${path} ${tail.filter((text) => text !== '').join(' ')}`.trimEnd());
}

function summary(data: Buffer | null): string {
  return dataSummary(data, DATA_CHARACTERS_MAX);
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
