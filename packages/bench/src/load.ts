/**
 * Runs: a number of connections, each keeping a fixed number of requests in flight (a closed loop), for some seconds
 * after a warm-up. `measure` is the one door; the modes are rows of a table.
 *
 * Two modes are not a loop of requests: `connect` opens and closes sessions, `watches` has every session watch one
 * znode and sets it again and again, timing each event from the set.
 */
import { LoadConnection, type Traffic } from './connection.js';
import {
  bareTemplate,
  createTemplate,
  keyPath,
  OP,
  PARENTS,
  pathTemplate,
  ROOT,
  readTemplate,
  setTemplate,
  type Template,
  WATCHED,
} from './frames.js';
import { Histogram } from './histogram.js';

export type Mode = 'get' | 'set' | 'create' | 'mixed' | 'ping' | 'exists' | 'children' | 'connect' | 'watches';

export interface LoadPlan {
  readonly host: string;
  /** One per server of an ensemble; connections are dealt over them. The setup goes to the first. */
  readonly ports: readonly number[];
  readonly mode: Mode;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly inFlight: number;
  readonly dataBytes: number;
  readonly keys: number;
  /** Share of reads in `mixed`, 0 to 100. */
  readonly readPercent: number;
  /** Different in every run against one server. */
  readonly runId: string;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface LoadResult {
  readonly operations: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  readonly lastError: number;
}

const ERR_NODE_EXISTS = -110;
/** Setup keeps this many creates in flight, below every server's limit on outstanding requests. */
const SETUP_IN_FLIGHT = 200;
const CONNECT_TIMEOUT_MS = 30_000;

/** Picks the next request of a mode: returns its template and leaves its key in `key`. */
class RequestSource {
  key = 0;
  readonly #plan: LoadPlan;
  readonly #read: Template;
  readonly #write: Template;
  readonly #readPercent: number;
  readonly #creates: Template[] = [];
  #created = 0;
  #random = 0x2545_f491;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const path = keyPath(`${ROOT}/k`);
    const readOps: Partial<Record<Mode, Template>> = {
      exists: readTemplate(OP.exists, path, false),
      children: readTemplate(OP.children, ROOT, false),
      ping: bareTemplate(OP.ping),
    };
    this.#read = readOps[plan.mode] ?? readTemplate(OP.get, path, false);
    this.#write = setTemplate(path, plan.dataBytes);
    this.#readPercent = plan.mode === 'mixed' ? plan.readPercent : plan.mode === 'set' ? 0 : 100;
    if (plan.mode === 'create') {
      for (let i = 0; i < PARENTS; i++)
        this.#creates.push(createTemplate(keyPath(`${parentPath(plan, i)}/n`), plan.dataBytes));
    }
  }

  next(): Template {
    const random = this.#nextRandom();
    if (this.#creates.length > 0) {
      const sequence = this.#created++;
      this.key = Math.floor(sequence / PARENTS) % 10_000_000;
      return this.#creates[sequence % PARENTS] as Template;
    }
    this.key = (random >>> 8) % this.#plan.keys;
    return (random & 0xff) * 100 < this.#readPercent * 256 ? this.#read : this.#write;
  }

  #nextRandom(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }
}

/** Counts what the measured window holds. */
class Meter {
  readonly histogram = new Histogram();
  measuring = false;
  errors = 0;
  lastError = 0;
  #startedAtMs = 0;

  start(): void {
    this.measuring = true;
    this.#startedAtMs = performance.now();
  }

  record(latencyMs: number, err: number): void {
    if (!this.measuring) return;
    this.histogram.record(latencyMs);
    if (err === 0) return;
    this.errors += 1;
    this.lastError = err;
  }

  stop(): LoadResult {
    this.measuring = false;
    const { histogram } = this;
    const seconds = (performance.now() - this.#startedAtMs) / 1000;
    return {
      operations: histogram.count,
      perSecond: histogram.count / seconds,
      p50Ms: histogram.percentileMs(0.5),
      p99Ms: histogram.percentileMs(0.99),
      p999Ms: histogram.percentileMs(0.999),
      maxMs: histogram.maxMs,
      errors: this.errors,
      lastError: this.lastError,
    };
  }
}

export async function measure(plan: LoadPlan): Promise<LoadResult> {
  if (plan.mode === 'connect') return measureConnects(plan);
  await setUp(plan);
  return plan.mode === 'watches' ? measureWatches(plan) : measureRequests(plan);
}

/** Makes the znodes that the mode needs; those that an earlier run made are welcome. */
export async function setUp(plan: LoadPlan): Promise<void> {
  const key = createTemplate(keyPath(`${ROOT}/k`), plan.dataBytes);
  const single = (path: string): [Template, number] => [createTemplate(path, 0), 0];
  await runInOrder(plan, [single(ROOT)]);
  const requests: [Template, number][] = [single(WATCHED)];
  if (plan.mode === 'create') for (let i = 0; i < PARENTS; i++) requests.push(single(parentPath(plan, i)));
  for (let i = 0; i < plan.keys; i++) requests.push([key, i]);
  await runInOrder(plan, requests);
  // The other servers may be behind: after a sync they have it all.
  for (const port of plan.ports.slice(1))
    await runInOrder({ ...plan, ports: [port] }, [[pathTemplate(OP.sync, ROOT), 0]]);
}

function portOf(plan: LoadPlan, index: number): number {
  return plan.ports[index % plan.ports.length] as number;
}

/** A server that is measured several times keeps its znodes, so each run creates under parents of its own. */
function parentPath(plan: LoadPlan, index: number): string {
  return `${ROOT}/run-${plan.runId}-${index}`;
}

function runInOrder(plan: LoadPlan, requests: [Template, number][]): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    const sendMore = (connection: LoadConnection): void => {
      while (sent < requests.length && connection.inFlight < SETUP_IN_FLIGHT) {
        const [template, key] = requests[sent++] as [Template, number];
        connection.send(template, key);
      }
    };
    new LoadConnection(0, plan.host, portOf(plan, 0), SETUP_IN_FLIGHT, {
      onReady: sendMore,
      onReply(connection, _op, err) {
        if (err !== 0 && err !== ERR_NODE_EXISTS) reject(new Error(`setting up ${ROOT} failed: error ${err}`));
        answered += 1;
        if (answered === requests.length) {
          connection.destroy();
          resolve();
        } else sendMore(connection);
      },
      onWatchEvent() {},
      onClosed: (_connection, reason) => reject(new Error(`the server refused the setup: ${reason}`)),
    });
  });
}

