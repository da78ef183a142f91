/**
 * Requests that are well-formed and mean harm: they pass the front door and fail, or succeed, deeper inside. The worst
 * of their kind is a txn that is logged and cannot be applied or read back: it kills the server now and at every restart.
 */
import { ConnectionClosedError, WireConnection } from '../wire/connection.js';
import { type Acl, bodies, errorName, Flags, Op, openAcl, Perms } from '../wire/records.js';
import { type Reply, WireSession } from '../wire/session.js';
import { type Attack, connectFrame, drain, inParallel, openSession, openSocket } from './attacker.js';

const frameMax = 0xfffff;

/** One request on a session of its own; null when the server closed instead of answering. */
async function ask(port: number, type: number, body: Uint8Array): Promise<Reply | null> {
  const session = await openSession(port);
  const reply = await session.request(type, body).catch((error) => {
    if (error instanceof ConnectionClosedError) return null;
    throw error;
  });
  // Behind an answer the server may close, as it does for operations that it does not know.
  session.abandon();
  return reply;
}

const ttlOutOfRange: Attack = {
  name: 'createTTL out of range',
  async run({ port }) {
    const ttls = [0n, -1n, 1n, 1n << 39n, (1n << 40n) - 1n, 1n << 40n, 1n << 41n, (1n << 63n) - 1n, -(1n << 63n)];
    let count = 0;
    for (const type of [Op.createTTL, Op.create, Op.create2, Op.createContainer]) {
      for (const ttl of ttls) {
        for (const flags of [0, 1, 2, 3, 4, 5, 6, 7, -1]) {
          count += 1;
          await ask(port, type, bodies.createTTL(`/ttl-${count}`, Buffer.from('x'), openAcl, flags, ttl));
          const inside = { type, body: bodies.createTTL(`/ttl-m${count}`, Buffer.from('x'), openAcl, flags, ttl) };
          await ask(port, Op.multi, bodies.multi([inside]));
        }
      }
    }
    return { thrown: `${count * 2} requests`, failures: [] };
  },
};

/** Operations that exist between servers only, and ones that exist nowhere. */
const forbiddenOperations: Attack = {
  name: 'operations not for clients',
  async run({ port }) {
    const failures: string[] = [];
    // Nobody may delete below /guard: not with the operation that servers use among themselves either.
    const owner = await openSession(port, 10_000);
    await owner.create('/guard', '').catch(() => {});
    await owner.create('/guard/node', '').catch(() => {});
    await owner.setACL('/guard', [{ perms: Perms.read, scheme: 'world', id: 'anyone' }]).catch(() => {});
    const path = bodies.path('/guard/node');
    const cases: [name: string, type: number, body: Buffer][] = [
      ['check outside a multi', Op.check, bodies.pathVersion('/guard/node', -1)],
      ['deleteContainer', Op.deleteContainer, path],
      ['deleteContainer, old body', Op.deleteContainer, Buffer.from('/guard/node')],
      ['createSession', Op.createSession, Buffer.from([0, 0, 0x75, 0x30])],
      ['error', Op.error, Buffer.from([0, 0, 0, 5])],
      ['notification', Op.notification, bodies.empty()],
      ['reconfig', Op.reconfig, bodies.reconfig('server.1=127.0.0.1:1:2;3', null, null, -1n)],
      ['reconfig to nothing', Op.reconfig, bodies.reconfig(null, null, '', -1n)],
      ['sasl', Op.sasl, bodies.sasl(Buffer.alloc(100, 1))],
      ['an op of 10', 10, path],
      ['an op of 23', 23, path],
      ['an op of -3', -3, path],
      ['the smallest op', -0x80000000, path],
    ];
    for (const [name, type, body] of cases) {
      const reply = await ask(port, type, body);
      const isOk = reply !== null && reply.err === 0 && type !== Op.sasl;
      if (isOk) failures.push(`${name} from a client succeeded`);
      const inside = await ask(port, Op.multi, bodies.multi([{ type, body }]));
      if (inside?.err === 0 && type !== Op.check && inside.body.readInt32BE(0) !== -1) {
        failures.push(`${name} inside a multi succeeded (${errorName(inside.err)})`);
      }
    }
    if ((await owner.exists('/guard/node')) === null) failures.push('deleteContainer went past the ACL');
    await owner.close();
    return { thrown: `${cases.length * 2} requests`, failures };
  },
};

