/** Members of an ensemble in one process, on real ports and files: what people see of them in each role. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ByteWriter, RecordingLogger } from '@zoots/base';
import { writeConnectRequest } from '@zoots/protocol';
import { type AssembledServer, startServer } from './assemble.js';
import { serverConfigOf } from './config/config-load.js';
import { StartupError } from './running-server.js';

const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests\n';

/** Below the range that systems give to outgoing connections. */
const PORT_MIN = 20_000 + (process.pid % 500) * 20;

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let port = PORT_MIN; ports.length < count; port++) {
    const net = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      net.once('error', () => resolve(false));
      net.listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => net.close(resolve));
    if (isFree) ports.push(port);
  }
  return ports;
}

/** Members by id; directories and ports stay the same over restarts. */
class Ensemble {
  readonly #root = mkdtempSync(join(tmpdir(), 'zoots-ensemble-'));
  readonly #lines: Record<string, string> = {};
  readonly #keys: Readonly<Record<string, string>>;
  readonly running = new Map<number, AssembledServer>();
  readonly loggers = new Map<number, RecordingLogger>();

  private constructor(
    roles: Readonly<Record<number, string>>,
    keys: Readonly<Record<string, string>>,
    ports: number[],
  ) {
    this.#keys = keys;
    for (const [id, role] of Object.entries(roles)) {
      this.#lines[`server.${id}`] = `127.0.0.1:${ports.pop()}:${ports.pop()}:${role}`;
    }
  }

  static async make(
    context: TestContext,
    roles: Readonly<Record<number, string>>,
    keys: Readonly<Record<string, string>> = {},
  ): Promise<Ensemble> {
    const ensemble = new Ensemble(roles, keys, await freePorts(2 * Object.keys(roles).length));
    context.after(() => ensemble.#end());
    return ensemble;
  }

  async start(id: number): Promise<AssembledServer> {
    const dataDir = join(this.#root, String(id));
    mkdirSync(join(dataDir, 'version-2'), { recursive: true });
    writeFileSync(join(dataDir, 'myid'), String(id));
    const { config } = serverConfigOf({
      dataDir,
      clientPort: '0',
      clientPortAddress: '127.0.0.1',
      // Long enough for a machine that is busy with other tests.
      tickTime: '1000',
      initLimit: '10',
      syncLimit: '5',
      preAllocSize: '64',
      '4lw.commands.whitelist': '*',
      ...this.#lines,
      ...this.#keys,
    });
    const logger = new RecordingLogger();
    this.loggers.set(id, logger);
    const member = await startServer(config, logger);
    this.running.set(id, member);
    return member;
  }

  /** What the member has written. */
  files(id: number): string[] {
    return readdirSync(join(this.#root, String(id), 'version-2'));
  }

  async stop(id: number): Promise<void> {
    const member = this.running.get(id);
    this.running.delete(id);
    await member?.stop();
  }

  async say(id: number, word: string): Promise<string> {
    return say((this.running.get(id) as AssembledServer).clientPort, word);
  }

  async mode(id: number): Promise<string> {
    return /^Mode: (.*)$/m.exec(await this.say(id, 'srvr'))?.[1] ?? 'none';
  }

  /** Modes of the running members in order of their ids, once none of them is looking. */
  async modes(): Promise<string[]> {
    for (;;) {
      const ids = [...this.running.keys()].sort();
      const modes = await Promise.all(ids.map((id) => this.mode(id)));
      if (!modes.includes('none')) return modes;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #end(): Promise<void> {
    await Promise.all([...this.running.keys()].map((id) => this.stop(id)));
    rmSync(this.#root, { recursive: true, force: true });
  }
}

function say(port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(word));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('close', () => resolve(answer));
  });
}

/** A client's connection with a session of its own; null: it was closed instead. */
function openSession(port: number): Promise<Socket | null> {
  const writer = new ByteWriter();
  writeConnectRequest(writer, {
    lastZxidSeen: 0,
    // Nobody pings: it must outlive the test.
    timeoutMs: 20_000,
    sessionHigh: 0,
    sessionLow: 0,
    password: new Uint8Array(16),
    readOnly: false,
    hasReadOnly: true,
  });
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(writer.toBytes()));
    socket.on('error', () => {});
    socket.once('data', () => resolve(socket));
    socket.once('close', () => resolve(null));
  });
}

test('alone of three: the ports are open, and nobody is served', async (context) => {
  const ensemble = await Ensemble.make(context, { 1: 'participant', 2: 'participant', 3: 'participant' });
  await ensemble.start(1);
  for (const word of ['srvr', 'stat', 'mntr', 'conf', 'cons', 'dump', 'dirs', 'wchs']) {
    assert.equal(await ensemble.say(1, word), NOT_SERVING, word);
  }
  assert.deepEqual([await ensemble.say(1, 'isro'), await ensemble.say(1, 'ruok')], ['null', 'imok']);
  assert.match(await ensemble.say(1, 'envi'), /^Environment:\n/);
  assert.match(
    await ensemble.say(1, 'role'),
    /^Role: looking\nServer: 1 of 1, 2, 3\nLeader: unknown\nEpoch: 0\nWhy: .+\n$/,
  );
  const port = (ensemble.running.get(1) as AssembledServer).clientPort;
  assert.equal(await openSession(port), null, 'clients are closed');
  const events = (ensemble.loggers.get(1) as RecordingLogger).records.map(({ event }) => event);
  for (const id of [2, 3]) {
    const pattern = new RegExp(`^Cannot open channel to ${id} at election address 127\\.0\\.0\\.1:\\d+$`);
    assert.equal(events.filter((event) => pattern.test(event)).length, 1, 'told once');
  }
});

