/**
 * Runs: a number of connections, each keeping a fixed number of requests in flight (a closed loop), for some seconds
 * after a warm-up. `measure` is the one door; the modes are rows of a table.
 *
 * Some modes are not a loop of requests: `connect` opens and closes sessions, `watches` has every session watch one
 * znode and sets it again and again, timing each event from the set; `bulk` creates a given number of znodes, `idle` holds
 * sessions open with pings, `probe` looks every millisecond whether the server answers.
 */
import { LoadConnection } from './connection.js';
import {
  bareTemplate,
  createTemplate,
  keyPath,
  OP,
  PARENTS,
  readTemplate,
  setTemplate,
  type Template,
} from './frames.js';
import { type LoadResult, Meter } from './meter.js';
import { createAll, openAll, parentPath, portOf, rootOf, setUp, watchedPath } from './sessions.js';

export type Mode =
  | 'get'
  | 'set'
  | 'create'
  | 'mixed'
  | 'ping'
  | 'exists'
  | 'children'
  | 'connect'
  | 'watches'
  | 'bulk'
  | 'idle'
  | 'probe';

export interface LoadPlan {
  readonly host: string;
  /** One per server of an ensemble; connections are dealt over them. The setup goes to the first. */
  readonly ports: readonly number[];
  /** Processes of the servers, whose processor time and memory are read; empty when they are not to be seen from here. */
  readonly pids: readonly number[];
  readonly mode: Mode;
  /** The znode that all others live under; `ROOT` when left out. */
  readonly root?: string;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly inFlight: number;
  readonly dataBytes: number;
  readonly keys: number;
  /** Of `watches`: each session watches so many of the keys, and all of them are set; left out: one znode of their own. */
  readonly watchesEach?: number;
  /** Share of reads in `mixed`, 0 to 100. */
  readonly readPercent: number;
  /** Different in every run against one server. */
  readonly runId: string;
  readonly warmUpMs: number;
  /** `bulk` has no such limit: it ends with its last create, whose number is `count`. */
  readonly measureMs: number;
  readonly count?: number;
}

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
    const path = keyPath(`${rootOf(plan)}/k`);
    const readOps: Partial<Record<Mode, Template>> = {
      exists: readTemplate(OP.exists, path, false),
      children: readTemplate(OP.children, rootOf(plan), false),
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

/** Modes that are more than a loop of requests. */
const ownRuns: Partial<Record<Mode, (plan: LoadPlan) => Promise<LoadResult>>> = {
  connect: measureConnects,
  watches: measureWatches,
  bulk: measureBulk,
  idle: measureIdle,
  probe: measureProbe,
};
/** They make znodes or need none but the root. */
const withoutSetUp: ReadonlySet<Mode> = new Set(['connect', 'probe', 'idle']);

export async function measure(plan: LoadPlan): Promise<LoadResult> {
  if (!withoutSetUp.has(plan.mode)) await setUp(plan);
  return (ownRuns[plan.mode] ?? measureRequests)(plan);
}

async function measureRequests(plan: LoadPlan): Promise<LoadResult> {
  const meter = new Meter(plan.pids);
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
  const meter = new Meter(plan.pids);
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
  const meter = new Meter(plan.pids);
  const path = plan.watchesEach === undefined ? watchedPath(plan) : keyPath(`${rootOf(plan)}/k`);
  const znodeCount = plan.watchesEach ?? 1;
  const watchCount = plan.connections * znodeCount;
  const watch = readTemplate(OP.get, path, true);
  const set = setTemplate(path, plan.dataBytes);
  let armed = 0;
  let heard = 0;
  let setAtMs = 0;
  let running = true;
  let failure: string | null = null;
  let writer: LoadConnection | null = null;
  // The writer watches again before its sets are answered.
  const inFlight = 2 * znodeCount;
  const fire = (): void => {
    heard = 0;
    setAtMs = performance.now();
    for (let key = 0; key < znodeCount; key++) writer?.send(set, key);
    writer?.flush();
  };
  const connections = await openAll(
    { ...plan, inFlight },
    {
      onReply(_connection, op) {
        if (op === OP.get && ++armed === watchCount) setImmediate(fire);
      },
      onWatchEvent() {
        const latencyMs = performance.now() - setAtMs;
        meter.record(latencyMs, 0);
        if (++heard < watchCount) return;
        meter.recordRound(latencyMs);
        if (running) setImmediate(arm);
      },
      onClosed(_connection, reason) {
        if (running) failure = reason;
      },
    },
  );
  const arm = (): void => {
    armed = 0;
    for (const connection of connections) {
      for (let key = 0; key < znodeCount; key++) connection.send(watch, key);
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

/** Creates `count` znodes as fast as the server takes them; the rate is the result. */
async function measureBulk(plan: LoadPlan): Promise<LoadResult> {
  const meter = new Meter(plan.pids);
  const parents = Array.from({ length: PARENTS }, (_, i) =>
    createTemplate(keyPath(`${parentPath(plan, i)}/n`), plan.dataBytes),
  );
  meter.start();
  const startedAtMs = performance.now();
  const count = plan.count ?? 0;
  await createAll(plan, count, (i) => [parents[i % PARENTS] as Template, Math.floor(i / PARENTS)]);
  meter.recordRound(performance.now() - startedAtMs);
  const result = meter.stop();
  return {
    ...result,
    operations: count,
    perSecond: (count * 1000) / result.roundMs,
    cpuMicros: (result.cpuMicros * Math.max(result.operations, 1)) / Math.max(count, 1),
  };
}

/** What Apache's client does with an idle session: a ping whenever a third of the timeout has gone. */
const PING_INTERVAL_MS = 10_000;
const IDLE_STEP_MS = 20;

/** Holds sessions that do nothing but ping, the pings spread evenly over the interval. */
async function measureIdle(plan: LoadPlan): Promise<LoadResult> {
  const meter = new Meter(plan.pids);
  const ping = bareTemplate(OP.ping);
  let failure: string | null = null;
  let running = true;
  const connections = await openAll(plan, {
    onReply: (_connection, _op, err, latencyMs) => meter.record(latencyMs, err),
    onWatchEvent() {},
    onClosed(_connection, reason) {
      if (running) failure = reason;
    },
  });
  const beganAtMs = performance.now();
  let pinged = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - beganAtMs) / PING_INTERVAL_MS) * connections.length;
    for (; pinged < due; pinged++) {
      const connection = connections[pinged % connections.length] as LoadConnection;
      connection.send(ping, 0);
      connection.flush();
    }
  }, IDLE_STEP_MS);
  await sleep(plan.warmUpMs);
  meter.start();
  await sleep(plan.measureMs);
  const result = meter.stop();
  running = false;
  clearInterval(timer);
  for (const connection of connections) connection.destroy();
  if (failure !== null) throw new Error(`an idle session was lost: ${failure}`);
  return result;
}

