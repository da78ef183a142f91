/** Sessions: resumed, lost, expired; and the honest states on the way. */
import { strict as assert } from 'node:assert';
import {
  ClientClosedError,
  ConnectionLossError,
  connect,
  RequestAbortedError,
  RequestTimeoutError,
  type Session,
  SessionLostError,
  type ZooKeeper,
  ZooKeeperError,
} from '@zoots/client';
import { freePort } from '../peers/peer.js';
import type { Interposer } from './interposer.js';
import { type ClientRow, failureOf, nextState, type Stage, sleep, statesOf, until } from './row.js';

/** How long after its time something may happen on a machine that is busy. */
const SLACK_MS = 1_500;

function sessionOf(zk: ZooKeeper): Session {
  assert.ok(zk.session !== null, 'a session');
  return zk.session;
}

async function resume(stage: Stage): Promise<void> {
  const first = await stage.connect();
  const { id, password } = sessionOf(first);
  await first.create(`${stage.root}/e`, null, { mode: 'ephemeral' });
  await first.disconnect();
  const second = await stage.connect({ session: { id, password } });
  assert.equal(sessionOf(second).id, id);
  assert.equal((await second.exists(`${stage.root}/e`))?.ephemeralOwner, id);
  await second.close();
  const third = await stage.connect();
  await third.sync(stage.root);
  assert.equal(await third.exists(`${stage.root}/e`), null);
}

async function resumeWrong(stage: Stage): Promise<void> {
  const first = await stage.connect();
  const { id } = sessionOf(first);
  const zk = await stage.connect({ session: { id, password: new Uint8Array(16) } });
  assert.notEqual(sessionOf(zk).id, id);
  const strict = failureOf(stage.connect({ session: { id, password: new Uint8Array(16) }, newSession: false }));
  const error = await strict;
  assert.ok(error instanceof ZooKeeperError, String(error));
  // Apache's servers cut the connection of the session that is asked for before they look at the password.
  await first.connected();
  assert.equal(sessionOf(first).id, id);
  stage.note(`with newSession: false: ${error.code}`);
}

async function cut(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const session = sessionOf(zk);
  const states = statesOf(zk);
  await zk.create(`${stage.root}/e`, 'x', { mode: 'ephemeral' });
  const suspended = nextState(zk, 'suspended');
  interposer.cut();
  await suspended;
  assert.equal(String((await zk.get(`${stage.root}/e`)).data), 'x');
  assert.equal(sessionOf(zk), session);
  assert.equal(session.signal.aborted, false);
  assert.deepEqual(states, ['connected', 'suspended', 'connected']);
}

async function killAndRestart(stage: Stage): Promise<void> {
  const zk = await stage.connect({ sessionTimeoutMs: 20_000 });
  const { id } = sessionOf(zk);
  const states = statesOf(zk);
  await zk.create(`${stage.root}/e`, 'x', { mode: 'ephemeral' });
  await stage.single.kill();
  await until('suspended', () => zk.state === 'suspended', 2_000);
  const read = zk.get(`${stage.root}/e`);
  const write = zk.set(`${stage.root}/e`, 'y');
  await stage.single.start();
  assert.equal(String((await read).data), 'x');
  assert.equal((await write).version, 1);
  assert.equal(sessionOf(zk).id, id);
  assert.deepEqual(states, ['connected', 'suspended', 'connected']);
}

/**
 * Ends a session while its client is cut off. Its client must be away: one that comes back at once takes the session from who would
 * close it.
 */
async function endWhileAway(stage: Stage, interposer: Interposer, zk: ZooKeeper): Promise<void> {
  const { id, password } = sessionOf(zk);
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state === 'suspended');
  const thief = await stage.connect({ session: { id, password } });
  await thief.close();
  interposer.openness = 'open';
}

/** Longer than a row waits: the local clock cannot be who says that the session is gone. */
const LONG_SESSION_MS = 60_000;