/** Txns that grow beyond what may be read back: ZOOKEEPER-3496 and relatives. Refused or served, but restartable. */
const growingTxns: Attack = {
  name: 'txns that outgrow the buffer',
  async run({ port }) {
    const failures: string[] = [];
    let count = 0;
    const session = await openSession(port, 10_000);
    await session.create('/grow', '').catch(() => {});
    const tryOn = async (type: number, body: Buffer): Promise<void> => {
      count += 1;
      const reply = await session.request(type, body).catch(() => null);
      if (reply === null) failures.push(`request ${count} closed the connection`);
    };
    // "auth" stands for every id of the session: 40 ids times thousands of entries.
    for (let i = 0; i < 40; i++) await session.auth('digest', `user${i}:${'p'.repeat(50)}`);
    for (const entries of [100, 1_000, 5_000, 40_000]) {
      const acl: Acl[] = Array.from({ length: entries }, (_, i) => ({ perms: (i << 5) | 31, scheme: 'auth', id: '' }));
      await tryOn(Op.create, bodies.create(`/grow/acl${entries}`, null, acl, 0));
      await tryOn(Op.setACL, bodies.setACL('/grow', acl, -1));
      await tryOn(Op.setACL, bodies.setACL('/grow', openAcl, -1));
      if (entries > 5_000) continue;
      const one = { type: Op.create, body: bodies.create(`/grow/macl${entries}`, null, acl, 0) };
      const two = { type: Op.create, body: bodies.create(`/grow/macm${entries}`, null, acl, 0) };
      await tryOn(Op.multi, bodies.multi([one, two]));
    }
    // A frame that just fits; as a txn it is larger.
    for (const spare of [60, 61, 70, 100]) {
      const data = Buffer.alloc(frameMax - spare - 22, 'd');
      await tryOn(Op.create, bodies.create(`/grow/d${spare}`, data, [{ perms: 31, scheme: 'world', id: 'anyone' }], 0));
      await tryOn(Op.setData, bodies.setData('/grow', Buffer.alloc(frameMax - spare, 'd'), -1));
    }
    await tryOn(Op.setData, bodies.setData('/grow', Buffer.alloc(0), -1));
    // A multi of tiny sequential creates: each sub-txn is longer than its request.
    const tiny = { type: Op.create, body: bodies.create('/grow/t', null, openAcl, Flags.persistentSequential) };
    const many = Math.floor((frameMax - 100) / (9 + tiny.body.length));
    await tryOn(Op.multi, bodies.multi(Array.from({ length: many }, () => tiny)));
    const container = { type: Op.createContainer, body: bodies.create('/grow/c', null, openAcl, Flags.container) };
    await tryOn(Op.multi, bodies.multi([container, ...Array.from({ length: many - 10 }, () => tiny)]));
    await session.close();
    return { thrown: `${count} requests`, failures };
  },
};

