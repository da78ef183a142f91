/**
 * One contender in a process of its own: takes what it was told to, writes to the guarded resource while it holds it, gives it
 * back, and begins again. It tells its parent when it begins and ends to hold, by the clock that all processes share.
 */
import { connect, type ZooKeeper } from '@zoots/client';
import { type Hold, LeaderLatch, LeaderSelector, ReadWriteLock, Semaphore, SimpleLock } from '@zoots/recipes';
import { sleep } from './row.js';

export type ContestKind = 'lock' | 'writer' | 'latch' | 'selector' | 'semaphore';

export interface ContenderSettings {
  readonly kind: ContestKind;
  readonly who: string;
  readonly connectString: string;
  readonly path: string;
  readonly permits: number;
  readonly sessionTimeoutMs: number;
}

/** To the parent. */
export type Report =
  | { readonly type: 'begins' | 'ends'; readonly who: string; readonly token: number; readonly atMs: number }
  | { readonly type: 'writes'; readonly who: string; readonly token: number; readonly id: number }
  /** A write was refused, and the signal did not come within the session's timeout. */
  | { readonly type: 'wronged'; readonly who: string; readonly token: number };

/** To the contender. */
export type Order =
  | { readonly type: 'written'; readonly id: number; readonly isAccepted: boolean }
  | { readonly type: 'stop' };

/** Milliseconds of the machine's monotonic clock: the same for all processes. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

const writesPerHold = 4;

class Contender {
  readonly #settings: ContenderSettings;
  readonly #stopping = new AbortController();
  readonly #answers = new Map<number, (isAccepted: boolean) => void>();
  #writeId = 0;

  constructor(settings: ContenderSettings) {
    this.#settings = settings;
    process.on('message', (order: Order) => {
      if (order.type === 'stop') this.#stopping.abort();
      else this.#answers.get(order.id)?.(order.isAccepted);
    });
    // Without its parent it has no purpose.
    process.on('disconnect', () => process.exit(1));
  }

  async run(): Promise<void> {
    const { connectString, sessionTimeoutMs } = this.#settings;
    const backoff = { minMs: 10, maxMs: 100 };
    await using client = await connect(connectString, { sessionTimeoutMs, backoff, timeoutMs: 30_000 });
    await (this.#settings.kind === 'selector' ? this.#elect(client) : this.#contend(client));
  }

  async #contend(client: ZooKeeper): Promise<void> {
    const { signal } = this.#stopping;
    for await (const held of this.#holds(client)) {
      await this.#work(held);
      await held.release();
      if (signal.aborted) return;
      await sleep(Math.random() * 20);
    }
  }

  /** One hold after the other, of whatever kind. */
  async *#holds(client: ZooKeeper): AsyncGenerator<Hold, void> {
    const { kind, path, permits, who } = this.#settings;
    const { signal } = this.#stopping;
    if (kind === 'latch') {
      await using latch = new LeaderLatch(client, path, { id: who });
      yield* latch.terms({ signal });
      return;
    }
    const lock = {
      lock: () => new SimpleLock(client, path, { id: who }),
      writer: () => new ReadWriteLock(client, path, { id: who }).write,
      semaphore: () => new Semaphore(client, path, permits, { id: who }),
      selector: () => new SimpleLock(client, path, { id: who }),
    }[kind]();
    while (!signal.aborted) {
      const held = await lock.acquire({ signal }).catch((error: unknown) => {
        if (signal.aborted) return null;
        throw error;
      });
      if (held !== null) yield held;
    }
  }

  async #elect(client: ZooKeeper): Promise<void> {
    const { path, who } = this.#settings;
    await new LeaderSelector(client, path, (leadership) => this.#work(leadership), { id: who }).run({
      signal: this.#stopping.signal,
    });
  }

  async #work(held: Hold): Promise<void> {
    const { who } = this.#settings;
    const { token } = held;
    this.#tell({ type: 'begins', who, token, atMs: machineMs() });
    let hasEnded = false;
    const end = (): void => {
      if (!hasEnded) this.#tell({ type: 'ends', who, token, atMs: machineMs() });
      hasEnded = true;
    };
    held.signal.addEventListener('abort', end);
    if (held.signal.aborted) end();
    for (let i = 0; i < writesPerHold && held.isHeld; i++) {
      if (!(await this.#write(token))) await this.#expectLoss(held);
      await sleep(Math.random() * 15);
    }
    end();
    held.signal.removeEventListener('abort', end);
  }

  #write(token: number): Promise<boolean> {
    const id = ++this.#writeId;
    return new Promise((resolve) => {
      this.#answers.set(id, (isAccepted) => {
        this.#answers.delete(id);
        resolve(isAccepted);
      });
      this.#tell({ type: 'writes', who: this.#settings.who, token, id });
    });
  }

  /** Who is refused was overtaken, so its own signal has to come. */
  async #expectLoss(held: Hold): Promise<void> {
    const deadlineMs = machineMs() + this.#settings.sessionTimeoutMs + 2_000;
    while (held.isHeld && machineMs() < deadlineMs) await sleep(10);
    if (held.isHeld) this.#tell({ type: 'wronged', who: this.#settings.who, token: held.token });
  }

  #tell(report: Report): void {
    process.send?.(report);
  }
}

/** `settings` is JSON. Ends the process. */
export async function contend(settings: string): Promise<void> {
  await new Contender(JSON.parse(settings) as ContenderSettings).run();
  process.exit(0);
}
