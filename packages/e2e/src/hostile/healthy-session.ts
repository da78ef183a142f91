/**
 * A session that works all the time and notes its longest wait: it sets its node, reads it back, and never lets
 * anything pass. It runs in a thread of its own, so that what an attack costs the attacker does not count as a wait.
 *
 * This file is both ends: `HealthySession` starts the thread, which runs the part at the bottom.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { sleep } from '../crash/server-process.js';
import { WireSession } from '../wire/session.js';

const timeoutMs = 10_000;
const pauseMs = 10;
const checkTimeoutMs = 15_000;

interface Health {
  readonly turns: number;
  readonly worstWaitMs: number;
  /** What it suffered; null while it is well. */
  readonly trouble: string | null;
}

export class HealthySession {
  readonly #worker: Worker;
  #health: Health = { turns: 0, worstWaitMs: 0, trouble: null };
  #answered: (() => void) | null = null;

  private constructor(port: number) {
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { port } });
    const note = (health: Health): void => {
      this.#health = health;
      this.#answered?.();
    };
    this.#worker.on('message', note);
    this.#worker.on('error', (error) => note({ ...this.#health, trouble: error.message }));
  }

  static async open(port: number): Promise<HealthySession> {
    const session = new HealthySession(port);
    const trouble = await session.check();
    if (trouble !== null) throw new Error(trouble);
    return session;
  }

  /** Forgets the waits so far. */
  async beginBatch(): Promise<void> {
    this.#worker.postMessage('begin');
    await this.#ask();
  }

  async worstWaitMs(): Promise<number> {
    return (await this.#ask()).worstWaitMs;
  }

  /** Null when it is well: no error so far, and it gets through two turns now. */
  async check(): Promise<string | null> {
    const { turns } = await this.#ask();
    const deadlineMs = performance.now() + checkTimeoutMs;
    for (;;) {
      const health = await this.#ask();
      if (health.trouble !== null || health.turns >= turns + 2) return health.trouble;
      if (performance.now() > deadlineMs) return 'the healthy session gets no answer';
      await sleep(20);
    }
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #ask(): Promise<Health> {
    return new Promise((resolve) => {
      this.#answered = () => resolve(this.#health);
      if (this.#health.trouble !== null) resolve(this.#health);
      else this.#worker.postMessage('health');
    });
  }
}

async function work(port: number): Promise<void> {
  let turns = 0;
  let worstWaitMs = 0;
  let trouble: string | null = null;
  let startMs = performance.now();
  parentPort?.on('message', (word: string) => {
    if (word === 'begin') worstWaitMs = 0;
    // A wait that has not ended yet is a wait too.
    else parentPort?.postMessage({ turns, worstWaitMs: Math.max(worstWaitMs, performance.now() - startMs), trouble });
  });
  try {
    const session = await WireSession.connect(port, { timeoutMs });
    if ((await session.exists('/healthy')) === null) await session.create('/healthy', '');
    for (;;) {
      startMs = performance.now();
      const value = String(turns++);
      await session.setData('/healthy', value);
      const { data } = await session.getData('/healthy');
      if (String(data) !== value) throw new Error(`read ${data} after writing ${value}`);
      worstWaitMs = Math.max(worstWaitMs, performance.now() - startMs);
      await sleep(pauseMs);
      startMs = performance.now();
    }
  } catch (error) {
    trouble = `the healthy session suffered: ${(error as Error).message}`;
    parentPort?.postMessage({ turns, worstWaitMs, trouble });
  }
}

if (!isMainThread) void work((workerData as { port: number }).port);