/** One session owns so many ephemerals that the list of their paths is larger than any frame. */
const manyEphemerals: Attack = {
  name: 'a session with 3 MB of ephemeral paths',
  async run({ port, scale }) {
    const failures: string[] = [];
    const session = await openSession(port, 10_000);
    const parent = `/eph-${'p'.repeat(150)}`;
    await session.create(parent, '').catch(() => {});
    const count = 15_000 * Math.min(scale, 3);
    await inParallel(count, 100, async (index) => {
      await session.create(`${parent}/${'e'.repeat(40)}${index}`, '', { flags: Flags.ephemeral });
    });
    const reply = await session.request(Op.getEphemerals, bodies.path(''));
    if (reply.err !== 0) failures.push(`getEphemerals: ${errorName(reply.err)}`);
    const closed = await session.request(Op.closeSession, bodies.empty()).catch(() => null);
    if (closed === null) failures.push('closeSession was not answered');
    session.abandon();
    const judge = await openSession(port, 10_000);
    const left = await judge.getChildren(parent);
    if (closed !== null && left.length > 0) failures.push(`${left.length} ephemerals outlive their closed session`);
    await judge.close();
    return { thrown: `${count} ephemerals`, failures };
  },
};

const hugeWatches: Attack = {
  name: 'huge and odd watches',
  async run({ port }) {
    const failures: string[] = [];
    const session = await openSession(port, 10_000);
    const paths = Array.from({ length: 60_000 }, (_, i) => `/w${i}`);
    for (const type of [Op.setWatches, Op.setWatches2]) {
      const lists = [paths, [], paths.slice(0, 10), [], []].slice(0, type === Op.setWatches ? 3 : 5);
      const reply = await session.request(type, bodies.setWatches(1n << 62n, lists), -8);
      if (reply.err !== 0) failures.push(`setWatches of ${paths.length}: ${errorName(reply.err)}`);
    }
    const odd = [null, '', 'x', '/', '//', '/\u0000', '/'.repeat(5_000), `/${'p'.repeat(400_000)}`];
    for (const path of odd) {
      for (const type of [0, 1, 2, 3, 4, 5, 6, -1]) {
        for (const op of [Op.addWatch, Op.checkWatches, Op.removeWatches]) {
          await session.request(op, bodies.pathType(path, type)).catch(() => null);
          if (session.connection.closed) {
            failures.push(`op ${op} type ${type} of ${String(path).slice(0, 20)} closed the connection`);
            return { thrown: 'watches', failures };
          }
        }
      }
    }
    await session.close();
    return { thrown: '180000 watches', failures };
  },
};

const quotaGarbage: Attack = {
  name: 'garbage in quota nodes',
  async run({ port }) {
    const session = await openSession(port, 10_000);
    const garbage = [
      'count=abc,bytes=def',
      'count=-5,bytes=99999999999999999999999999',
      'count=9223372036854775807,bytes=-9223372036854775808=',
      ',,,;;;===',
      'count=1',
      'bytes=1;byteHardLimit=-1,countHardLimit=x',
      '\u0000\u0001\u0002',
      'x'.repeat(100_000),
      '',
    ];
    const request = (type: number, body: Buffer): Promise<unknown> => session.request(type, body);
    await request(Op.create, bodies.create('/q', null, openAcl, 0));
    let count = 0;
    for (const text of [...garbage, null]) {
      const data = text === null ? null : Buffer.from(text);
      const node = `/q/n${count++}`;
      await request(Op.create, bodies.create('/zookeeper/quota/q', data, openAcl, 0));
      for (const leaf of ['zookeeper_limits', 'zookeeper_stats']) {
        await request(Op.create, bodies.create(`/zookeeper/quota/q/${leaf}`, data, openAcl, 0));
        await request(Op.setData, bodies.setData(`/zookeeper/quota/q/${leaf}`, data, -1));
      }
      await request(Op.create, bodies.create(node, Buffer.from('under the quota'), openAcl, 0));
      await request(Op.setData, bodies.setData(node, Buffer.alloc(2_000, 'q'), -1));
      await request(Op.setData, bodies.setData(node, null, -1));
      await request(Op.delete, bodies.pathVersion(node, -1));
    }
    // Limits where there is no node, at the root, and the quota tree's own nodes under attack.
    for (const path of [
      '/zookeeper/quota/zookeeper_limits',
      '/zookeeper/quota/zookeeper_stats',
      '/zookeeper/quota/no',
    ]) {
      await request(Op.create, bodies.create(path, Buffer.from('count=1,bytes=1'), openAcl, 0));
    }
    await request(Op.create, bodies.create('/zookeeper/quota/no/zookeeper_limits', Buffer.from('count=0'), openAcl, 0));
    for (const path of ['/zookeeper', '/zookeeper/quota', '/zookeeper/config', '/zookeeper/quota/q', '/']) {
      await request(Op.delete, bodies.pathVersion(path, -1));
      await request(Op.setData, bodies.setData(path, Buffer.from('mine'), -1));
    }
    const failures = session.connection.closed ? ['the connection was closed'] : [];
    await session.delete('/zookeeper/quota/zookeeper_limits').catch(() => {});
    await session.close();
    return { thrown: `${garbage.length + 1} kinds of garbage`, failures };
  },
};

