/**
 * The walk-through of a tutorial for 3.5.5, as its readers type it: create, ls, get, set and delete with versions, rmr, ephemeral and
 * sequential znodes, a server that is not up yet. From a pipe, and on a terminal, with what a terminal adds.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type Peer, startPeer } from '../peers/peer.js';
import type { Check } from './check.js';
import { runZkCli, zkCli } from './programs.js';
import { keys, PseudoTerminal } from './pseudo-terminal.js';

export function walkthroughChecks(workDir: string): Check[] {
  return [
    { name: 'walk-through from a pipe', run: () => fromPipe(workDir) },
    { name: 'walk-through on a terminal', run: () => onTerminal(workDir) },
    { name: 'a terminal before its server', run: () => beforeServer(workDir) },
    { name: 'a session that expires', run: () => expiring(workDir) },
    { name: 'typing, completion and history', run: () => typing(workDir) },
  ];
}

async function withServer<T>(workDir: string, use: (port: number, directory: string) => Promise<T>): Promise<T> {
  const port = await freePort();
  const { peer, directory } = await serverAt(workDir, port);
  try {
    return await use(port, directory);
  } finally {
    await peer.stop();
  }
}

async function serverAt(workDir: string, port: number): Promise<{ peer: Peer; directory: string }> {
  const directory = join(workDir, `walk-${port}`);
  mkdirSync(directory, { recursive: true });
  // Short ticks permit short sessions.
  return { peer: await startPeer('zoots', { workDir: directory, port, config: { tickTime: '500' } }), directory };
}

/** What is typed, and what comes: on standard output, and on standard error. */
const steps: readonly (readonly [line: string, out: string, error: string])[] = [
  ['ls /', '[zookeeper]\n', ''],
  ['create /zk "my data"', '', 'Created /zk\n'],
  ['ls /', '[zk, zookeeper]\n', ''],
  ['get /zk', 'my data\n', ''],
  ["set /zk 'other data' 0", '', ''],
  ['get /zk', 'other data\n', ''],
  ['set /zk stale 0', '', 'version No is not valid : /zk\n'],
  ['set /zk newer 1', '', ''],
  ['set /zk newest', '', ''],
  ['create -e /zk/ephemeral e', '', 'Created /zk/ephemeral\n'],
  ['create /zk/ephemeral/child c', '', 'Ephemerals cannot have children: /zk/ephemeral/child\n'],
  ['create -s /zk/seq- s', '', 'Created /zk/seq-0000000001\n'],
  ['create -e -s /zk/seq- s', '', 'Created /zk/seq-0000000002\n'],
  ['ls /zk', '[ephemeral, seq-0000000001, seq-0000000002]\n', ''],
  ['delete /zk', '', 'Node not empty: /zk\n'],
  ['delete /zk/seq-0000000001 9', '', `${oldDelete()}version No is not valid : /zk/seq-0000000001\n`],
  ['delete /zk/seq-0000000001 0', '', oldDelete()],
  ['rmr /zk', '', "The command 'rmr' has been deprecated. Please use 'deleteall' instead.\n"],
  ['ls /', '[zookeeper]\n', ''],
];

function oldDelete(): string {
  return "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.\n";
}

async function fromPipe(workDir: string): Promise<string> {
  return withServer(workDir, async (port) => {
    const address = `127.0.0.1:${port}`;
    const input = [`connect ${address}`, ...steps.map(([line]) => line), 'stat /zookeeper', 'quit'].join('\n');
    const { out, error, exitCode } = await runZkCli(['-server', address], workDir, `${input}\n`);
    assert.equal(error, steps.map(([, , text]) => text).join(''));
    const shown = out.replace(/\nWATCHER::\n\nWatchedEvent .*\n/g, '');
    const expected = steps.map(([, text]) => text).join('');
    assert.ok(shown.includes(`JLine support is disabled\n${expected}cZxid = 0x0\n`), shown);
    assert.equal(exitCode, 0);
    return `${steps.length} steps`;
  });
}