/** The server forgets the session while the client is alive: told when it comes back. */
async function expiryTold(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({ sessionTimeoutMs: LONG_SESSION_MS }, interposer.connectString);
  const old = sessionOf(zk);
  const states = statesOf(zk);
  const sessions: bigint[] = [];
  zk.on('session', (session) => sessions.push(session.id));
  await zk.create(`${stage.root}/e`, null, { mode: 'ephemeral' });
  await endWhileAway(stage, interposer, zk);
  await until('another session', () => zk.state === 'connected' && sessionOf(zk).id !== old.id);
  assert.equal(old.signal.aborted, true);
  assert.equal(sessionOf(zk).signal.aborted, false);
  assert.deepEqual(states, ['connected', 'suspended', 'lost', 'connected']);
  assert.deepEqual(sessions, [sessionOf(zk).id]);
  await zk.sync(stage.root);
  assert.equal(await zk.exists(`${stage.root}/e`), null);
}

async function expiryToldToStrict(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const options = { newSession: false, sessionTimeoutMs: LONG_SESSION_MS };
  const zk = await stage.connect(options, interposer.connectString);
  const old = sessionOf(zk);
  await endWhileAway(stage, interposer, zk);
  await until('closed', () => zk.state === 'closed');
  assert.equal(old.signal.aborted, true);
  const error = (await failureOf(zk.get('/'))) as ZooKeeperError;
  assert.ok(['ZK_SESSION_LOST', 'ZK_CLOSED'].includes(error.code), String(error));
}

/** Nobody can be reached: the local clock says that the session must be assumed gone, no later than a server would. */
async function expiryByClock(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const witness = await stage.connect();
  const zk = await stage.connect({ sessionTimeoutMs: 1_200 }, interposer.connectString);
  const session = sessionOf(zk);
  await zk.create(`${stage.root}/e`, null, { mode: 'ephemeral' });
  let serverGoneMs = Number.POSITIVE_INFINITY;
  await witness.sync(stage.root);
  await witness.exists(`${stage.root}/e`, {
    watch: () => {
      serverGoneMs = performance.now();
    },
  });
  let abortedMs = Number.POSITIVE_INFINITY;
  session.signal.addEventListener('abort', () => {
    abortedMs = performance.now();
  });
  const states = statesOf(zk);
  await zk.exists(stage.root);
  const startMs = performance.now();
  interposer.openness = 'refusing';
  // Told by the connection; the clock would say it after two thirds of the session.
  await until('suspended', () => zk.state === 'suspended', 700);
  const [read, write] = [failureOf(zk.get(stage.root)), failureOf(zk.set(stage.root, 'x'))];
  const [readError, writeError] = (await Promise.all([read, write])) as ZooKeeperError[];
  const tookMs = performance.now() - startMs;
  assert.ok(readError instanceof SessionLostError, String(readError));
  assert.ok(writeError instanceof SessionLostError && writeError.outcome === 'not-sent', String(writeError));
  assert.equal(zk.state, 'lost');
  assert.equal(zk.session, null);
  assert.equal(session.signal.aborted, true);
  assert.ok(tookMs <= session.timeoutMs + SLACK_MS, `${tookMs} ms`);
  await until('the server has expired it', () => serverGoneMs < Number.POSITIVE_INFINITY);
  assert.ok(abortedMs <= serverGoneMs, `aborted ${Math.round(abortedMs - serverGoneMs)} ms after the server's expiry`);
  stage.note(
    `lost after ${Math.round(tookMs)} of ${session.timeoutMs} ms, ${Math.round(serverGoneMs - abortedMs)} ms before the server`,
  );
  interposer.openness = 'open';
  await zk.connected();
  assert.notEqual(sessionOf(zk).id, session.id);
  assert.deepEqual(states, ['connected', 'suspended', 'lost', 'connected']);
}

