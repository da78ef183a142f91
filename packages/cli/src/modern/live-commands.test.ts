/** watch, top, lock, elect, create -e, and what only a process of its own shows: pipes, signals, exit codes, the start. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect, type ZooKeeper } from '@zoots/client';
import { startServer, type TestServer } from '@zoots/testing';
import { Output } from './output.js';
import { type CommandResult, runInProcess } from './run-in-process.js';
import { parseFigures } from './server-figures.js';
import { type Sample, topJson, topLines } from './top-table.js';

const main = fileURLToPath(new URL('../main.js', import.meta.url));
let server: TestServer;
let zk: ZooKeeper;
const started = new Set<ChildProcess>();

beforeEach(async () => {
  server = await startServer();
  zk = await connect(server.connectString);
});
afterEach(async () => {
  for (const child of started) child.kill('SIGKILL');
  started.clear();
  await zk.close();
  await server.stop();
});

/** `zoots WORDS…` as a process. */
class Zoots {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out = '';
  err = '';

  constructor(...words: string[]) {
    const env = { PATH: process.env.PATH ?? '', ZOOTS_SERVER: server.connectString };
    this.child = spawn(process.execPath, [main, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    started.add(this.child);
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.out += chunk.toString();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
  }

  async said(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.out + this.err)) {
      assert.equal(this.child.exitCode, null, `it ended:\n${this.out}${this.err}`);
      const output = [this.child.stdout, this.child.stderr].map((stream) =>
        once(stream as NodeJS.EventEmitter, 'data'),
      );
      await Promise.race([...output, this.ended]);
    }
  }
}

