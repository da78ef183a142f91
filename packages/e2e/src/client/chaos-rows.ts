/**
 * Clients at work while their connections are cut, refused and silenced at random, from a seed: nothing that was acknowledged is
 * missing, nothing was done twice, and every reader ends with the newest value.
 */
import { strict as assert } from 'node:assert';
import { text, type ZooKeeper, type ZooKeeperError } from '@zoots/client';
import { Prng } from '../differential/prng.js';
import type { Interposer } from './interposer.js';
import { type ClientRow, type Stage, sleep, until } from './row.js';

const CLIENT_COUNT = 6;
const CHAOS_MS = 4_000;
/** Sessions are lost now and then: the longest fault is longer. */
const SESSION_TIMEOUT_MS = 700;
const FAULT_MS_MAX = 1_000;

const HONEST_ENDS: ReadonlySet<string> = new Set([
  'ZK_CONNECTION_LOSS',
  'ZK_SESSION_LOST',
  'ZK_REQUEST_TIMEOUT',
  'ZK_BAD_VERSION',
]);

interface Ledger {
  acknowledged: number;
  unknown: number;
  refused: number;
}

/** What a write came to; anything but the two honest ends fails the row. */
async function record(ledger: Ledger, write: Promise<unknown>): Promise<void> {
  try {
    await write;
    ledger.acknowledged++;
  } catch (error) {
    const { code, outcome } = error as ZooKeeperError;
    assert.ok(HONEST_ENDS.has(code), String(error));
    if (outcome === 'unknown') ledger.unknown++;
    else ledger.refused++;
  }
}

async function creates(zk: ZooKeeper, directory: string, ledger: Ledger, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const path = `${directory}/n-`;
    await Promise.all(
      Array.from({ length: 5 }, () => record(ledger, zk.create(path, null, { mode: 'persistent-sequential' }))),
    );
    await sleep(5);
  }
}

/** Writes under a version: whoever is told yes has made exactly one step. */
async function counts(zk: ZooKeeper, path: string, ledger: Ledger, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    try {
      const { stat } = await zk.get(path);
      await record(ledger, zk.set(path, String(stat.version + 1), { version: stat.version, timeoutMs: 3_000 }));
    } catch (error) {
      // The read's own end, which changes nothing.
      if ((error as ZooKeeperError).code === 'ERR_ASSERTION') throw error;
    }
  }
}

/** One way to the server at a time, or all of them together. */
async function trouble(interposers: readonly Interposer[], prng: Prng, isOver: () => boolean): Promise<number> {
  let count = 0;
  while (!isOver()) {
    const one = interposers[prng.below(interposers.length)] as Interposer;
    const victims = prng.below(3) === 0 ? interposers : [one];
    const kind = prng.below(10);
    for (const victim of victims) {
      if (kind < 5) victim.cut();
      else victim.openness = kind < 8 ? 'refusing' : 'silent';
    }
    count++;
    await sleep(prng.below(kind < 5 ? 30 : FAULT_MS_MAX));
    for (const victim of victims) {
      // What the silence has swallowed is missing in the stream.
      if (victim.openness === 'silent') victim.cut();
      victim.openness = 'open';
    }
    await sleep(prng.below(100));
  }
  return count;
}

/** Keeps the newest value by one-shot watches alone. */
function followByOneShots(zk: ZooKeeper, path: string, seen: { value: string | null }, isOver: () => boolean): void {
  const look = async (): Promise<void> => {
    while (!isOver()) {
      try {
        const { data } = await zk.get(path, { watch: () => void look() });
        seen.value = String(data);
        return;
      } catch {
        await sleep(20);
      }
    }
  };
  void look();
}

async function chaos(stage: Stage, seed: number): Promise<void> {
  const prng = new Prng(seed);
  const interposers = [await stage.interpose(), await stage.interpose()];
  const target = interposers.map((interposer) => interposer.connectString).join();
  const admin = await stage.connect();
  const { root } = stage;
  const counter = `${root}/counter`;
  await admin.create(counter, '0');
  const options = { sessionTimeoutMs: SESSION_TIMEOUT_MS, connectTimeoutMs: 300, backoff: { minMs: 20, maxMs: 200 } };
  const endMs = performance.now() + CHAOS_MS;
  let isClosed = false;
  const isOver = (): boolean => performance.now() > endMs;
  const works: Promise<unknown>[] = [];
  const ledgers: Ledger[] = [];
  const steps: Ledger = { acknowledged: 0, unknown: 0, refused: 0 };
  const followers: { value: string | null }[] = [];
  let lostCount = 0;
  const controller = new AbortController();
  for (let i = 0; i < CLIENT_COUNT; i++) {
    const zk = await stage.connect(options, target);
    zk.on('state', (state) => {
      if (state === 'lost') lostCount++;
    });
    const directory = `${root}/c${i}`;
    await zk.create(directory);
    const ledger = { acknowledged: 0, unknown: 0, refused: 0 };
    ledgers.push(ledger);
    works.push(creates(zk, directory, ledger, isOver), counts(zk, counter, steps, isOver));
    const [byWatch, byOneShots] = [{ value: null as string | null }, { value: null as string | null }];
    followers.push(byWatch, byOneShots);
    works.push(
      (async () => {
        for await (const entry of zk.node(counter, text()).values({ signal: controller.signal })) {
          byWatch.value = entry === null ? null : entry.value;
        }
      })().catch((error: Error) => assert.equal(error.name, 'AbortError', String(error))),
    );
    followByOneShots(zk, counter, byOneShots, () => isClosed);
  }
  const troubles = trouble(interposers, prng, isOver);
  const troubleCount = await troubles;
  await until('the writers end', async () => isOver());
  await admin.sync(root);
  await sleep(200);
  const { data, stat } = await admin.get(counter);
  await until(
    'every reader has the newest value',
    async () => {
      const newest = String((await admin.get(counter)).data);
      return followers.every((follower) => follower.value === newest);
    },
    8_000,
  );
  isClosed = true;
  controller.abort();
  await Promise.all(works);
  for (const [i, ledger] of ledgers.entries()) {
    const there = (await admin.children(`${root}/c${i}`)).length;
    const { acknowledged, unknown } = ledger;
    assert.ok(
      there >= acknowledged && there <= acknowledged + unknown,
      `c${i}: ${there} of ${acknowledged} + ${unknown}`,
    );
  }
  assert.equal(String(data), String(stat.version));
  const last = (await admin.get(counter)).stat.version;
  assert.ok(last >= steps.acknowledged && last <= steps.acknowledged + steps.unknown, `${last} steps`);
  const [done, unknown] = [sum(ledgers, 'acknowledged'), sum(ledgers, 'unknown')];
  stage.note(
    `seed ${seed}: ${troubleCount} faults, ${lostCount} sessions lost, ${done} creates and ${unknown} unknown, ${last} steps`,
  );
  await admin.deleteRecursive(root);
}

function sum(ledgers: readonly Ledger[], field: keyof Ledger): number {
  return ledgers.reduce((total, ledger) => total + ledger[field], 0);
}

/** ZOOTS_SEED says another first one. */
const firstSeed = Number(process.env.ZOOTS_SEED ?? 1);

export const chaosRows: readonly ClientRow[] = [firstSeed, firstSeed + 1].map((seed) => ({
  name: `chaos on the wire, seed ${seed}`,
  where: 'alone',
  // One seed is enough for the servers that are not ours.
  ...(seed === firstSeed ? {} : { kinds: ['zoots'] as const }),
  isExclusive: true,
  timeoutMs: 40_000,
  run: (stage) => chaos(stage, seed),
}));