/** Opens all sessions of a plan; resolves when every one is established. */
function openAll(plan: LoadPlan, traffic: Omit<Traffic, 'onReady'>): Promise<LoadConnection[]> {
  return new Promise((resolve, reject) => {
    const connections: LoadConnection[] = [];
    let ready = 0;
    const timer = setTimeout(
      () => reject(new Error(`only ${ready} of ${plan.connections} sessions after ${CONNECT_TIMEOUT_MS} ms`)),
      CONNECT_TIMEOUT_MS,
    );
    const onReady = (): void => {
      ready += 1;
      if (ready < plan.connections) return;
      clearTimeout(timer);
      resolve(connections);
    };
    const onClosed: Traffic['onClosed'] = (connection, reason) => {
      reject(new Error(`connection ${connection.index}: ${reason}`));
      traffic.onClosed(connection, reason);
    };
    for (let i = 0; i < plan.connections; i++) {
      const all: Traffic = { onReply: traffic.onReply, onWatchEvent: traffic.onWatchEvent, onReady, onClosed };
      connections.push(new LoadConnection(i, plan.host, portOf(plan, i), plan.inFlight, all));
    }
  });
}

async function measureRequests(plan: LoadPlan): Promise<LoadResult> {
  const meter = new Meter();
  const source = new RequestSource(plan);
  let running = true;
  let failure: string | null = null;
  const sendNext = (connection: LoadConnection): void => {
    const template = source.next();
    connection.send(template, source.key);
  };
  const connections = await openAll(plan, {
    onReply(connection, _op, err, latencyMs) {
      meter.record(latencyMs, err);
      if (running) sendNext(connection);
    },
    onWatchEvent() {},
    onClosed(_connection, reason) {
      if (running) failure = reason;
    },
  });
  for (const connection of connections) {
    for (let i = 0; i < plan.inFlight; i++) sendNext(connection);
    connection.flush();
  }
  await sleep(plan.warmUpMs);
  meter.start();
  await sleep(plan.measureMs);
  const result = meter.stop();
  running = false;
  for (const connection of connections) connection.destroy();
  if (failure !== null) throw new Error(`a connection was lost under load: ${failure}`);
  return result;
}

/** Each of `connections` slots opens a session, waits for it, closes it, and begins again. */
async function measureConnects(plan: LoadPlan): Promise<LoadResult> {
  const meter = new Meter();
  const close = bareTemplate(OP.close);
  const open = new Set<LoadConnection>();
  let running = true;
  let failure: string | null = null;
  const begin = (index: number): void => {
    if (!running) return;
    open.add(
      new LoadConnection(index, plan.host, portOf(plan, index), 1, {
        onReady(connection, latencyMs) {
          meter.record(latencyMs, 0);
          connection.send(close, 0);
        },
        onReply(connection) {
          connection.destroy();
          open.delete(connection);
          begin(index);
        },
        onWatchEvent() {},
        onClosed(connection, reason) {
          open.delete(connection);
          if (running) failure = reason;
        },
      }),
    );
  };
  for (let i = 0; i < plan.connections; i++) begin(i);
  await sleep(plan.warmUpMs);
  meter.start();
  await sleep(plan.measureMs);
  const result = meter.stop();
  running = false;
  for (const connection of open) connection.destroy();
  if (failure !== null) throw new Error(`a session was lost: ${failure}`);
  return result;
}

/** Rounds of: every session watches, one sets, every session hears of it. One event is one operation. */
async function measureWatches(plan: LoadPlan): Promise<LoadResult> {
  const meter = new Meter();
  const watch = readTemplate(OP.get, WATCHED, true);
  const set = setTemplate(WATCHED, plan.dataBytes);
  let armed = 0;
  let heard = 0;
  let setAtMs = 0;
  let running = true;
  let failure: string | null = null;
  let writer: LoadConnection | null = null;
  const fire = (): void => {
    heard = 0;
    setAtMs = performance.now();
    writer?.send(set, 0);
    writer?.flush();
  };
  const connections = await openAll(plan, {
    onReply(_connection, op) {
      if (op === OP.get && ++armed === plan.connections) setImmediate(fire);
    },
    onWatchEvent() {
      meter.record(performance.now() - setAtMs, 0);
      if (++heard === plan.connections && running) setImmediate(arm);
    },
    onClosed(_connection, reason) {
      if (running) failure = reason;
    },
  });
  const arm = (): void => {
    armed = 0;
    for (const connection of connections) {
      connection.send(watch, 0);
      connection.flush();
    }
  };
  writer = connections[0] ?? null;
  arm();
  await sleep(plan.warmUpMs);
  meter.start();
  await sleep(plan.measureMs);
  const result = meter.stop();
  running = false;
  for (const connection of connections) connection.destroy();
  if (failure !== null) throw new Error(`a connection was lost under load: ${failure}`);
  return result;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