/**
 * Asks every millisecond on a session of its own, whether the last answer has come or not, until its input ends: the
 * longest wait is the longest stall of the server, seen from outside. What this process itself was late is taken off:
 * then the answer lay in its socket. The server's own waits for a processor remain; the same probe beside the bare server
 * shows how much that is.
 */
async function measureProbe(plan: LoadPlan): Promise<LoadResult> {
  const meter = new Meter(plan.pids);
  const look = readTemplate(OP.exists, '/', false);
  let failure: string | null = null;
  let tickAtMs = performance.now();
  let tickLateMs = 0;
  const lateMs = (latencyMs: number): number => {
    const sinceTickMs = performance.now() - tickAtMs;
    const overdueMs = sinceTickMs - PROBE_INTERVAL_MS;
    return Math.max(0, overdueMs, latencyMs > sinceTickMs ? tickLateMs : 0);
  };
  const [connection] = await openAll(
    { ...plan, connections: 1, inFlight: PROBE_IN_FLIGHT_MAX },
    {
      onReply: (_connection, _op, err, latencyMs) => meter.record(Math.max(0, latencyMs - lateMs(latencyMs)), err),
      onWatchEvent() {},
      onClosed(_connection, reason) {
        failure = reason;
      },
    },
  );
  meter.start();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    tickLateMs = nowMs - tickAtMs - PROBE_INTERVAL_MS;
    tickAtMs = nowMs;
    if (connection === undefined || connection.inFlight >= PROBE_IN_FLIGHT_MAX) return;
    connection.send(look, 0);
    connection.flush();
  }, PROBE_INTERVAL_MS);
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('end', resolve).resume());
  clearInterval(timer);
  // What is still on its way belongs to the picture: the stall may be going on.
  while (connection !== undefined && connection.inFlight > 0 && failure === null) await sleep(1);
  if (failure !== null) throw new Error(`the probe lost its session: ${failure}`);
  connection?.destroy();
  return meter.stop();
}

const PROBE_INTERVAL_MS = 1;
/** Half a minute without an answer. */
const PROBE_IN_FLIGHT_MAX = 32_000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