/** Waits for a condition at the server. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

function zoots(name: string, ...words: string[]): Promise<CommandResult> {
  return runInProcess([name, '--server', server.connectString, ...words]);
}

test('watch: events as they come, as text and as JSON, and --count', async () => {
  const text = zoots('watch', '-R', '/w', '--count', '4', '--data');
  const json = zoots('watch', '/w', '--count', '3', '--json');
  // Both have their watches when the server counts two; persistent ones have no other trace.
  await until(async () => /Total watches:2/.test(await word('wchs')));
  await zk.create('/w', 'one');
  await zk.set('/w', Uint8Array.of(0xff));
  await zk.create('/w/child');
  await zk.delete('/w/child');
  const day = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d';
  const { exitCode, lines } = await text;
  assert.equal(exitCode, 0);
  // The data are those when it reads: the second creation's, if it was fast enough.
  assert.match(lines[0] as string, new RegExp(`^${day} created {2}/w 0x[0-9a-f]+ (?:"one"|binary, 1 byte)$`));
  assert.match(lines[1] as string, new RegExp(`^${day} changed {2}/w 0x[0-9a-f]+ binary, 1 byte$`));
  assert.match(lines[3] as string, new RegExp(`^${day} deleted {2}/w/child 0x[0-9a-f]+$`));
  const events = (await json).json;
  assert.deepEqual(
    events.map(({ type, path }) => [type, path]),
    [
      ['created', '/w'],
      ['changed', '/w'],
      ['children', '/w'],
    ],
  );
  assert.ok(events.every(({ time, zxid }) => !Number.isNaN(Date.parse(time as string)) && typeof zxid === 'number'));
});

async function word(name: string): Promise<string> {
  const { fourLetterWord } = await import('./server-figures.js');
  return fourLetterWord('127.0.0.1', server.port, name, 5_000);
}

test('watch ends well at SIGTERM, and its session with it', async () => {
  const watch = new Zoots('watch', '/w', '--json');
  await until(async () => /Total watches:1/.test(await word('wchs')));
  watch.child.kill('SIGTERM');
  assert.deepEqual([await watch.ended, watch.err], [0, '']);
  await until(async () => server.sessions.length === 1);
});

test('create -e: there until it is stopped', async () => {
  const create = new Zoots('create', '-e', '/here', 'x');
  await create.said(/^\/here$/m);
  assert.notEqual((await zk.exists('/here'))?.ephemeralOwner, 0n);
  create.child.kill('SIGINT');
  assert.equal(await create.ended, 0);
  assert.equal(await zk.exists('/here'), null);
});

test('a reader that has had enough ends it quietly', async () => {
  for (let i = 0; i < 100; i++) zk.create(`/${'long'.repeat(50)}${i}`).catch(assert.fail);
  await zk.sync('/');
  const tree = new Zoots('ls', '-R', '--json');
  tree.child.stdout?.once('data', () => tree.child.stdout?.destroy());
  await tree.ended;
  assert.equal(tree.err, '');
});

test('zoots, zoots help COMMAND, and a word that is no command', async () => {
  const help = new Zoots('help', 'tree');
  assert.equal(await help.ended, 0);
  assert.match(help.out, /^Usage: zoots tree \[PATH\]/);
  const nothing = new Zoots('treee');
  assert.equal(await nothing.ended, 2);
  assert.match(nothing.err, /^zoots: there is no command "treee"/);
});

test('lock: token, exit codes, one at a time', async () => {
  const first = new Zoots('lock', '/l', '--', 'sh', '-c', 'echo "token $ZOOTS_FENCING_TOKEN"; sleep 0.3; exit 7');
  await first.said(/token \d+/);
  const [name] = await zk.children('/l');
  assert.equal(first.out, `token ${(await zk.exists(`/l/${name}`))?.czxid}\n`);
  assert.equal(await first.ended, 7);
  const commands: readonly (readonly [words: string[], code: number])[] = [
    [['true'], 0],
    [['sh', '-c', 'kill -9 $$'], 137],
    [['/nothing/of/that/name'], 127],
  ];
  for (const [words, code] of commands) {
    const lock = new Zoots('lock', '/l', '--json', '--', ...words);
    assert.equal(await lock.ended, code, words.join(' '));
    const events = lock.err
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    assert.deepEqual(JSON.parse(events.at(-1) as string), { event: 'exited', code });
  }
  assert.deepEqual(await zk.children('/l'), []);
});

test('lock: a wait in vain names the holder', async () => {
  const holder = new Zoots('lock', '/l', '--id', 'somebody', '--', 'sleep', '60');
  await until(async () => (await zk.exists('/l'))?.numChildren === 1);
  for (const [wait, text] of [
    ['0', 'at once'],
    ['50ms', 'within 50 ms'],
  ] as const) {
    const result = await zoots('lock', '/l', '--wait', wait, '--', 'true');
    assert.deepEqual([result.exitCode, result.err], [1, `zoots lock: /l: not acquired ${text}; somebody has it\n`]);
  }
  holder.child.kill('SIGTERM');
  assert.equal(await holder.ended, 143, 'the signal went to the command');
  assert.deepEqual(await zk.children('/l'), []);
  const misuse = await zoots('lock', '/l', '--convention', 'x', '--', 'true');
  assert.equal(misuse.exitCode, 2);
});

test('lock: when it is lost, the command gets SIGTERM, then SIGKILL', async () => {
  const script = 'trap "echo asked; exit 0" TERM; echo begun; while :; do sleep 0.02; done';
  const polite = new Zoots('lock', '/l', '--', 'sh', '-c', script);
  await polite.said(/begun/);
  await zk.delete(`/l/${(await zk.children('/l'))[0]}`);
  assert.equal(await polite.ended, 1, 'never 0 when it was lost');
  assert.match(polite.out, /asked/);
  assert.match(polite.err, /^\/l\/\S+: lost, .*; SIGTERM to the command\n/);
  const deaf = new Zoots(
    'lock',
    '/l',
    '--grace',
    '50ms',
    '--',
    'sh',
    '-c',
    'trap "" TERM; echo begun; while :; do sleep 0.02; done',
  );
  await deaf.said(/begun/);
  await server.killSession((await onlyOwner('/l')) as bigint);
  assert.equal(await deaf.ended, 137);
  assert.match(deaf.err, /the command goes on after 50 ms; SIGKILL/);
});

async function onlyOwner(path: string): Promise<bigint | undefined> {
  const [name] = await zk.children(path);
  return (await zk.exists(`${path}/${name}`))?.ephemeralOwner;
}

test('elect: the next one leads when the leader ends, with a higher token', async () => {
  const first = new Zoots('elect', '/e', '--', 'sh', '-c', 'echo "leads $ZOOTS_FENCING_TOKEN"; exec sleep 60');
  await first.said(/leads \d+/);
  const second = new Zoots('elect', '/e', '--', 'sh', '-c', 'echo "leads $ZOOTS_FENCING_TOKEN"; exit 5');
  await until(async () => (await zk.children('/e')).length === 2);
  assert.equal(second.out, '');
  first.child.kill('SIGTERM');
  assert.equal(await first.ended, 143);
  assert.equal(await second.ended, 5);
  const [a, b] = [first, second].map(({ out }) => Number(/leads (\d+)/.exec(out)?.[1]));
  assert.ok((b as number) > (a as number));
  assert.deepEqual(await zk.children('/e'), []);
});

test('top --once: a table, JSON, and the exit codes', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  silent.close();
  await once(silent, 'close');
  const text = await zoots('top', '--once');
  assert.equal(text.exitCode, 0);
  assert.match(text.lines[1] as string, /^SERVER +MODE +CONNS +OUTST +REQ\/S/);
  assert.match(text.lines[2] as string, new RegExp(`^127\\.0\\.0\\.1:${server.port} +standalone +\\d+ +0 +- +- +`));
  const both = `${server.connectString},127.0.0.1:${port}`;
  const json = await runInProcess(['top', '-1', '--json', '--server', both]);
  assert.equal(json.exitCode, 1);
  assert.deepEqual([json.json[0]?.mode, json.json[0]?.znodes, json.json[1]?.error], ['standalone', 5, 'ECONNREFUSED']);
  assert.equal((await runInProcess(['top', '-1', '--server', `127.0.0.1:${port}`])).exitCode, 3);
  const twice = await zoots('top', '--count', '2', '--interval', '50ms', '--json');
  assert.deepEqual(
    twice.json.map(({ receivedPerSecond }) => receivedPerSecond === null),
    [true, false],
  );
});

test('top: rates, a restart, who is behind, servers that do not allow mntr', () => {
  const srvr = (received: number, zxid: string, mode: string): string =>
    `Zookeeper version: 3.8.0-x, built on 2022\nLatency min/avg/max: 0/1.5/20\nReceived: ${received}\nSent: ${received}\n` +
    `Connections: 3\nOutstanding: 1\nZxid: ${zxid}\nMode: ${mode}\nNode count: 9\n`;
  const refusal = 'mntr is not executed because it is not in the whitelist.\n';
  const at = (ms: number, received: number): Sample => {
    const leader = parseFigures('a:1', srvr(received, '0x100000005', 'leader'), 'zk_watch_count\t4\n', ms);
    const follower = parseFigures('b:1', srvr(9_000 - received, '0x100000003', 'follower'), refusal, ms);
    assert.ok(leader !== null && follower !== null);
    return new Map([leader, follower].map((figures) => [figures.server, figures]));
  };
  const out = new Output(false, { stdout: process.stdout, stderr: process.stderr });
  const [, leader, follower] = topLines(out, at(3_000, 5_000), at(1_000, 1_000));
  assert.match(leader as string, /^a:1 +leader +3 +1 +2000 +2000 +0\/1\.5\/20 +9 +4 +- +- +0x100000005$/);
  assert.match(follower as string, /^b:1 +follower +3 +1 +- +- +0\/1\.5\/20 +9 +- +- +- +0x100000003 -2$/);
  const [, json] = topJson(at(3_000, 5_000), null, 0) as Record<string, unknown>[];
  assert.deepEqual([json?.behind, json?.receivedPerSecond, json?.version], [2, null, '3.8.0-x']);
  assert.equal(parseFigures('a:1', 'This ZooKeeper instance is not currently serving requests\n', '', 0), null);
});