test('leader, follower, observer: every word by role', async (context) => {
  const roles = { 0: 'participant', 7: 'observer', 9: 'participant', 255: 'participant' };
  const ensemble = await Ensemble.make(context, roles);
  for (const id of [0, 9, 7]) await ensemble.start(id);
  assert.deepEqual(await ensemble.modes(), ['follower', 'observer', 'leader']);
  await ensemble.start(255);
  await ensemble.modes();
  assert.deepEqual(
    [await ensemble.mode(0), await ensemble.mode(7), await ensemble.mode(9), await ensemble.mode(255)],
    ['follower', 'observer', 'leader', 'follower'],
  );

  const port = (ensemble.running.get(0) as AssembledServer).clientPort;
  const client = await openSession(port);
  assert.notEqual(client, null, 'a follower opens sessions');
  const leaderLines = (await ensemble.say(9, 'srvr')).split('\n');
  assert.match(leaderLines.at(-2) as string, /^Proposal sizes last\/min\/max: [1-9]\d*\/[1-9]\d*\/[1-9]\d*$/);
  assert.match(leaderLines.at(-3) as string, /^Node count: /);
  assert.match(await ensemble.say(0, 'stat'), /\nMode: follower\nNode count: 5\n$/);
  assert.equal(await ensemble.say(7, 'isro'), 'rw');
  assert.match(
    await ensemble.say(0, 'dump'),
    /^SessionTracker dump:\nGlobal Sessions\(1\):\n0x[0-9a-f]+\t20000ms\neph/,
  );
  assert.match(await ensemble.say(9, 'dump'), /^SessionTracker dump:\nSession Sets \(1\)\/\(1\):\n1 expire at /);
  // The session's transaction is served when a quorum has it; the third one acknowledges when it can.
  while (/behind|synchronised/.test(await ensemble.say(9, 'role')))
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.match(
    await ensemble.say(9, 'role'),
    /^Role: leading\nServer: 9 of 0, 7, 9, 255\nLeader: 9\nEpoch: 1\nWhy: .+\n(Learner (0|255): follower, in step\n|Learner 7: observer, in step\n){3}$/,
  );
  assert.match(await ensemble.say(7, 'role'), /^Role: observing\nServer: 7 of .*\nLeader: 9\n/);
  await checkConf(ensemble);
  await checkMonitor(ensemble);
  client?.destroy();
});

async function checkConf(ensemble: Ensemble): Promise<void> {
  const lines = (await ensemble.say(7, 'conf')).split('\n');
  const from = lines.indexOf('serverId=7');
  assert.notEqual(from, -1);
  assert.match(
    lines.slice(from + 1).join('\n'),
    /^initLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=\d+\nquorumPort=\d+\npeerType=1\nmembership: \nserver\.0=127\.0\.0\.1:\d+:\d+:participant\nserver\.7=127\.0\.0\.1:\d+:\d+:observer\nserver\.9=.*:participant\nserver\.255=.*:participant\nversion=0$/,
  );
  assert.match(await ensemble.say(9, 'conf'), /\npeerType=0\n/);
}

async function checkMonitor(ensemble: Ensemble): Promise<void> {
  const valuesOf = async (id: number): Promise<Map<string, string>> =>
    new Map((await ensemble.say(id, 'mntr')).split('\n').map((line) => line.split('\t') as [string, string]));
  const leader = await valuesOf(9);
  const expected: Record<string, string> = {
    zk_server_state: 'leader',
    zk_peer_state: 'leading - broadcast',
    zk_leader_id: '9',
    zk_quorum_size: '3',
    zk_learners: '3',
    zk_followers: '2',
    zk_synced_followers: '2',
    zk_synced_non_voting_followers: '0',
    zk_synced_observers: '1',
    zk_pending_syncs: '0',
    zk_learner_lag_txns_255: '0',
    zk_cnt_election_time: '1',
  };
  for (const [key, value] of Object.entries(expected)) assert.equal(leader.get(key), value, key);
  for (const key of ['zk_leader_uptime', 'zk_last_proposal_size', 'zk_max_proposal_size', 'zk_min_proposal_size']) {
    assert.ok(Number(leader.get(key)) > 0, key);
  }
  const observer = await valuesOf(7);
  assert.equal(observer.get('zk_server_state'), 'observer');
  assert.equal(observer.get('zk_peer_state'), 'observing - broadcast');
  assert.equal(observer.get('zk_leader_id'), '9');
  assert.equal(observer.has('zk_learners'), false);
  assert.equal((await valuesOf(0)).get('zk_peer_state'), 'following - broadcast');
}