/** SIGSTOP: the connection stays open, and nothing comes. */
async function halfOpen(stage: Stage): Promise<void> {
  const zk = await stage.connect({ sessionTimeoutMs: 3_000 });
  const session = sessionOf(zk);
  const states = statesOf(zk);
  await zk.create(`${stage.root}/e`, 'x', { mode: 'ephemeral' });
  const startMs = performance.now();
  stage.single.freeze();
  await until('suspended', () => zk.state === 'suspended', 3_000);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 2_000 + 800, `suspended after ${tookMs} ms`);
  stage.single.thaw();
  assert.equal(String((await zk.get(`${stage.root}/e`)).data), 'x');
  assert.equal(sessionOf(zk), session);
  assert.deepEqual(states, ['connected', 'suspended', 'connected']);
  stage.note(`suspended after ${Math.round(tookMs)} ms`);
}

async function halfOpenTooLong(stage: Stage): Promise<void> {
  const zk = await stage.connect({ sessionTimeoutMs: 1_500 });
  const session = sessionOf(zk);
  const states = statesOf(zk);
  stage.single.freeze();
  await until('lost', () => zk.state === 'lost', session.timeoutMs + SLACK_MS);
  assert.equal(session.signal.aborted, true);
  stage.single.thaw();
  await zk.connected();
  assert.deepEqual(states, ['connected', 'suspended', 'lost', 'connected']);
  assert.notEqual(sessionOf(zk).id, session.id);
}

/** A process that was stopped for longer than its session lives must not go on as if it held it. */
async function stalled(stage: Stage): Promise<void> {
  const zk = await stage.connect({ sessionTimeoutMs: 800 });
  const session = sessionOf(zk);
  const states = statesOf(zk);
  await zk.create(`${stage.root}/e`, null, { mode: 'ephemeral' });
  const endMs = performance.now() + 2 * session.timeoutMs;
  while (performance.now() < endMs) {
    // Nothing else runs in this process meanwhile.
  }
  const error = (await failureOf(zk.set(`${stage.root}/e`, 'x'))) as ZooKeeperError;
  stage.note(error.code);
  await until('the session is over', () => session.signal.aborted);
  await zk.connected();
  assert.notEqual(sessionOf(zk).id, session.id);
  assert.ok(states.includes('lost'), states.join());
  await zk.sync(stage.root);
  assert.equal(await zk.exists(`${stage.root}/e`), null);
}

/** Pings keep a session that asks for nothing. */
async function idle(stage: Stage): Promise<void> {
  const zk = await stage.connect({ sessionTimeoutMs: 600 });
  const session = sessionOf(zk);
  const states = statesOf(zk);
  await zk.create(`${stage.root}/e`, null, { mode: 'ephemeral' });
  await sleep(2_000);
  assert.deepEqual(states, ['connected']);
  assert.equal((await zk.exists(`${stage.root}/e`))?.ephemeralOwner, session.id);
}

async function closing(stage: Stage): Promise<void> {
  const witness = await stage.connect();
  const zk = await stage.connect();
  const { signal } = sessionOf(zk);
  await zk.create(`${stage.root}/e`, null, { mode: 'ephemeral' });
  const lastWrite = zk.set(stage.root, 'last');
  await Promise.all([zk.close(), zk.close()]);
  assert.equal((await lastWrite).version, 1);
  assert.equal(zk.state, 'closed');
  assert.equal(signal.aborted, true);
  await witness.sync(stage.root);
  assert.equal(await witness.exists(`${stage.root}/e`), null);
  const error = await failureOf(zk.get('/'));
  assert.ok(error instanceof ClientClosedError && error.outcome === 'not-sent', String(error));
  await zk.close();
  let disposed: ZooKeeper;
  {
    await using short = await connect(stage.connectString);
    disposed = short;
    await short.create(`${stage.root}/e2`, null, { mode: 'ephemeral' });
  }
  assert.equal(disposed.state, 'closed');
  await witness.sync(stage.root);
  assert.equal(await witness.exists(`${stage.root}/e2`), null);
}

async function closingWithoutServer(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state === 'suspended');
  const read = failureOf(zk.get('/'));
  const startMs = performance.now();
  await zk.close();
  assert.ok(performance.now() - startMs < 3_000, 'close does not wait for a server for long');
  assert.ok((await read) instanceof ClientClosedError);
  assert.equal(zk.state, 'closed');
}

