/**
 * Keeps a copy of a part of the tree up to date: what node, children and tree cache are made of. Read `tree-cache.ts` for what
 * its users see.
 *
 * One persistent watch tells which znodes were created, changed and deleted. Each such path becomes a task: read the znode
 * and put the answer into the copy. A path has one task at a time; what happens while it reads makes it read again, so
 * the last read of a path always comes after its last event, and answers cannot overtake each other.
 *
 * After a gap (a new connection: events may be missing) everything is checked, with a random delay, so that the clients of a
 * server that went away do not all read at once. A check asks for the znode's stat alone and reads its data only if mzxid moved
 * and its children's names only if pzxid moved: of a tree that did not change nothing is loaded again.
 */
import {
  ClientClosedError,
  childOf,
  type Namespace,
  NoNodeError,
  nameOf,
  parentOf,
  SessionLostError,
  type Stat,
  type Watch,
  type WatchEvent,
} from '@zoots/client';
import { closeWatch, endOf } from './changes.js';
import { type Deadline, isPassing, reread } from './deadline.js';
import { EventFan } from './event-fan.js';

/** A znode as it was read; data and stat belong together. */
export interface CachedNode {
  readonly path: string;
  readonly data: Buffer | null;
  /** As of when the data was read: `numChildren`, `cversion` and `pzxid` may be older than the cache's list of children. */
  readonly stat: Stat;
}

export type CacheEvent =
  | { readonly type: 'added'; readonly path: string; readonly node: CachedNode; readonly previous: null }
  | { readonly type: 'changed'; readonly path: string; readonly node: CachedNode; readonly previous: CachedNode }
  | { readonly type: 'removed'; readonly path: string; readonly node: null; readonly previous: CachedNode }
  /** The reader was too slow, and events were left out: look at the cache itself. `path` is the cache's. */
  | { readonly type: 'overflow'; readonly path: string; readonly node: null; readonly previous: null };

export interface CacheOptions {
  /** Longest random delay before the copy is checked after a reconnect. Default 1000. */
  readonly refreshJitterMs?: number | undefined;
  /** Znodes that are read at the same time. Default 32. */
  readonly parallelReadsMax?: number | undefined;
  /** Told of znodes that could not be read (no permission, for example); the cache does without them. */
  readonly onError?: ((error: Error, path: string) => void) | undefined;
}

/** `data`: read this znode. `check`: this znode and all below it, reading only what moved. */
type Work = 'data' | 'check';

interface Task {
  readonly path: string;
  work: Work;
  isRunning: boolean;
  /** What to do once more when the running read is answered. */
  again: Work | null;
  /** The znode was deleted after the read was sent: the answer is of the past. */
  isVoid: boolean;
}

const RETRY_MS = { min: 100, max: 5000 } as const;

export class Mirror implements AsyncDisposable {
  readonly path: string;
  readonly ready: Promise<void>;
  readonly events: EventFan<CacheEvent>;
  readonly nodes = new Map<string, CachedNode>();
  /** Names of the children known to exist, also of those that are not read yet. */
  readonly #names = new Map<string, Set<string>>();
  /** The pzxid of the last list of children that was read; not that of data reads, which may have skipped events. */
  readonly #listedPzxid = new Map<string, number>();
  readonly #tasks = new Map<string, Task>();
  #queue: Task[] = [];
  /** Where the queue begins: shift() of a long array costs its length. */
  #queueStart = 0;
  #runningCount = 0;
  readonly #zk: Namespace;
  readonly #depthMax: number;
  readonly #refreshJitterMs: number;
  readonly #parallelReadsMax: number;
  readonly #onError: (error: Error, path: string) => void;
  readonly #watch: Watch;
  readonly #timers = new Set<NodeJS.Timeout>();
  #refreshTimer: NodeJS.Timeout | null = null;
  #failedInARow = 0;
  /** The first check is on its way; events may come earlier, as soon as the server has the watch. */
  #isBegun = false;
  /** The connection was lost: until the gap is told, nobody knows what is missing. */
  #isCutOff = false;
  #isChecked = false;
  #closed = false;
  #failure: Error | null = null;
  readonly #idleListeners = new Set<() => void>();