const largeVectors: Attack = {
  name: 'oversized vectors and deep multis',
  async run({ port, prng }) {
    let count = 0;
    const failures: string[] = [];
    const tryOn = async (type: number, body: Buffer): Promise<void> => {
      count += 1;
      await ask(port, type, body);
    };
    const acl: Acl[] = Array.from({ length: 30_000 }, (_, i) => ({ perms: i, scheme: 'world', id: 'anyone' }));
    await tryOn(Op.create, bodies.create('/acls', null, acl, 0));
    await tryOn(Op.setACL, bodies.setACL('/acls', acl.slice(0, 10_000), -1));
    // Multis inside multis, as deep as a frame allows.
    let nested = bodies.multi([]);
    for (let depth = 0; depth < 2_000; depth++) nested = bodies.multi([{ type: Op.multi, body: nested }]);
    await tryOn(Op.multi, nested);
    const checks = Array.from({ length: 40_000 }, () => ({ type: Op.check, body: bodies.pathVersion('/', -1) }));
    await tryOn(Op.multi, bodies.multi(checks));
    const reads = Array.from({ length: 40_000 }, () => ({ type: Op.getChildren, body: bodies.pathWatch('/', false) }));
    const reader = await openSocket(port);
    reader.write(Buffer.concat([connectFrame(), WireConnection.requestFrame(1, Op.multiRead, bodies.multi(reads))]));
    const replyMb = Math.round((await drain(reader, 100, 15_000)) / 1e6);
    reader.destroy();
    // A multi without an end, with two ends, and of headers alone.
    await tryOn(Op.multi, bodies.multi([{ type: Op.check, body: bodies.pathVersion('/', -1) }]).subarray(0, -9));
    await tryOn(Op.multi, Buffer.concat([bodies.multi([]), bodies.multi([])]));
    await tryOn(Op.multi, Buffer.alloc(frameMax - 8, prng.below(256)));
    for (const length of [frameMax, frameMax + 1]) {
      const connection = await WireConnection.open(port);
      connection.sendRaw(WireConnection.frame(Buffer.alloc(length)));
      await connection.nextFrame(2_000).catch(() => null);
      connection.destroy();
    }
    return { thrown: `${count + 3} requests, a reply of ${replyMb} MB`, failures };
  },
};