test('the leader stops: another one leads, and the old one comes back as a follower', async (context) => {
  const ensemble = await Ensemble.make(context, { 1: 'participant', 2: 'participant', 3: 'participant' });
  for (const id of [1, 2, 3]) await ensemble.start(id);
  const before = await ensemble.modes();
  const leader = before.indexOf('leader') + 1;
  await ensemble.stop(leader);
  const deadlineMs = Date.now() + 20_000;
  while (!(await ensemble.modes()).includes('leader')) assert.ok(Date.now() < deadlineMs, 'nobody leads');
  await ensemble.start(leader);
  assert.deepEqual((await ensemble.modes()).toSorted(), ['follower', 'follower', 'leader']);
  assert.equal(await ensemble.mode(leader), 'follower');
});

test('five servers one by one: the third makes a majority and leads, the others follow', async (context) => {
  const roles = { 1: 'participant', 2: 'participant', 3: 'participant', 4: 'participant', 5: 'participant' };
  const ensemble = await Ensemble.make(context, roles);
  for (const id of [1, 2]) {
    await ensemble.start(id);
    // Longer than two that were enough would need to agree.
    await new Promise((resolve) => setTimeout(resolve, 350));
    assert.equal(await ensemble.mode(1), 'none');
    assert.match(await ensemble.say(id, 'role'), /^Role: looking\n/);
  }
  const expected = ['follower', 'follower', 'leader', 'follower', 'follower'];
  for (const id of [3, 4, 5]) {
    await ensemble.start(id);
    assert.deepEqual(await ensemble.modes(), expected.slice(0, id));
  }
});

test('local sessions have lines of their own, on the server that has them', async (context) => {
  const roles = { 1: 'participant', 2: 'participant' };
  const ensemble = await Ensemble.make(context, roles, { localSessionsEnabled: 'true' });
  for (const id of [1, 2]) await ensemble.start(id);
  assert.deepEqual(await ensemble.modes(), ['follower', 'leader']);
  const client = await openSession((ensemble.running.get(1) as AssembledServer).clientPort);
  assert.match(
    await ensemble.say(1, 'dump'),
    /^SessionTracker dump:\nLocal Session Sets \(1\)\/\(1\):\n1 expire at .*\n\t0x1[0-9a-f]+\nGlobal Sessions\(0\):\neph/,
  );
  assert.match(
    await ensemble.say(2, 'dump'),
    /^SessionTracker dump:\nLocal Session Sets \(0\)\/\(0\):\nGlobal Session Sets \(0\)\/\(0\):\neph/,
  );
  assert.match(await ensemble.say(1, 'mntr'), /\nzk_global_sessions\t0\nzk_local_sessions\t1\n/);
  client?.destroy();
});

test('a read-only server says so', async (context) => {
  const roles = { 1: 'participant', 2: 'participant', 3: 'participant' };
  const ensemble = await Ensemble.make(context, roles, { 'readonlymode.enabled': 'true' });
  await ensemble.start(1);
  assert.equal(await ensemble.say(1, 'isro'), 'null');
  assert.deepEqual(await ensemble.modes(), ['read-only']);
  assert.equal(await ensemble.say(1, 'isro'), 'ro');
  assert.equal((await ensemble.say(1, 'srvr')).split('\n')[1], 'READ-ONLY mode; serving only read-only clients');
  assert.match(await ensemble.say(1, 'conf'), /\nquorumPort=\d+\npeerType=0\n$/);
  assert.match(await ensemble.say(1, 'mntr'), /\nzk_server_state\tread-only\nzk_avg_latency/);
  assert.match(await ensemble.say(1, 'role'), /^Role: read-only\n/);
  await ensemble.start(2);
  while ((await ensemble.mode(1)) === 'read-only') await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(await ensemble.modes(), ['follower', 'leader']);
  assert.equal(await ensemble.say(1, 'isro'), 'rw');
});

test('one server as an ensemble leads by itself', async (context) => {
  const ensemble = await Ensemble.make(context, { 4: 'participant' }, { standaloneEnabled: 'false' });
  await ensemble.start(4);
  assert.deepEqual(await ensemble.modes(), ['leader']);
});

test('an election port in use leaves no trace on the disk', async (context) => {
  const [electionPort = 0] = await freePorts(1);
  const net = createServer();
  await new Promise<void>((resolve) => net.listen(electionPort, '127.0.0.1', resolve));
  context.after(() => net.close());
  const own = { 'server.1': `127.0.0.1:1:${electionPort}`, electionPortBindRetry: '1' };
  const ensemble = await Ensemble.make(context, { 1: 'participant', 2: 'participant', 3: 'participant' }, own);
  await assert.rejects(ensemble.start(1), (error) => error instanceof StartupError && error.exitCode === 14);
  assert.deepEqual(ensemble.files(1), []);
});