async function onTerminal(workDir: string): Promise<string> {
  return withServer(workDir, async (port, directory) => {
    const terminal = new PseudoTerminal([zkCli], directory);
    try {
      // Without -server it is localhost:2181, where nobody is, or somebody else.
      await terminal.until('the first prompt', () => /^\[zk: localhost:2181\(\w+\) 0\]/.test(terminal.screen.line));
      await terminal.enter(`connect 127.0.0.1:${port}`, 1);
      const isConnected = () => terminal.screen.line.startsWith(`[zk: 127.0.0.1:${port}(CONNECTED) 1]`);
      await terminal.until('CONNECTED', isConnected);
      let count = 1;
      for (const [line, out, error] of steps) {
        await terminal.enter(line, ++count);
        const shown = `) ${count - 1}] ${line}\n${out}${error}[zk: 127.0.0.1:${port}(CONNECTED) ${count}]`;
        assert.ok(terminal.screen.text.endsWith(shown), `${line}\n${terminal.screen.text}`);
      }
      terminal.type('quit\r');
      assert.equal(await terminal.ended(), 0);
      assert.ok(terminal.screen.text.endsWith('state:Closed type:None path:null zxid: -1\n'), terminal.screen.text);
      return `${steps.length} steps, each with its prompt`;
    } finally {
      terminal.kill();
    }
  });
}

async function beforeServer(workDir: string): Promise<string> {
  const port = await freePort();
  const terminal = new PseudoTerminal([zkCli, '-server', `127.0.0.1:${port}`], workDir);
  const refused = `Connection refused: 127.0.0.1:${port}`;
  const countRefused = (): number => terminal.screen.text.split(refused).length - 1;
  let peer: Peer | null = null;
  try {
    await terminal.until('two refusals', () => countRefused() >= 2);
    await terminal.until('the prompt', () => terminal.screen.line === `[zk: 127.0.0.1:${port}(CONNECTING) 0]`);
    await terminal.enter('ls /', 1);
    assert.ok(terminal.screen.text.includes('KeeperErrorCode = ConnectionLoss for /\n'), terminal.screen.text);
    ({ peer } = await serverAt(workDir, port));
    await terminal.until('CONNECTED', () => terminal.screen.line === `[zk: 127.0.0.1:${port}(CONNECTED) 1]`);
    assert.ok(terminal.screen.text.includes('WatchedEvent state:SyncConnected'), terminal.screen.text);
    await terminal.enter('ls /', 2);
    assert.ok(terminal.screen.text.includes('[zookeeper]\n'), terminal.screen.text);
    const refusals = countRefused();
    await peer.kill();
    await terminal.until('Disconnected', () => terminal.screen.text.includes('WatchedEvent state:Disconnected'));
    await terminal.until('a refusal', () => countRefused() > refusals);
    ({ peer } = await serverAt(workDir, port));
    await terminal.until('CONNECTED again', () => terminal.screen.line === `[zk: 127.0.0.1:${port}(CONNECTED) 2]`);
    terminal.type(keys.end);
    assert.equal(await terminal.ended(), 0);
    return `${refusals} refusals, then connected; the same after a crash of the server`;
  } finally {
    terminal.kill();
    await peer?.stop();
  }
}

/** A server that hangs: the connection is given up, then the session, and the shell says so instead of opening another. */
async function expiring(workDir: string): Promise<string> {
  const port = await freePort();
  const { peer, directory } = await serverAt(workDir, port);
  const terminal = new PseudoTerminal([zkCli, '-server', `127.0.0.1:${port}`, '-timeout', '2000'], directory);
  try {
    await terminal.until('CONNECTED', () => terminal.screen.line === `[zk: 127.0.0.1:${port}(CONNECTED) 0]`);
    process.kill(peer.pid, 'SIGSTOP');
    await terminal.until('CLOSED', () => terminal.screen.line === `[zk: 127.0.0.1:${port}(CLOSED) 0]`);
    const events = [...terminal.screen.text.matchAll(/WatchedEvent state:(\w+)/g)].map(([, state]) => state);
    assert.deepEqual(events, ['SyncConnected', 'Disconnected', 'Expired']);
    await terminal.enter('ls /', 1);
    assert.ok(terminal.screen.text.includes('] ls /\nNot connected\n'), terminal.screen.text);
    process.kill(peer.pid, 'SIGCONT');
    await terminal.enter('connect', 2);
    await terminal.until('CONNECTED again', () => terminal.screen.line === `[zk: 127.0.0.1:${port}(CONNECTED) 2]`);
    terminal.type('quit\r');
    assert.equal(await terminal.ended(), 0);
    return 'Disconnected, Expired, Not connected, connected again';
  } finally {
    terminal.kill();
    if (peer.alive()) process.kill(peer.pid, 'SIGCONT');
    await peer.stop();
  }
}