const oddPaths: Attack = {
  name: 'deep, long and odd paths',
  async run({ port }) {
    const session = await openSession(port, 20_000);
    let path = '';
    for (let depth = 0; depth < 1_500; depth++) {
      path += '/d';
      await session.request(Op.create, bodies.create(path, null, openAcl, 0));
    }
    const long = `/${'l'.repeat(500_000)}`;
    const odd: (string | null)[] = [
      long,
      `${long}/x`,
      '/'.repeat(100_000),
      '/\ufffe',
      '/a\u0000b',
      '/\ud800',
      null,
      '',
    ];
    for (const each of odd) {
      await session.request(Op.create, bodies.create(each, Buffer.from('odd'), openAcl, 0));
      await session.request(Op.create, bodies.create(each, Buffer.from('odd'), openAcl, Flags.persistentSequential));
      for (const type of [Op.exists, Op.getData, Op.getChildren2])
        await session.request(type, bodies.pathWatch(each, true));
      for (const type of [Op.getACL, Op.sync, Op.getAllChildrenNumber, Op.getEphemerals])
        await session.request(type, bodies.path(each));
      await session.request(Op.delete, bodies.pathVersion(each, -1));
    }
    // Bytes that are no UTF-8, in a path and in an ACL id.
    const raw = Buffer.from([0, 0, 0, 5, 0x2f, 0xff, 0xfe, 0xc0, 0x80]);
    const rest = bodies.create('', Buffer.from('x'), openAcl, 0).subarray(4);
    for (let i = 0; i < 2; i++) await session.request(Op.create, Buffer.concat([raw, rest]));
    await session.request(Op.exists, Buffer.concat([raw, Buffer.from([1])]));
    for (; path !== ''; path = path.slice(0, -2)) {
      await session.request(Op.delete, bodies.pathVersion(path, -1));
    }
    await session.close();
    return { thrown: `1500 levels, ${odd.length} odd paths`, failures: [] };
  },
};

const sessionAbuse: Attack = {
  name: 'stolen, absurd and flooding sessions',
  async run({ port, prng, scale }) {
    const failures: string[] = [];
    const victim = await openSession(port, 10_000);
    const wrong = { sessionId: victim.sessionId, password: Buffer.alloc(16, 7), timeoutMs: 10_000 };
    const stolen = await WireSession.connect(port, wrong).catch(() => null);
    if (stolen !== null) failures.push('a session was resumed with a wrong password');
    const back = await WireSession.connect(port, { ...wrong, password: victim.password }).catch(() => null);
    if (back === null) failures.push('a wrong password ended the session of another');
    await back?.close();
    for (const timeoutMs of [-1, 0, 1, 0x7fffffff, -0x80000000]) {
      const session = await WireSession.connect(port, { timeoutMs }).catch(() => null);
      if (session === null) failures.push(`timeout ${timeoutMs} was refused`);
      else await session.close();
    }
    for (const lastZxidSeen of [-1n, 1n << 62n, -(1n << 63n)]) {
      const session = await WireSession.connect(port, { timeoutMs: 1_000, lastZxidSeen }).catch(() => null);
      session?.abandon();
    }
    for (const sessionId of [-1n, 1n, 1n << 63n, 0xffn << 56n, victim.sessionId + 1n]) {
      for (const password of [null, Buffer.alloc(0), Buffer.alloc(16), Buffer.alloc(100_000)]) {
        const session = await WireSession.connect(port, { sessionId, password }).catch(() => null);
        if (session !== null) failures.push(`session ${sessionId} was made up and resumed`);
      }
    }
    const schemes = ['digest', 'ip', 'world', 'super', 'sasl', 'x509', 'ensemble', '', null];
    for (const scheme of schemes) {
      const session = await openSession(port);
      for (let i = 0; i < 200; i++) {
        await session
          .request(Op.auth, bodies.auth(scheme, Buffer.alloc(prng.below(2_000), 0x61 + (i % 26))), -4)
          .catch(() => null);
        if (session.connection.closed) break;
      }
      session.abandon();
    }
    const count = 1_000 * scale;
    await inParallel(count, 50, async () => {
      const session = await openSession(port).catch(() => null);
      session?.abandon();
    });
    return { thrown: `${count} sessions`, failures };
  },
};

export const attacksOnRequests: readonly Attack[] = [
  ttlOutOfRange,
  forbiddenOperations,
  growingTxns,
  manyEphemerals,
  hugeWatches,
  quotaGarbage,
  largeVectors,
  oddPaths,
  sessionAbuse,
];
