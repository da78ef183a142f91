/**
 * Writes through our own client, one write at a time, and tells what came of each, until its standard input ends. A program of
 * its own, as the others of this directory are: `node steady-zoots.js CONNECT_STRING HOME`.
 */
import { connect, SessionLostError, ZooKeeperError } from '@zoots/client';

const [servers, home] = process.argv.slice(2) as [string, string];
const say = (...words: readonly unknown[]): void => console.log(words.join(' '));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function attempt(path: string, value: number, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
    say('ack', path, value);
  } catch (error) {
    const isOpen = error instanceof ZooKeeperError && error.outcome !== 'refused';
    if (error instanceof SessionLostError || !isOpen) say('lost', String(error));
    else say('unknown', path, value);
    await sleep(20);
  }
}

let isStopped = false;
process.stdin.on('end', () => {
  isStopped = true;
});
process.stdin.resume();

const client = await connect(servers, { sessionTimeoutMs: 20_000, timeoutMs: 30_000 });
client.on('state', (state) => {
  if (state === 'lost') say('lost', 'the client says so');
});
await client.create(home);
await client.create(`${home}/ephemeral`, '', { mode: 'ephemeral' });
await client.create(`${home}/register`, '0');
say('session', client.session?.id.toString(16));
for (let n = 1; !isStopped; n++) {
  const path = `${home}/n${n}`;
  await attempt(path, n, () => client.create(path, String(n)));
  await attempt(`${home}/register`, n, () => client.set(`${home}/register`, String(n)));
  await sleep(10);
}
say('session', client.session?.id.toString(16));
say('done');
await client.close();
process.exit(0);
