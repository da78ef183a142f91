/**
 * Sessions by the thousand, and what has to be there before anything is measured: opens all sessions of a plan, a few at
 * a time, and creates the znodes that a mode needs.
 */
import { LoadConnection, type Traffic } from './connection.js';
import { createTemplate, keyPath, OP, PARENTS, pathTemplate, ROOT, readTemplate, type Template } from './frames.js';
import type { LoadPlan } from './load.js';

const ERR_NO_NODE = -101;
const ERR_NODE_EXISTS = -110;
/** Setup keeps this many creates in flight on each connection, below every server's limit on outstanding requests. */
const SETUP_IN_FLIGHT = 200;
/** More than these creates are dealt over several connections. */
const SETUP_ALONE_MAX = 5_000;
const SETUP_CONNECTIONS = 4;
/** A session that takes longer than this to open has failed. */
const CONNECT_TIMEOUT_MS = 30_000;
/** Sessions that are being opened at the same time: Apache's accept queue holds 50, and a SYN beyond it waits a second. */
const OPENING_MAX = 40;

class RequestError extends Error {
  readonly code: number;
  constructor(root: string, code: number) {
    super(`setting up ${root} failed: error ${code}`);
    this.code = code;
  }
}

export function portOf(plan: LoadPlan, index: number): number {
  return plan.ports[index % plan.ports.length] as number;
}

/** The znode that all others of the plan live under. */
export function rootOf(plan: LoadPlan): string {
  return plan.root ?? ROOT;
}

export function watchedPath(plan: LoadPlan): string {
  return `${rootOf(plan)}-watched`;
}

/** A server that is measured several times keeps its znodes, so each run creates under parents of its own. */
export function parentPath(plan: LoadPlan, index: number): string {
  return `${rootOf(plan)}-run-${plan.runId}-${index}`;
}

/** Makes the znodes that the mode needs; those that an earlier run made are welcome. */
export async function setUp(plan: LoadPlan): Promise<void> {
  const root = rootOf(plan);
  const singles = [root, watchedPath(plan)];
  if (plan.mode === 'create' || plan.mode === 'bulk')
    for (let i = 0; i < PARENTS; i++) singles.push(parentPath(plan, i));
  await createAll({ ...plan, connections: 1, inFlight: SETUP_IN_FLIGHT }, singles.length, (i) => [
    createTemplate(singles[i] as string, 0),
    0,
  ]);
  await setUpKeys(plan);
  // The other servers may be behind: after a sync they have it all.
  for (const port of plan.ports.slice(1))
    await createAll({ ...plan, ports: [port], connections: 1 }, 1, () => [pathTemplate(OP.sync, root), 0]);
}

async function setUpKeys(plan: LoadPlan): Promise<void> {
  const path = keyPath(`${rootOf(plan)}/k`);
  if (plan.keys > 0 && (await exists(plan, readTemplate(OP.exists, path, false), plan.keys - 1))) return;
  const key = createTemplate(path, plan.dataBytes);
  const connections = plan.keys > SETUP_ALONE_MAX ? SETUP_CONNECTIONS : 1;
  // A large value is sent alone: Apache's queue of requests is not the place to learn how much memory it has.
  const inFlight = plan.dataBytes > 10_000 ? 4 : SETUP_IN_FLIGHT;
  await createAll({ ...plan, connections, inFlight }, plan.keys, (i) => [key, i]);
}

/** An earlier run that came to the end made them all: a million creates that fail take as long as the first ones did. */
async function exists(plan: LoadPlan, template: Template, key: number): Promise<boolean> {
  try {
    await createAll({ ...plan, connections: 1, inFlight: 1 }, 1, () => [template, key]);
    return true;
  } catch (error) {
    if (error instanceof RequestError && error.code === ERR_NO_NODE) return false;
    throw error;
  }
}

/** Sends `count` requests over the connections of a plan, all to its first server, and waits for all answers. */
export async function createAll(
  plan: LoadPlan,
  count: number,
  requestAt: (i: number) => [Template, number],
): Promise<void> {
  if (count === 0) return;
  let sent = 0;
  let answered = 0;
  let finish: (failure: Error | null) => void = () => {};
  const finished = new Promise<void>((resolve, reject) => {
    finish = (failure) => (failure === null ? resolve() : reject(failure));
  });
  // A failure while sessions are being opened is openAll's to report.
  finished.catch(() => {});
  const sendOne = (connection: LoadConnection): void => {
    if (sent === count) return;
    const [template, key] = requestAt(sent++);
    connection.send(template, key);
  };
  const connections = await openAll(
    { ...plan, ports: plan.ports.slice(0, 1) },
    {
      onReply(connection, _op, err) {
        if (err !== 0 && err !== ERR_NODE_EXISTS) finish(new RequestError(rootOf(plan), err));
        answered += 1;
        if (answered === count) finish(null);
        else sendOne(connection);
      },
      onWatchEvent() {},
      onClosed: (_connection, reason) => finish(new Error(`the server refused the setup: ${reason}`)),
    },
  );
  for (const connection of connections) {
    for (let i = 0; i < plan.inFlight; i++) sendOne(connection);
    connection.flush();
  }
  try {
    await finished;
  } finally {
    for (const connection of connections) connection.destroy();
  }
}

/** Opens all sessions of a plan; resolves when every one is established. */
export function openAll(plan: LoadPlan, traffic: Omit<Traffic, 'onReady'>): Promise<LoadConnection[]> {
  return new Promise((resolve, reject) => {
    const connections: LoadConnection[] = [];
    let ready = 0;
    let patience: NodeJS.Timeout | undefined;
    const onReady = (): void => {
      ready += 1;
      clearTimeout(patience);
      if (ready === plan.connections) resolve(connections);
      else openMore();
    };
    const onClosed: Traffic['onClosed'] = (connection, reason) => {
      clearTimeout(patience);
      reject(new Error(`connection ${connection.index}: ${reason}`));
      traffic.onClosed(connection, reason);
    };
    const all: Traffic = { onReply: traffic.onReply, onWatchEvent: traffic.onWatchEvent, onReady, onClosed };
    const openMore = (): void => {
      patience = setTimeout(
        () => reject(new Error(`only ${ready} of ${plan.connections} sessions, none for ${CONNECT_TIMEOUT_MS} ms`)),
        CONNECT_TIMEOUT_MS,
      );
      while (connections.length < plan.connections && connections.length - ready < OPENING_MAX) {
        const index = connections.length;
        connections.push(new LoadConnection(index, plan.host, portOf(plan, index), plan.inFlight, all));
      }
    };
    openMore();
  });
}
