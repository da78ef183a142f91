/** Writes in flight when a connection breaks: reported as unknown, never repeated, and found again if they are protected. */
import { strict as assert } from 'node:assert';
import { ConnectionLossError, type ZooKeeperError } from '@zoots/client';
import { OP } from '@zoots/protocol';
import type { Verdict } from './interposer.js';
import { type ClientRow, failureOf, type Stage, until } from './row.js';

const SEQUENTIAL = { mode: 'persistent-sequential' } as const;

function isCreate(op: number): boolean {
  return op === OP.create || op === OP.create2 || op === OP.createContainer || op === OP.createTTL;
}

async function unknown(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const path = `${stage.root}/n-`;
  const count = 20;
  let doneCount = 0;
  for (let i = 0; i < count; i++) {
    const verdict: Verdict = i % 2 === 0 ? 'cut-after' : 'cut-before';
    if (verdict === 'cut-after') doneCount++;
    let isArmed = true;
    interposer.onRequest = (op) => {
      if (!isCreate(op) || !isArmed) return 'pass';
      isArmed = false;
      return verdict;
    };
    const error = await failureOf(zk.create(path, null, SEQUENTIAL));
    assert.ok(error instanceof ConnectionLossError, String(error));
    assert.equal(error.outcome, 'unknown');
    assert.equal(error.retryable, true);
    await zk.connected();
  }
  // The number is what counts: none of them came twice, and none that was reported was dropped.
  const created = (await zk.children(stage.root)).length;
  assert.equal(created, doneCount);
  const forwarded = [...interposer.forwarded].reduce((sum, [op, n]) => (isCreate(op) ? sum + n : sum), 0);
  assert.equal(forwarded, doneCount);
  stage.note(`${count} unknown, ${created} done`);
}

async function inFlight(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const writeCount = 100;
  let seen = 0;
  interposer.onRequest = (op) => (isCreate(op) && ++seen === writeCount / 2 ? 'cut-before' : 'pass');
  const writes = await Promise.all(
    Array.from({ length: writeCount }, (_, at) => {
      const write = zk.create(`${stage.root}/n-`, String(at), SEQUENTIAL).then(
        () => 'done',
        (error: ZooKeeperError) => `${error.code} ${error.outcome}`,
      );
      // Reads between them come back by themselves.
      const read = zk.exists(stage.root).then((stat) => assert.notEqual(stat, null));
      return Promise.all([write, read]).then(([result]) => result);
    }),
  );
  const unknownCount = writes.filter((result) => result === 'ZK_CONNECTION_LOSS unknown').length;
  const okCount = writes.filter((result) => result === 'done').length;
  assert.equal(unknownCount + okCount, writeCount, [...new Set(writes)].join());
  assert.ok(unknownCount > 0);
  const created = (await zk.children(stage.root)).length;
  assert.ok(created >= okCount && created <= okCount + unknownCount, `${created} of ${okCount} + ${unknownCount}`);
  stage.note(`${okCount} done, ${unknownCount} unknown, ${created} there`);
}

async function waiting(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state === 'suspended');
  const writes = Array.from({ length: 50 }, () => zk.create(`${stage.root}/n-`, null, SEQUENTIAL));
  interposer.openness = 'open';
  const paths = await Promise.all(writes);
  assert.deepEqual(paths, [...paths].sort());
  assert.equal((await zk.children(stage.root)).length, 50);
}

async function protectedCreate(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const paths: string[] = [];
  const count = 20;
  for (let i = 0; i < count; i++) {
    const verdict: Verdict = i % 2 === 0 ? 'cut-after' : 'cut-before';
    let isArmed = true;
    interposer.onRequest = (op) => {
      if (!isCreate(op) || !isArmed) return 'pass';
      isArmed = false;
      return verdict;
    };
    const mode = i % 4 < 2 ? 'ephemeral-sequential' : 'persistent';
    paths.push(await zk.create(`${stage.root}/lock-${i}-`, 'x', { mode, protected: true }));
    assert.equal(isArmed, false);
  }
  const names = await zk.children(stage.root);
  assert.deepEqual(names.map((name) => `${stage.root}/${name}`).sort(), [...paths].sort());
  for (const name of names) assert.match(name, /^_c_[0-9a-f]{8}-[0-9a-f-]{27}-lock-/);
}

async function protectedInNewSession(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({ sessionTimeoutMs: 1_000 }, interposer.connectString);
  const old = zk.session;
  let isArmed = true;
  interposer.onRequest = (op) => {
    if (!isCreate(op) || !isArmed) return 'pass';
    isArmed = false;
    interposer.openness = 'refusing';
    return 'cut-before';
  };
  const creating = failureOf(zk.create(`${stage.root}/l-`, null, { mode: 'ephemeral-sequential', protected: true }));
  const error = (await creating) as ZooKeeperError;
  assert.equal(error.code, 'ZK_SESSION_LOST', String(error));
  assert.equal(old?.signal.aborted, true);
  interposer.openness = 'open';
  await zk.connected();
  await zk.sync(stage.root);
  assert.deepEqual(await zk.children(stage.root), []);
}

async function unknownTransaction(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  let isArmed = true;
  interposer.onRequest = (op) => {
    if (op !== OP.multi || !isArmed) return 'pass';
    isArmed = false;
    return 'cut-after';
  };
  const error = await failureOf(zk.transaction().create(`${stage.root}/a`).create(`${stage.root}/b`).commit());
  assert.ok(error instanceof ConnectionLossError && error.outcome === 'unknown', String(error));
  assert.deepEqual((await zk.children(stage.root)).sort(), ['a', 'b']);
  assert.equal(interposer.forwarded.get(OP.multi), 1);
}

export const writeRows: readonly ClientRow[] = [
  { name: 'a write whose outcome is unknown is reported so and never repeated', run: unknown },
  { name: '100 writes and reads in flight when the connection breaks', run: inFlight },
  { name: 'writes that were not sent wait and keep their order', run: waiting },
  { name: 'protected create finds its znode', run: protectedCreate },
  { name: 'protected create ends with its session', run: protectedInNewSession },
  { name: 'a transaction whose outcome is unknown', run: unknownTransaction },
];
