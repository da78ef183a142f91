/** What is refused: by a server, with its code, and by the client before anything is sent. */
import { strict as assert } from 'node:assert';
import {
  ArgumentError,
  BadVersionError,
  InvalidAclError,
  NoAuthError,
  NoChildrenForEphemeralsError,
  NodeExistsError,
  NoNodeError,
  NotEmptyError,
  QuotaExceededError,
  ServerError,
  TransactionError,
  type ZooKeeper,
  ZooKeeperError,
} from '@zoots/client';
import { type ClientRow, failureOf, type Stage, sleep } from './row.js';

type ErrorClass = new (...words: never[]) => Error;

interface Refusal {
  readonly what: string;
  readonly call: (zk: ZooKeeper, root: string) => Promise<unknown>;
  readonly make: ErrorClass;
  readonly code: string;
  readonly operation: string;
  /** Behind the root. */
  readonly path: string;
}

const gone = '/none';

const refusals: readonly Refusal[] = [
  ...(
    [
      ['get', (zk, path) => zk.get(path)],
      ['set', (zk, path) => zk.set(path, 'x')],
      ['delete', (zk, path) => zk.delete(path)],
      ['children', (zk, path) => zk.children(path)],
      ['getAcl', (zk, path) => zk.getAcl(path)],
      ['setAcl', (zk, path) => zk.setAcl(path, [{ perms: 31, scheme: 'world', id: 'anyone' }])],
    ] as readonly [string, (zk: ZooKeeper, path: string) => Promise<unknown>][]
  ).map(([operation, call]) => ({
    what: `${operation} without a znode`,
    call: (zk: ZooKeeper, root: string) => call(zk, root + gone),
    make: NoNodeError,
    code: 'ZK_NO_NODE',
    operation,
    path: gone,
  })),
  {
    what: 'create without a parent',
    call: (zk, root) => zk.create(`${root}/none/child`),
    make: NoNodeError,
    code: 'ZK_NO_NODE',
    operation: 'create',
    path: '/none/child',
  },
  {
    what: 'create what exists',
    call: (zk, root) => zk.create(`${root}/a`),
    make: NodeExistsError,
    code: 'ZK_NODE_EXISTS',
    operation: 'create',
    path: '/a',
  },
  {
    what: 'set with another version',
    call: (zk, root) => zk.set(`${root}/a`, 'x', { version: 7 }),
    make: BadVersionError,
    code: 'ZK_BAD_VERSION',
    operation: 'set',
    path: '/a',
  },
  {
    what: 'delete with another version',
    call: (zk, root) => zk.delete(`${root}/a/child`, { version: 7 }),
    make: BadVersionError,
    code: 'ZK_BAD_VERSION',
    operation: 'delete',
    path: '/a/child',
  },
  {
    what: 'setAcl with another version',
    call: (zk, root) => zk.setAcl(`${root}/a`, [{ perms: 31, scheme: 'world', id: 'anyone' }], { version: 7 }),
    make: BadVersionError,
    code: 'ZK_BAD_VERSION',
    operation: 'setAcl',
    path: '/a',
  },
  {
    what: 'delete with children',
    call: (zk, root) => zk.delete(`${root}/a`),
    make: NotEmptyError,
    code: 'ZK_NOT_EMPTY',
    operation: 'delete',
    path: '/a',
  },
  {
    what: 'create below an ephemeral',
    call: (zk, root) => zk.create(`${root}/e/child`),
    make: NoChildrenForEphemeralsError,
    code: 'ZK_NO_CHILDREN_FOR_EPHEMERALS',
    operation: 'create',
    path: '/e/child',
  },
  {
    what: 'create where the ACL forbids it',
    call: (zk, root) => zk.create(`${root}/locked/child`),
    make: NoAuthError,
    code: 'ZK_NO_AUTH',
    operation: 'create',
    path: '/locked/child',
  },
  {
    what: 'get where the ACL forbids it',
    call: (zk, root) => zk.get(`${root}/locked`),
    make: NoAuthError,
    code: 'ZK_NO_AUTH',
    operation: 'get',
    path: '/locked',
  },
  {
    what: 'an ACL of a scheme that nobody knows',
    call: (zk, root) => zk.create(`${root}/x`, null, { acl: [{ perms: 31, scheme: 'nobody', id: 'x' }] }),
    make: InvalidAclError,
    code: 'ZK_INVALID_ACL',
    operation: 'create',
    path: '/x',
  },
  {
    what: 'a quota of one znode',
    call: (zk, root) => overQuota(zk, `${root}/small/child`),
    make: QuotaExceededError,
    code: 'ZK_QUOTA_EXCEEDED',
    operation: 'create',
    path: '/small/child',
  },
];

/** Apache's leader looks at the quotas that it has applied; the client's own server may be ahead of it by a moment. */
async function overQuota(zk: ZooKeeper, path: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    await zk.create(path);
    await zk.delete(path);
    await sleep(10);
  }
}

