/**
 * Recipes in several processes while lines are cut, sessions lost, processes killed and the server restarted: nothing is lost, nothing
 * is done twice without a death, and every copy is equal to the tree in the end.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { connect, type ZooKeeper } from '@zoots/client';
import {
  Barrier,
  ChildrenCache,
  Counter,
  DoubleBarrier,
  LockingQueue,
  NodeCache,
  Queue,
  TreeCache,
} from '@zoots/recipes';
import { Prng } from '../differential/prng.js';
import { freePort } from '../peers/peer.js';
import { projectRoot } from '../peers/versions.js';
import { FlakyLine } from './flaky-line.js';
import { type RecipeRow, type Stage, until } from './row.js';
import type { WorkKind, WorkReport, WorkSettings } from './worker.js';

const script = join(projectRoot, 'packages', 'e2e', 'dist', 'recipes', 'worker.js');

/** Longer than a server takes to start again on a busy machine: the client of the row keeps its session. */
const clientOptions = { sessionTimeoutMs: 40_000, backoff: { minMs: 10, maxMs: 100 }, timeoutMs: 30_000 };

class Worker {
  readonly who: string;
  readonly reports: WorkReport[] = [];
  wasKilled = false;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  constructor(settings: WorkSettings, onReport: (worker: Worker, report: WorkReport) => void = () => {}) {
    this.who = settings.who;
    this.#child = fork(script, [JSON.stringify(settings)]);
    this.#child.on('message', (report: WorkReport) => {
      this.reports.push(report);
      onReport(this, report);
    });
    this.#exited = new Promise((resolve) => this.#child.once('exit', (code) => resolve(code)));
  }

  get isReady(): boolean {
    return this.reports.some(({ type }) => type === 'ready');
  }

  async kill(): Promise<void> {
    this.wasKilled = true;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Ends in peace, or the row fails. */
  async stop(): Promise<void> {
    if (this.wasKilled) return;
    if (this.#child.connected) this.#child.send('stop');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 30_000);
    const code = await this.#exited;
    clearTimeout(timer);
    assert.equal(code, 0, `${this.who} ended with ${code}`);
  }
}

/** Workers of one kind; they are killed if the row fails. */
class Crew implements AsyncDisposable {
  readonly workers: Worker[] = [];
  readonly #settings: Omit<WorkSettings, 'who'>;
  readonly #onReport: (worker: Worker, report: WorkReport) => void;

  constructor(
    kind: WorkKind,
    connectString: string,
    path: string,
    options: { items?: readonly string[]; onReport?: (worker: Worker, report: WorkReport) => void } = {},
  ) {
    this.#settings = { kind, connectString, path, items: options.items ?? [] };
    this.#onReport = options.onReport ?? (() => {});
  }

  get alive(): Worker[] {
    return this.workers.filter((worker) => !worker.wasKilled);
  }

  async hire(count: number): Promise<void> {
    const hired: Worker[] = [];
    for (let i = 0; i < count; i++) {
      const who = `w${this.workers.length}`;
      const worker = new Worker({ ...this.#settings, who }, this.#onReport);
      this.workers.push(worker);
      hired.push(worker);
    }
    await until('the workers are ready', () => hired.every((worker) => worker.isReady), 30_000);
  }

  async stop(): Promise<void> {
    await Promise.all(this.alive.map((worker) => worker.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.alive.map((worker) => worker.kill()));
  }
}

function row(name: string, run: (stage: Stage, client: ZooKeeper) => Promise<void>): RecipeRow {
  const runWithClient = async (stage: Stage): Promise<void> => {
    await using client = await connect(stage.connectString, clientOptions);
    await run(stage, client);
  };
  return { name: `chaos: ${name}`, run: runWithClient, isForEnsembles: true };
}

/** Lines to all servers that can be cut. */
class Lines implements AsyncDisposable {
  readonly #lines: readonly FlakyLine[];

  private constructor(lines: readonly FlakyLine[]) {
    this.#lines = lines;
  }

  static async open({ ports }: Stage): Promise<Lines> {
    const lines: FlakyLine[] = [];
    for (const port of ports) lines.push(await FlakyLine.open(await freePort(), port));
    return new Lines(lines);
  }

  get connectString(): string {
    return this.#lines.map(({ port }) => `127.0.0.1:${port}`).join();
  }

  cutAll(): void {
    for (const line of this.#lines) line.cutAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const line of this.#lines) await line[Symbol.asyncDispose]();
  }
}

const doubleBarrier = row('double barrier, 20 rounds of 6', async ({ root, connectString }, client) => {
  const others = await Promise.all([1, 2].map(() => connect(connectString, clientOptions)));
  let inside = 0;
  const member = async (zk: ZooKeeper): Promise<void> => {
    const barrier = new DoubleBarrier(zk, `${root}/barrier`, 6);
    for (let round = 0; round < 20; round++) {
      await barrier.enter({ timeoutMs: 20_000 });
      inside++;
      await until('all are inside', () => inside === 6 * (round + 1));
      await barrier.leave({ timeoutMs: 20_000 });
    }
  };
  await Promise.all([client, ...others].flatMap((zk) => [member(zk), member(zk)]));
  assert.deepEqual(await client.children(`${root}/barrier`), []);
  await Promise.all(others.map((zk) => zk.close()));
});

const membership = row('group with process kills', async ({ root, connectString }, client) => {
  const path = `${root}/group`;
  await using cache = new ChildrenCache(client, path, { refreshJitterMs: 50 });
  await cache.ready;
  await using crew = new Crew('member', connectString, path);
  await crew.hire(4);
  const expect = async (): Promise<void> => {
    const names = crew.alive.map(({ who }) => who).sort();
    await until(`${names} are the members`, () => cache.names().join() === names.join());
  };
  await expect();
  for (const victim of crew.workers.slice(0, 2)) await victim.kill();
  await expect();
  await crew.hire(1);
  await expect();
  await crew.stop();
  await until('nobody is left', () => cache.size === 0);
});

const lockingQueue = row('locking queue with kills, cuts and a restart', async (stage, client) => {
  const { root, connectString } = stage;
  const path = `${root}/queue`;
  const takers = new Map<string, Worker[]>();
  const doneBy = new Map<string, Worker[]>();
  const lost = new Set<string>();
  const onReport = (worker: Worker, { type, what }: WorkReport): void => {
    if (type === 'took') takers.set(what, [...(takers.get(what) ?? []), worker]);
    if (type === 'done') doneBy.set(what, [...(doneBy.get(what) ?? []), worker]);
    if (type === 'lost') lost.add(`${what} ${worker.who}`);
  };
  await using line = await Lines.open(stage);
  await using direct = new Crew('consumer', connectString, path, { onReport });
  await using flaky = new Crew('consumer', line.connectString, path, { onReport });
  await Promise.all([direct.hire(3), flaky.hire(2)]);
  const queue = new LockingQueue(client, path);
  const entries: string[] = [];
  const put = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) entries.push(await queue.put(`entry ${i}`));
  };
  await put(100);
  await (direct.workers[0] as Worker).kill();
  line.cutAll();
  await put(100);
  await direct.hire(1);
  await (direct.workers[1] as Worker).kill();
  await stage.restartServer();
  line.cutAll();
  await put(100);
  await until('the queue is empty', async () => (await queue.size()) === 0, 60_000);
  await Promise.all([direct.stop(), flaky.stop()]);

  let again = 0;
  for (const name of entries) {
    const done = doneBy.get(name) ?? [];
    const took = takers.get(name) ?? [];
    assert.ok(took.length > 0, `${name} was delivered to nobody`);
    assert.ok(done.length <= 1, `${name} was done by ${done.map(({ who }) => who)}`);
    // Without a word of its end it must have been in the hands of somebody who died then, or lost its session.
    const last = took.at(-1) as Worker;
    if (done.length === 0) assert.ok(last.wasKilled || lost.has(`${name} ${last.who}`), `${name} was lost`);
    for (const worker of took.slice(0, -1)) {
      assert.ok(worker.wasKilled || lost.has(`${name} ${worker.who}`), `${name} was delivered again without a death`);
    }
    again += took.length - 1;
  }
  await until('nothing is held', async () => (await client.children(`${path}/taken`)).length === 0);
  stage.note(`${entries.length} entries, ${again} delivered again, ${lost.size} lost by their holders`);
});

const counters = row('counter with cuts and a restart', async (stage, client) => {
  const path = `${stage.root}/counter`;
  const counts: Record<string, number> = {};
  const onReport = (_: Worker, { type, what }: WorkReport): void => {
    if (type === 'added') counts[what] = (counts[what] ?? 0) + 1;
  };
  await using line = await Lines.open(stage);
  await using crew = new Crew('adder', line.connectString, path, { onReport });
  await crew.hire(4);
  const added = (): number => counts.yes ?? 0;
  for (let cut = 0; cut < 8; cut++) {
    const before = added();
    await until('some are added', () => added() > before + 20);
    line.cutAll();
    if (cut === 4) await stage.restartServer();
  }
  await crew.stop();
  await client.sync(path);
  const value = await new Counter(client, path).get();
  const { unknown = 0 } = counts;
  assert.ok(value >= added() && value <= added() + unknown, `${value} for ${added()} and perhaps ${unknown}`);
  stage.note(`${added()} added, ${unknown} with an unknown outcome, counted ${value}`);
});

const partitions = row('partition with kills and a restart', async (stage, client) => {
  const path = `${stage.root}/set`;
  const items = Array.from({ length: 12 }, (_, i) => `item-${i}`);
  const owners = new Map<string, Worker>();
  const tokens = new Map<string, number>();
  const problems: string[] = [];
  const onReport = (worker: Worker, { type, what, token }: WorkReport): void => {
    if (type === 'disowns' && owners.get(what) === worker) owners.delete(what);
    if (type !== 'owns') return;
    const owner = owners.get(what);
    if (owner !== undefined && owner !== worker && !owner.wasKilled) {
      problems.push(`${what} belonged to ${owner.who} when ${worker.who} got it`);
    }
    if (token <= (tokens.get(what) ?? 0)) problems.push(`${what}: token ${token} after ${tokens.get(what)}`);
    owners.set(what, worker);
    tokens.set(what, token);
  };
  await using crew = new Crew('partition', stage.connectString, path, { items, onReport });
  const divided = (): Promise<void> =>
    until(
      'all items are owned by all who are alive',
      () => {
        const alive = new Set([...owners.values()].filter((worker) => !worker.wasKilled));
        const isOwned = items.every((item) => owners.get(item)?.wasKilled === false);
        return isOwned && alive.size === crew.alive.length;
      },
      30_000,
    );
  await crew.hire(3);
  await divided();
  await crew.hire(1);
  await divided();
  await (crew.workers[0] as Worker).kill();
  await divided();
  await stage.restartServer();
  await crew.hire(1);
  await divided();
  await (crew.workers[2] as Worker).stop();
  crew.workers.splice(2, 1);
  await divided();
  await crew.stop();
  assert.deepEqual(problems, []);
  await until('no claim is left', async () => (await client.children(`${path}/claims`)).length === 0);
});

const together = row('waits and caches of one client on one path', async ({ root, connectString }, client) => {
  await using other = await connect(connectString, clientOptions);
  const path = `${root}/shared`;
  await using early = new TreeCache(client, path);
  await early.ready;
  const queue = new Queue(client, path);
  const taking = queue.take({ timeoutMs: 10_000 });
  await using late = new ChildrenCache(client, path);
  await late.ready;
  const barrier = new Barrier(client, path);
  await other.ensurePath(path);
  const waiting = barrier.wait({ timeoutMs: 10_000 });
  await other.create(`${path}/znode`, 'is in both caches');
  await new Queue(other, path).put('entry');
  assert.equal(String(await taking), 'entry');
  await Promise.all([early.sync(), late.sync()]);
  assert.deepEqual([early.children(path), late.names()], [['znode'], ['znode']]);
  // The wait is over and its watch is gone: the caches must go on.
  await other.create(`${path}/znode/below`);
  await early.sync();
  assert.equal(early.size, 3);
  await other.deleteRecursive(path);
  await waiting;
  await early.sync();
  assert.equal(early.size, 0);
});

/** Path, data and mzxid of every znode. */
async function treeOf(client: ZooKeeper, root: string): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  for await (const path of client.descendants(root)) {
    const { data, stat } = await client.get(path);
    tree.set(path, `${data?.toString()} ${stat.czxid} ${stat.mzxid}`);
  }
  return tree;
}

const treeCache = row('tree cache with cuts, lost sessions and a restart', async (stage, client) => {
  const root = `${stage.root}/tree`;
  await client.create(root, 'root');
  await using line = await Lines.open(stage);
  await using watcher = await connect(line.connectString, { ...clientOptions, sessionTimeoutMs: 1_500 });
  await using cache = new TreeCache(watcher, root, { refreshJitterMs: 50 });
  await using children = new ChildrenCache(watcher, root, { refreshJitterMs: 50 });
  const single = `${root}/n0`;
  await using node = new NodeCache(watcher, single, { refreshJitterMs: 50 });
  await Promise.all([cache.ready, children.ready, node.ready]);
  const copy = new Map<string, string>();
  cache.on(({ path, node: now }) => {
    if (now === null) copy.delete(path);
    else copy.set(path, `${now.data?.toString()} ${now.stat.czxid} ${now.stat.mzxid}`);
  });
  copy.set(root, `root ${cache.get(root)?.stat.czxid} ${cache.get(root)?.stat.mzxid}`);
  const prng = new Prng(20_26);
  let sessions = 0;
  watcher.on('session', () => sessions++);
  for (let phase = 0; phase < 9; phase++) {
    await disturb(phase, stage, line, watcher);
    for (let i = 0; i < 150; i++) await change(client, root, prng);
    if (phase % 3 === 2) await compare(client, root, cache, children, node, copy);
  }
  stage.note(`${cache.size} znodes, ${sessions} new sessions`);
});

async function disturb(phase: number, stage: Stage, line: Lines, watcher: ZooKeeper): Promise<void> {
  if (phase === 3) await stage.restartServer();
  else if (phase % 3 === 1) await endSession(stage, watcher);
  else line.cutAll();
}

/** Somebody who knows the session's password closes it: the same as its expiry for its owner. */
async function endSession(stage: Stage, victim: ZooKeeper): Promise<void> {
  const { id, password } = await victim.connected({ timeoutMs: 10_000 });
  const thief = await connect(stage.connectString, { session: { id, password }, timeoutMs: 10_000 });
  await thief.close();
}

async function change(client: ZooKeeper, root: string, prng: Prng): Promise<void> {
  const name = (): string => `n${prng.below(6)}`;
  const path = [root, name(), ...(prng.below(3) > 0 ? [name()] : []), ...(prng.below(3) === 0 ? [name()] : [])].join(
    '/',
  );
  const what = prng.below(10);
  try {
    if (what < 5) await client.create(path, String(prng.below(1000)), { parents: true });
    else if (what < 8) await client.set(path, String(prng.below(1000)));
    else if (what < 9) await client.delete(path);
    else await client.deleteRecursive(path);
  } catch {
    // Most changes of a random tree are not possible.
  }
}

async function compare(
  client: ZooKeeper,
  root: string,
  cache: TreeCache,
  children: ChildrenCache,
  node: NodeCache,
  copy: ReadonlyMap<string, string>,
): Promise<void> {
  await Promise.all([cache, children, node].map((one) => one.sync({ timeoutMs: 20_000 })));
  const tree = await treeOf(client, root);
  const cached = cache
    .entries()
    .map(({ path, data, stat }) => [path, `${data?.toString()} ${stat.czxid} ${stat.mzxid}`]);
  assert.deepEqual(Object.fromEntries(cached), Object.fromEntries(tree));
  assert.deepEqual(new Map([...copy].sort()), new Map([...tree].sort()), 'the events do not add up to the tree');
  assert.deepEqual(children.names(), (await client.children(root)).sort());
  assert.equal(node.current?.stat.mzxid, (await client.exists(node.path))?.mzxid);
}

export const chaosRows: readonly RecipeRow[] = [
  doubleBarrier,
  membership,
  lockingQueue,
  counters,
  partitions,
  together,
  treeCache,
];