  constructor(zk: Namespace, path: string, depthMax: number, options: CacheOptions) {
    this.path = path;
    this.#zk = zk;
    this.#depthMax = depthMax;
    this.#refreshJitterMs = options.refreshJitterMs ?? 1000;
    this.#parallelReadsMax = options.parallelReadsMax ?? 32;
    this.#onError = options.onError ?? (() => {});
    this.events = new EventFan<CacheEvent>({ type: 'overflow', path, node: null, previous: null });
    this.#watch = zk.watch(path, { recursive: depthMax > 0 }, (event) => this.#onEvent(event));
    zk.client.on('state', this.#onState);
    this.ready = this.#start();
    // Who does not ask for it is told by the iteration or by an empty cache.
    this.ready.catch(() => {});
  }

  /** Whether the copy is that of the server now, as far as events have arrived: connected, and nothing left to read. */
  get isCurrent(): boolean {
    return this.#isIdle && this.#isConnected;
  }

  children(path: string): string[] {
    const names = this.#names.get(path);
    if (names === undefined) return [];
    return [...names].filter((name) => this.nodes.has(childOf(path, name))).sort();
  }

  /** Waits until the copy has everything that was committed before the call. */
  async sync(deadline: Deadline): Promise<void> {
    await deadline.wait<void>((resolve, reject) => {
      this.ready.then(resolve, reject);
      return () => {};
    });
    await reread(this.#zk, deadline, (request) => this.#zk.sync(this.path, request));
    await deadline.wait<void>((resolve, reject) => {
      const settle = (): void => {
        if (this.#closed) reject(this.#failure ?? new Error(`the cache of ${this.path} is closed`));
        else if (this.#isIdle) resolve();
      };
      this.#idleListeners.add(settle);
      settle();
      return () => this.#idleListeners.delete(settle);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#end(null);
    await closeWatch(this.#zk.client, this.#watch);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    try {
      await this.#watch.ready;
    } catch (error) {
      if (!this.#closed) this.#end(error as Error);
      throw error;
    }
    this.#isBegun = true;
    this.#schedule(this.path, 'check');
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        if (!this.#isChecked && !this.#closed) return;
        this.#idleListeners.delete(settle);
        if (this.#isChecked) resolve();
        else reject(this.#failure ?? new Error(`the cache of ${this.path} was closed before it was loaded`));
      };
      this.#idleListeners.add(settle);
      settle();
    });
  }

  #end(failure: Error | null): void {
    this.#closed = true;
    this.#failure = failure;
    this.#zk.client.off('state', this.#onState);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#refreshTimer = null;
    this.#queue = [];
    this.#queueStart = 0;
    this.#tasks.clear();
    this.events.end(failure);
    for (const listener of [...this.#idleListeners]) listener();
  }

  readonly #onState = (): void => {
    const ended = endOf(this.#zk.client, this.path);
    if (ended !== null) this.#end(ended);
    else if (!this.#isConnected && this.#isBegun) this.#isCutOff = true;
  };

  get #isConnected(): boolean {
    const { state } = this.#zk.client;
    return state === 'connected' || state === 'read-only';
  }

  get #isIdle(): boolean {
    return this.#isChecked && !this.#isCutOff && this.#tasks.size === 0 && this.#refreshTimer === null;
  }

  #onEvent(event: WatchEvent): void {
    if (this.#closed || event.type === 'children') return;
    if (event.type === 'gap') {
      this.#isCutOff = false;
      this.#refresh();
      return;
    }
    const { path } = event;
    const depth = depthBelow(this.path, path);
    if (depth < 0 || depth > this.#depthMax) return;
    if (event.type === 'deleted') this.#onDeleted(path);
    else {
      if (depth > 0) this.#addName(path);
      this.#schedule(path, 'data');
    }
  }

  #onDeleted(path: string): void {
    this.#removeTree(path);
    const task = this.#tasks.get(path);
    if (task?.isRunning !== true) return;
    task.isVoid = true;
    task.again ??= 'data';
  }

  #refresh(): void {
    if (this.#refreshTimer !== null) return;
    this.#refreshTimer = this.#later(Math.random() * this.#refreshJitterMs, () => {
      this.#refreshTimer = null;
      this.#schedule(this.path, 'check');
    });
  }

  #later(delayMs: number, run: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delayMs);
    this.#timers.add(timer);
    return timer;
  }

  #schedule(path: string, work: Work): void {
    const task = this.#tasks.get(path);
    if (task === undefined) {
      const added: Task = { path, work, isRunning: false, again: null, isVoid: false };
      this.#tasks.set(path, added);
      this.#queue.push(added);
      this.#pump();
    } else if (task.isRunning) {
      if (task.again !== 'check') task.again = work;
    } else if (work === 'check') {
      task.work = work;
    }
  }

  #pump(): void {
    while (this.#runningCount < this.#parallelReadsMax && this.#queueStart < this.#queue.length) {
      void this.#run(this.#queue[this.#queueStart++] as Task);
    }
    if (this.#queueStart * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#queueStart);
    this.#queueStart = 0;
  }

  async #run(task: Task): Promise<void> {
    task.isRunning = true;
    this.#runningCount++;
    let delayMs = 0;
    try {
      await this.#visit(task);
      this.#failedInARow = 0;
    } catch (error) {
      delayMs = this.#onFailure(task, error as Error);
    }
    this.#runningCount--;
    if (this.#closed) return;
    this.#finish(task, delayMs);
    this.#pump();
    if (this.#tasks.size > 0 || !this.#isBegun) return;
    this.#isChecked = true;
    for (const listener of [...this.#idleListeners]) listener();
  }

  #finish(task: Task, delayMs: number): void {
    task.isRunning = false;
    task.isVoid = false;
    if (task.again === null) {
      this.#tasks.delete(task.path);
      return;
    }
    task.work = task.again;
    task.again = null;
    if (delayMs === 0) this.#queue.push(task);
    else {
      this.#later(delayMs, () => {
        this.#queue.push(task);
        this.#pump();
      });
    }
  }

  /** Returns how long to wait before the task is tried again; 0 if it is not. */
  #onFailure(task: Task, error: Error): number {
    if (this.#closed) return 0;
    if (error instanceof NoNodeError) {
      if (!task.isVoid) this.#removeTree(task.path);
      return 0;
    }
    if (error instanceof ClientClosedError) return 0;
    if (isPassing(error) || error instanceof SessionLostError) {
      if (task.again !== 'check') task.again = task.work;
      const pauseMsMax = Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** Math.min(this.#failedInARow++, 10));
      return 1 + Math.random() * pauseMsMax;
    }
    this.#removeTree(task.path);
    this.#onError(error, task.path);
    return 0;
  }

  async #visit(task: Task): Promise<void> {
    const { path } = task;
    const isDeep = task.work === 'check';
    const cached = this.nodes.get(path);
    let stat = cached === undefined || !isDeep ? null : await this.#zk.exists(path);
    if (this.#closed || task.isVoid) return;
    if (cached !== undefined && isDeep && stat === null) {
      this.#removeTree(path);
      return;
    }
    if (stat !== null && cached !== undefined && isSame(cached.stat, stat)) {
      this.#put({ ...cached, stat });
    } else {
      const answer = await this.#zk.get(path);
      if (this.#closed || task.isVoid) return;
      stat = answer.stat;
      this.#put({ path, data: answer.data, stat });
    }
    if (isDeep && depthBelow(this.path, path) < this.#depthMax) await this.#visitChildren(task, stat);
  }

  async #visitChildren(task: Task, stat: Stat): Promise<void> {
    const { path } = task;
    if (stat.numChildren === 0) this.#reconcile(path, []);
    else if (this.#listedPzxid.get(path) !== stat.pzxid) {
      const answer = await this.#zk.childrenWithStat(path);
      if (this.#closed || task.isVoid) return;
      this.#listedPzxid.set(path, answer.stat.pzxid);
      this.#reconcile(path, answer.children);
    }
    for (const name of this.#names.get(path) ?? []) this.#schedule(childOf(path, name), 'check');
  }

  #reconcile(path: string, children: readonly string[]): void {
    const present = new Set(children);
    for (const name of [...(this.#names.get(path) ?? [])]) {
      const child = childOf(path, name);
      // A child with a task was heard of after the list was read, or will be found gone by its own read.
      if (!present.has(name) && !this.#tasks.has(child)) this.#removeTree(child);
    }
    for (const name of children) this.#addName(childOf(path, name));
  }

  #put(node: CachedNode): void {
    const previous = this.nodes.get(node.path);
    this.nodes.set(node.path, node);
    if (node.path !== this.path) this.#addName(node.path);
    if (previous === undefined) this.events.emit({ type: 'added', path: node.path, node, previous: null });
    else if (!isSame(previous.stat, node.stat)) {
      this.events.emit({ type: 'changed', path: node.path, node, previous });
    }
  }

  #addName(path: string): void {
    const parent = parentOf(path);
    const names = this.#names.get(parent);
    if (names === undefined) this.#names.set(parent, new Set([nameOf(path)]));
    else names.add(nameOf(path));
  }

  /** Children first, as they were deleted. */
  #removeTree(path: string): void {
    for (const name of [...(this.#names.get(path) ?? [])]) this.#removeTree(childOf(path, name));
    this.#names.delete(path);
    this.#listedPzxid.delete(path);
    if (path !== this.path) {
      const names = this.#names.get(parentOf(path));
      if (names?.delete(nameOf(path)) === true && names.size === 0) this.#names.delete(parentOf(path));
    }
    const previous = this.nodes.get(path);
    if (previous === undefined) return;
    this.nodes.delete(path);
    this.events.emit({ type: 'removed', path, node: null, previous });
  }
}

/** The same znode with the same data: one that was created anew has another mzxid, too. */
function isSame(a: Stat, b: Stat): boolean {
  return a.mzxid === b.mzxid;
}

/** How many levels `path` is below `root`: 0 for itself, -1 if it is elsewhere. */
function depthBelow(root: string, path: string): number {
  if (path === root) return 0;
  const prefix = root === '/' ? '/' : `${root}/`;
  if (!path.startsWith(prefix)) return -1;
  let depth = 1;
  for (let i = prefix.length; i < path.length; i++) if (path[i] === '/') depth++;
  return depth;
}