async function noServer(stage: Stage): Promise<void> {
  const nobody = `127.0.0.1:${await freePort()}`;
  const startMs = performance.now();
  const error = await failureOf(connect(nobody, { timeoutMs: 500 }));
  const tookMs = performance.now() - startMs;
  assert.ok(error instanceof ConnectionLossError && error.outcome === 'not-sent', String(error));
  assert.match(String(error.cause), /ECONNREFUSED/);
  assert.ok(tookMs >= 450 && tookMs < 500 + SLACK_MS, `${tookMs} ms`);
  const controller = new AbortController();
  const aborted = failureOf(connect(nobody, { signal: controller.signal }));
  controller.abort();
  assert.equal((await aborted).name, 'AbortError');
  // One dead address among others is no reason to fail.
  for (let i = 0; i < 3; i++) {
    const zk = await stage.connect({ shuffle: i > 0 }, `${nobody},127.0.0.1:${stage.port}`);
    assert.equal(zk.server?.port, stage.port);
  }
}

async function giveUp(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({ requestTimeoutMs: 5_000 }, interposer.connectString);
  interposer.openness = 'silent';
  const sent = await failureOf(zk.set(stage.root, 'x', { timeoutMs: 200 }));
  assert.ok(sent instanceof RequestTimeoutError && sent.outcome === 'unknown', String(sent));
  const controller = new AbortController();
  const aborting = failureOf(zk.set(stage.root, 'x', { signal: controller.signal }));
  controller.abort(new Error('because'));
  const aborted = await aborting;
  assert.ok(aborted instanceof RequestAbortedError && aborted.outcome === 'unknown', String(aborted));
  assert.equal((aborted.cause as Error).message, 'because');
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state === 'suspended');
  const waiting = await failureOf(zk.set(stage.root, 'y', { timeoutMs: 100 }));
  assert.ok(waiting instanceof RequestTimeoutError && waiting.outcome === 'not-sent', String(waiting));
  const early = await failureOf(zk.get(stage.root, { signal: AbortSignal.abort() }));
  assert.ok(early instanceof RequestAbortedError && early.outcome === 'not-sent', String(early));
  interposer.openness = 'open';
  await zk.connected();
  assert.equal((await zk.get(stage.root)).stat.version, 0, 'nothing of it came through');
}

async function failFast(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({ whenSuspended: 'fail' }, interposer.connectString);
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state === 'suspended');
  const error = await failureOf(zk.get('/'));
  assert.ok(error instanceof ConnectionLossError && error.outcome === 'not-sent', String(error));
  interposer.openness = 'open';
  await zk.connected();
  await zk.get('/');
}

export const sessionRows: readonly ClientRow[] = [
  { name: 'a session is resumed by another client', run: resume },
  { name: 'a session is not resumed with the wrong password', run: resumeWrong },
  { name: 'a cut connection: suspended, connected, same session', run: cut },
  { name: 'kill -9 and restart: same session', where: 'alone', isExclusive: true, run: killAndRestart },
  { name: 'expiry told by the server', run: expiryTold },
  { name: 'expiry told by the server, newSession: false', run: expiryToldToStrict },
  { name: 'expiry by the local clock, before the server', isTimed: true, run: expiryByClock },
  {
    name: 'half-open connection, the server comes back in time',
    where: 'alone',
    isExclusive: true,
    isTimed: true,
    run: halfOpen,
  },
  {
    name: 'half-open connection, the server comes back too late',
    where: 'alone',
    isExclusive: true,
    isTimed: true,
    run: halfOpenTooLong,
  },
  { name: 'a process that stalls for longer than its session', where: 'alone', isExclusive: true, run: stalled },
  { name: 'an idle session lives', isTimed: true, run: idle },
  { name: 'close', run: closing },
  { name: 'close without a server', isTimed: true, run: closingWithoutServer },
  { name: 'connect without a server; dead addresses', isTimed: true, run: noServer },
  { name: 'calls that are given up', run: giveUp },
  { name: 'whenSuspended: fail', run: failFast },
];
