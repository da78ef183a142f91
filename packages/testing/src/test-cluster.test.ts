/** An ensemble in this process, with members that die, hang and are cut off, seen by real clients. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ClusterMember, startCluster, type TestCluster } from './index.js';

const OP = { create: 1, exists: 3 };
const NO_NODE = -101;
const EPHEMERAL = 1;

/** One session, one request at a time. */
class Session {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => {};
  #xid = 0;
  id = 0n;
  password: Uint8Array = new Uint8Array(16);

  private constructor(port: number) {
    this.#socket = connectSocket(port, '127.0.0.1');
    this.#socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  static async open({ port }: ClusterMember, old?: Session): Promise<Session> {
    const session = new Session(port);
    const body = Buffer.alloc(44);
    body.writeInt32BE(30_000, 12);
    body.writeBigInt64BE(old?.id ?? 0n, 16);
    body.writeInt32BE(16, 24);
    body.set(old?.password ?? new Uint8Array(16), 28);
    session.#send(body);
    const answer = await session.#frame();
    session.id = answer.readBigInt64BE(8);
    session.password = answer.subarray(20, 36);
    if (answer.readInt32BE(4) === 0) throw new Error('expired');
    return session;
  }

  #send(body: Buffer): void {
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length);
    this.#socket.write(Buffer.concat([length, body]));
  }

  async #frame(): Promise<Buffer> {
    while (this.#bytes.length < 4 || this.#bytes.length < 4 + this.#bytes.readInt32BE(0)) {
      if (this.#isClosed) throw new Error('closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const end = 4 + this.#bytes.readInt32BE(0);
    const frame = this.#bytes.subarray(4, end);
    this.#bytes = this.#bytes.subarray(end);
    return frame;
  }

  /** The error code of the answer. */
  async #ask(op: number, path: string, rest: Buffer): Promise<number> {
    const body = Buffer.alloc(12 + path.length + rest.length);
    body.writeInt32BE(++this.#xid, 0);
    body.writeInt32BE(op, 4);
    body.writeInt32BE(path.length, 8);
    body.write(path, 12);
    body.set(rest, 12 + path.length);
    this.#send(body);
    return (await this.#frame()).readInt32BE(12);
  }

  create(path: string, flags = 0): Promise<number> {
    const rest = Buffer.alloc(4 + 4 + 4 + 4 + 5 + 4 + 6 + 4);
    rest.writeInt32BE(-1, 0);
    rest.writeInt32BE(1, 4);
    rest.writeInt32BE(31, 8);
    rest.writeInt32BE(5, 12);
    rest.write('world', 16);
    rest.writeInt32BE(6, 21);
    rest.write('anyone', 25);
    rest.writeInt32BE(flags, 31);
    return this.#ask(OP.create, path, rest);
  }

  exists(path: string): Promise<number> {
    return this.#ask(OP.exists, path, Buffer.alloc(1));
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** A write through any member: the ensemble works. */
async function writes(member: ClusterMember, path: string): Promise<void> {
  const session = await Session.open(member);
  assert.equal(await session.create(path), 0);
  session.end();
}

async function untilExists(session: Session, path: string, expected: number): Promise<void> {
  while ((await session.exists(path)) !== expected) await new Promise((resolve) => setTimeout(resolve, 2));
}

function leaderOf(cluster: TestCluster): ClusterMember {
  const { leader } = cluster;
  assert.ok(leader !== null);
  return leader;
}

test('three members serve, one of them leads, and all have what one was told', async () => {
  await using cluster = await startCluster();
  assert.deepEqual(cluster.members.map(({ role }) => role).sort(), ['following', 'following', 'leading']);
  assert.equal(cluster.followers.length, 2);
  assert.equal(cluster.connectString.split(',').length, 3);
  const [first] = cluster.followers as [ClusterMember];
  await writes(first, '/told');
  for (const member of cluster.members) {
    const session = await Session.open(member);
    await untilExists(session, '/told', 0);
    session.end();
  }
});

test('the leader is killed: another one leads, and what was acknowledged is there, also when it comes back', async () => {
  await using cluster = await startCluster(3);
  const old = leaderOf(cluster);
  await writes(old, '/before');
  await old.kill();
  assert.equal(old.role, 'down');
  const next = await cluster.waitForLeader();
  assert.notEqual(next, old);
  await cluster.whenServing();
  const session = await Session.open(next);
  assert.equal(await session.exists('/before'), 0);
  assert.equal(await session.create('/after'), 0);
  session.end();
  await old.start();
  await cluster.whenServing();
  assert.equal(old.role, 'following');
  const again = await Session.open(old);
  await untilExists(again, '/after', 0);
  again.end();
});

test('a session goes on at another member, and its ephemeral znode stays', async () => {
  await using cluster = await startCluster(3);
  const [follower] = cluster.followers as [ClusterMember];
  const session = await Session.open(follower);
  assert.equal(await session.create('/mine', EPHEMERAL), 0);
  assert.equal(cluster.memberOf(session), follower);
  await follower.kill();
  const resumed = await Session.open(leaderOf(cluster), session);
  assert.equal(resumed.id, session.id);
  assert.equal(await resumed.exists('/mine'), 0);
  assert.deepEqual(cluster.sessions, [{ id: session.id, timeoutMs: 30_000, isConnected: true }]);
  resumed.end();
});

test('a killed session is gone everywhere, with what it owned', async () => {
  await using cluster = await startCluster(3);
  const [follower] = cluster.followers as [ClusterMember];
  const session = await Session.open(follower);
  assert.equal(await session.create('/mine', EPHEMERAL), 0);
  await cluster.killSession(session);
  assert.deepEqual(cluster.sessions, []);
  for (const member of cluster.members) {
    const reader = await Session.open(member);
    assert.equal(await reader.exists('/mine'), NO_NODE);
    reader.end();
  }
  await assert.rejects(Session.open(leaderOf(cluster), session), /expired|closed/);
  await assert.rejects(cluster.killSession(session), /no session/);
});

test('a frozen leader is replaced, and follows when it thaws', async () => {
  await using cluster = await startCluster(3);
  const old = leaderOf(cluster);
  old.freeze();
  const next = await cluster.waitForLeader();
  assert.notEqual(next, old);
  assert.equal(old.isServing, false);
  await writes(next, '/meanwhile');
  old.thaw();
  await cluster.whenServing();
  assert.equal(old.role, 'following');
});

test('an isolated leader steps down, and follows when it is back', async () => {
  await using cluster = await startCluster(3);
  const old = leaderOf(cluster);
  old.isolate();
  const next = await cluster.waitForLeader();
  await writes(next, '/meanwhile');
  while (old.role === 'leading') await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(old.role, 'looking');
  await assert.rejects(Session.open(old), /closed/);
  old.rejoin();
  await cluster.whenServing();
  assert.equal(old.role, 'following');
});

test('without a quorum there is no leader, and waiting for one says what each member is', async () => {
  await using cluster = await startCluster(3);
  await cluster.member(1).kill();
  await cluster.member(2).kill();
  // If it led, it has yet to hear that nobody follows.
  while (cluster.leader !== null) await new Promise((resolve) => setTimeout(resolve, 5));
  await assert.rejects(cluster.waitForLeader(300), /no leader after 300 ms; 1: down, .*; 3: looking/);
  assert.equal(cluster.leader, null);
  assert.throws(() => cluster.sessions, /there is no leader/);
  assert.throws(() => cluster.member(1).freeze(), /member 1 is not running/);
});

test('observers see everything and have no vote; one member is an ensemble, too', async () => {
  await using cluster = await startCluster(4, { observers: 1 });
  assert.equal(cluster.member(4).role, 'observing');
  await writes(cluster.member(4), '/seen');
  await using alone = await startCluster(1);
  assert.equal(alone.leader, alone.member(1));
  await writes(alone.member(1), '/seen');
});

test('data in a directory stays', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'zoots-testing-cluster-'));
  try {
    const first = await startCluster(3, { data: { directory } });
    await writes(leaderOf(first), '/kept');
    await first.stop();
    await using second = await startCluster(3, { data: { directory } });
    const session = await Session.open(leaderOf(second));
    assert.equal(await session.exists('/kept'), 0);
    session.end();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('temporary data goes with the ensemble', async () => {
  const { TMPDIR } = process.env;
  const root = mkdtempSync(join(tmpdir(), 'zoots-cluster-test-'));
  process.env.TMPDIR = root;
  try {
    const cluster = await startCluster(3, { data: 'temporary' });
    assert.equal(readdirSync(root).length, 3);
    await writes(leaderOf(cluster), '/gone');
    await cluster.stop();
    assert.deepEqual(readdirSync(root), []);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(root, { recursive: true, force: true });
  }
});

test('members log with their ids, and wrong options are told', async () => {
  const heard = new Set<number>();
  await using cluster = await startCluster(3, { log: (_record, memberId) => heard.add(memberId) });
  assert.equal(cluster.members.length, 3);
  assert.deepEqual([...heard].sort(), [1, 2, 3]);
  await assert.rejects(startCluster(0), /1 to 20/);
  await assert.rejects(startCluster(3, { observers: 3 }), /not all of them observers/);
  await assert.rejects(startCluster(3, { config: { tickTime: 'soon' } }), /tickTime/);
});