async function prepare(zk: ZooKeeper, root: string): Promise<void> {
  await zk.create(`${root}/a`);
  await zk.create(`${root}/a/child`);
  await zk.create(`${root}/e`, null, { mode: 'ephemeral' });
  await zk.create(`${root}/locked`, null, { acl: [{ perms: 31, scheme: 'digest', id: 'nobody:nothing' }] });
  await zk.create(`${root}/small`);
  const quota = `/zookeeper/quota${root}/small`;
  await zk.ensurePath(quota);
  await zk.create(`${quota}/zookeeper_limits`, 'count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1');
  await zk.create(`${quota}/zookeeper_stats`, 'count=1,bytes=0');
}

async function refusedByServer(stage: Stage): Promise<void> {
  const zk = await stage.connect({}, `${stage.connectString}`);
  await prepare(zk, stage.root);
  for (const { what, call, make, code, operation, path } of refusals) {
    const error = await failureOf(call(zk, stage.root));
    assert.ok(error instanceof make, `${what}: ${error}`);
    assert.ok(error instanceof ServerError, what);
    assert.equal(error.code, code, what);
    assert.equal(error.operation, operation, what);
    assert.equal(error.path, stage.root + path, what);
    assert.equal(error.outcome, 'refused', what);
    assert.equal(error.retryable, false, what);
    assert.ok(error.message.includes(stage.root + path), `${what}: ${error.message}`);
  }
  stage.note(`${refusals.length} refusals`);
  assert.equal(zk.state, 'connected');
}

async function refusedByClient(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const { root } = stage;
  const sentBefore = [...interposer.forwarded.values()].reduce((sum, count) => sum + count, 0);
  const calls: readonly (() => Promise<unknown>)[] = [
    () => zk.get('no-slash'),
    () => zk.get('/a//b'),
    () => zk.get('/a/'),
    () => zk.create('/a/../b'),
    () => zk.create(`${root}/\u0000`),
    () => zk.create(`${root}/t`, null, { mode: 'persistent-with-ttl' }),
    () => zk.create(`${root}/t`, null, { mode: 'persistent-with-ttl', ttlMs: 0 }),
    () => zk.create(`${root}/t`, null, { mode: 'persistent-with-ttl', ttlMs: 2 ** 40 }),
    () => zk.create(`${root}/t`, null, { ttlMs: 1_000 }),
    () => zk.create(`${root}/t`, null, { acl: [] }),
  ];
  for (const [at, call] of calls.entries()) {
    const error = await failureOf(Promise.resolve().then(call));
    assert.ok(error instanceof ArgumentError, `${at}: ${error}`);
    assert.equal(error.outcome, 'not-sent');
  }
  const sentAfter = [...interposer.forwarded.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(sentAfter, sentBefore);
}

async function refusedTransaction(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const { root } = stage;
  await zk.create(`${root}/a`);
  const error = await failureOf(
    zk.transaction().create(`${root}/b`).set(`${root}/a`, 'x', { version: 9 }).delete(`${root}/a`).commit(),
  );
  assert.ok(error instanceof TransactionError, String(error));
  assert.equal(error.failedIndex, 1);
  assert.ok(error.cause instanceof BadVersionError);
  assert.equal(error.code, 'ZK_BAD_VERSION');
  assert.equal(error.path, `${root}/a`);
  assert.equal(error.outcome, 'refused');
  assert.deepEqual(await zk.children(root), ['a']);
  assert.equal((await zk.exists(`${root}/a`))?.version, 0);
  const check = await failureOf(zk.transaction().check(`${root}/none`, { version: 0 }).create(`${root}/c`).commit());
  assert.ok(check instanceof TransactionError && check.failedIndex === 0 && check.cause instanceof NoNodeError);
}

async function tooLarge(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const path = `${stage.root}/large`;
  const error = await failureOf(zk.create(path, Buffer.alloc(3_000_000)));
  assert.ok(error instanceof ZooKeeperError, String(error));
  stage.note(`3 MB: ${error.code}, ${error.outcome}`);
  assert.notEqual(error.outcome, 'refused');
  // The client goes on.
  await zk.create(`${stage.root}/small`);
  assert.equal(await zk.exists(path), null);
}

async function reconfigDisabled(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const error = (await failureOf(zk.reconfig({ leaving: [2] }))) as ZooKeeperError;
  assert.equal(error.code, 'ZK_RECONFIG_DISABLED');
}

async function wrongIdentity(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const waiting = failureOf(zk.addAuth('nobody-knows-this', 'x'));
  const error = (await waiting) as ZooKeeperError;
  assert.equal(error.code, 'ZK_AUTH_FAILED');
  assert.equal(zk.state, 'auth-failed');
  const later = (await failureOf(zk.get('/'))) as ZooKeeperError;
  assert.equal(later.code, 'ZK_AUTH_FAILED');
}

export const refusalRows: readonly ClientRow[] = [
  { name: 'every refusal of a server has its class, code, place and outcome', run: refusedByServer },
  { name: 'what could never work is not sent', run: refusedByClient },
  { name: 'a refused transaction: which part, and nothing is done', run: refusedTransaction },
  { name: 'more data than a server takes', run: tooLarge },
  { name: 'reconfig where it is disabled', where: 'alone', run: reconfigDisabled },
  { name: 'an identity that is refused', run: wrongIdentity },
];