async function typing(workDir: string): Promise<string> {
  return withServer(workDir, async (port, directory) => {
    const history = join(directory, 'history');
    const command = [zkCli, '-server', `127.0.0.1:${port}`];
    const prompt = (count: number): string => `[zk: 127.0.0.1:${port}(CONNECTED) ${count}]`;
    const terminal = new PseudoTerminal(command, directory, { ZOOTS_CLI_HISTORY: history });
    const until = (what: string, isSeen: () => boolean) => terminal.until(what, isSeen);
    try {
      await until('the prompt', () => terminal.screen.line === prompt(0));
      await terminal.enter('create /completion x', 1);
      await terminal.enter('get -w /completion', 2);
      // An event while a line is typed, one that is longer than the terminal is wide.
      const long = `set /completion '${'0123456789'.repeat(12)}'`;
      terminal.type(long);
      await until('the long line', () => terminal.screen.text.replaceAll('\n', '').endsWith(long));
      await runZkCli(['-server', `127.0.0.1:${port}`, 'set', '/completion', 'y'], workDir);
      await until('the event', () => terminal.screen.text.includes('type:NodeDataChanged path:/completion'));
      const below = terminal.screen.text.slice(terminal.screen.text.indexOf('type:NodeDataChanged'));
      assert.equal(below.split('\n').slice(1).join(''), `${prompt(2)} ${long}`, terminal.screen.text);
      terminal.type('\r');
      await until('prompt 3', () => terminal.screen.line === prompt(3));
      // Completion.
      terminal.type('stat /comp');
      await until('/comp', () => terminal.screen.line.endsWith('stat /comp'));
      terminal.type(keys.tab);
      await until('the completed path', () => terminal.screen.line.endsWith('stat /completion'));
      terminal.type('\r');
      await until('prompt 4', () => terminal.screen.line === prompt(4));
      assert.ok(terminal.screen.text.includes('dataLength = 120\n'), terminal.screen.text);
      terminal.type('getE');
      await until('getE', () => terminal.screen.line.endsWith('getE'));
      terminal.type(keys.tab);
      await until('the completed command', () => terminal.screen.line.endsWith('getEphemerals'));
      terminal.type(keys.interrupt);
      await until('an empty prompt', () => terminal.screen.line === prompt(4));
      await terminal.enter('addauth digest bob:secret', 5);
      terminal.type(keys.up + keys.up);
      await until('the line before', () => terminal.screen.line === `${prompt(5)} stat /completion`);
      terminal.type(keys.interrupt);
      await until('an empty prompt', () => terminal.screen.line === prompt(5));
      terminal.type(keys.interrupt);
      assert.equal(await terminal.ended(), 0);
    } finally {
      terminal.kill();
    }
    assert.ok(!readFileSync(history, 'utf8').includes('secret'));
    return withHistory(command, directory, history, prompt(0));
  });
}

/** Another shell knows what the first one was told. */
async function withHistory(
  command: readonly string[],
  directory: string,
  history: string,
  prompt: string,
): Promise<string> {
  const terminal = new PseudoTerminal(command, directory, { ZOOTS_CLI_HISTORY: history });
  try {
    await terminal.until('the prompt', () => terminal.screen.line === prompt);
    terminal.type(keys.up);
    await terminal.until('a line of before', () => terminal.screen.line === `${prompt} stat /completion`);
    terminal.type(keys.interrupt);
    await terminal.until('an empty prompt', () => terminal.screen.line === prompt);
    terminal.type(keys.end);
    assert.equal(await terminal.ended(), 0);
    return 'an event above a long line, tab, arrow, Ctrl-C, Ctrl-D, history of the shell before';
  } finally {
    terminal.kill();
  }
}
