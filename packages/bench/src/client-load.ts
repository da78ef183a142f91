/**
 * One run of one client library: a closed loop that keeps a fixed number of operations in flight on one session, for
 * some seconds after a warm-up, with what it cost this process. It runs in a process of its own (client-process.ts).
 */
import { type Caller, type ClientName, type Driver, drivers, type Operation, type Target } from './client-drivers.js';
import { Histogram } from './histogram.js';
import { KEYS } from './rows.js';

export interface ClientPlan extends Target {
  readonly client: ClientName;
  /** Each slot of the window does these one after the other, on a key of its own each time it begins again. */
  readonly operations: readonly Operation[];
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface ClientResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the whole process, its other threads too, per operation. */
  readonly cpuMicros: number;
  /** Resident memory at the end. */
  readonly rssMb: number;
}

/** Counts what the measured window holds. */
class ClientMeter {
  readonly #histogram = new Histogram();
  #measuring = false;
  #startedAtMs = 0;
  #cpuAtStart = process.cpuUsage();

  start(): void {
    this.#measuring = true;
    this.#cpuAtStart = process.cpuUsage();
    this.#startedAtMs = performance.now();
  }

  record(latencyMs: number): void {
    if (this.#measuring) this.#histogram.record(latencyMs);
  }

  stop(): ClientResult {
    this.#measuring = false;
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    const histogram = this.#histogram;
    return {
      perSecond: histogram.count / ((performance.now() - this.#startedAtMs) / 1000),
      p50Ms: histogram.percentileMs(0.5),
      p99Ms: histogram.percentileMs(0.99),
      cpuMicros: (user + system) / Math.max(histogram.count, 1),
      rssMb: process.memoryUsage.rss() / 2 ** 20,
    };
  }
}

/** One place of the window: begins the next operation when the one before is done. */
class Slot implements Caller {
  /** Resolves after `stop`, at the end of the operations that belong together; rejects with what a call failed with. */
  readonly finished: Promise<void>;
  readonly #driver: Driver;
  readonly #meter: ClientMeter;
  readonly #plan: ClientPlan;
  readonly #finish: Ends;
  #key: number;
  #step = 0;
  #begunAtMs = 0;
  #stopping = false;

  constructor(driver: Driver, meter: ClientMeter, plan: ClientPlan, index: number) {
    this.#driver = driver;
    this.#meter = meter;
    this.#plan = plan;
    this.#key = index;
    let ends!: Ends;
    this.finished = new Promise((resolve, reject) => {
      ends = { resolve, reject };
    });
    this.#finish = ends;
  }

  begin(): void {
    this.#begunAtMs = performance.now();
    this.#driver.begin(this.#plan.operations[this.#step] as Operation, this.#key, this);
  }

  stop(): void {
    this.#stopping = true;
  }

  readonly onDone = (): void => {
    this.#meter.record(performance.now() - this.#begunAtMs);
    this.#step += 1;
    if (this.#step === this.#plan.operations.length) {
      if (this.#stopping) {
        this.#finish.resolve();
        return;
      }
      this.#step = 0;
      // Keys of two slots never meet, as each goes through those of one remainder.
      this.#key += this.#plan.inFlight;
      if (this.#key >= KEYS) this.#key %= this.#plan.inFlight;
    }
    this.begin();
  };

  readonly onFailed = (error: unknown): void => this.#finish.reject(error);
}

interface Ends {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Throws what an operation failed with: a run with an error is no measurement. */
export async function measureClient(plan: ClientPlan): Promise<ClientResult> {
  const driver = await drivers[plan.client](plan);
  try {
    return await measureDriver(driver, plan);
  } finally {
    await driver.close();
  }
}

async function measureDriver(driver: Driver, plan: ClientPlan): Promise<ClientResult> {
  const meter = new ClientMeter();
  const slots = Array.from({ length: plan.inFlight }, (_, index) => new Slot(driver, meter, plan, index));
  const finished = Promise.all(slots.map((slot) => slot.finished));
  for (const slot of slots) slot.begin();
  await Promise.race([sleep(plan.warmUpMs), finished]);
  meter.start();
  await Promise.race([sleep(plan.measureMs), finished]);
  const result = meter.stop();
  for (const slot of slots) slot.stop();
  await finished;
  return result;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
