/**
 * Every operation on znodes, below a prefix. A client is itself the namespace of its chroot; `namespace('/app')` gives a narrower view of
 * the same session. Paths, in and out and in events, are relative to it.
 *
 * Every call returns a promise, takes `signal` and `timeoutMs`, and rejects with an error of errors.ts. Calls of one client are served in
 * the order in which they were made, so there is no need to await one before the next.
 */
import type { ZooKeeper } from './client.js';
import type { Codec } from './codec.js';
import { BadVersionError, ConnectionLossError, NodeExistsError, NoNodeError } from './errors.js';
import {
  CHILDREN,
  CHILDREN_WITH_STAT,
  COUNT_DESCENDANTS,
  CREATE,
  CREATE_WITH_STAT,
  DELETE,
  EPHEMERALS,
  EXISTS,
  GET,
  GET_ACL,
  type Operation,
  type PathArguments,
  REMOVE_WATCHES,
  SET,
  SET_ACL,
  SYNC,
} from './operations.js';
import { checkPath, joinBase, parentOf } from './paths.js';
import { createProtected } from './protected-create.js';
import { bytesOf, createArguments } from './records.js';
import type { WatchAsk, WatchList } from './session-core/index.js';
import type { SessionShell } from './session-shell.js';
import { deleteRecursive, descendants, ensurePath } from './subtree.js';
import { MultiRead, Transaction } from './transaction.js';
import type {
  Acl,
  CallOptions,
  CreatedNode,
  CreateOptions,
  Data,
  NodeAcl,
  NodeChildren,
  NodeData,
  NodeOptions,
  ReadOptions,
  Stat,
  VersionOptions,
  WatchKind,
  WatchListener,
  WatchOptions,
} from './types.js';
import { WATCHER_TYPE, Watch } from './watch.js';
import { OneShotWatcher } from './watch-events.js';
import { ZNode } from './znode.js';

/** Where the server's consent puts a one-shot watch, and where it goes if the znode is missing. */
interface OneShotLists {
  readonly list: WatchList;
  readonly listIfMissing: WatchList | null;
}

const DATA_LISTS: OneShotLists = { list: 'data', listIfMissing: null };
const EXISTS_LISTS: OneShotLists = { list: 'data', listIfMissing: 'exist' };
const CHILD_LISTS: OneShotLists = { list: 'child', listIfMissing: null };

const LISTS_OF: Readonly<Record<WatchKind, readonly WatchList[]>> = {
  children: ['child'],
  data: ['data', 'exist'],
  any: ['data', 'exist', 'child', 'persistent', 'recursive'],
  persistent: ['persistent'],
  recursive: ['recursive'],
};

export class Namespace {
  /** '' for a client itself, otherwise as given to {@link namespace}, nested ones joined. */
  readonly prefix: string;
  readonly #shell: SessionShell;
  /** The chroot and the prefix: what server paths begin with. */
  readonly #base: string;
  readonly #client: ZooKeeper | null;
  /** One watcher per listener: registered twice for a path, it is still called once per event. */
  readonly #oneShots = new WeakMap<WatchListener, OneShotWatcher>();

  /** Made by {@link namespace}; `client` is null for the client itself. */
  protected constructor(shell: SessionShell, base: string, prefix: string, client: ZooKeeper | null) {
    this.#shell = shell;
    this.#base = base;
    this.prefix = prefix;
    this.#client = client;
  }

  /** The client whose session this is. */
  get client(): ZooKeeper {
    return this.#client ?? (this as unknown as ZooKeeper);
  }

  /** The same session, seen from below a path, which need not exist ({@link ensurePath} of `/` makes it). */
  namespace(prefix: string): Namespace {
    checkPath(prefix, 'namespace');
    if (prefix === '/') return this;
    return new Namespace(this.#shell, joinBase(this.#base, prefix), this.prefix + prefix, this.client);
  }

  #full(path: string, operation: string): string {
    checkPath(path, operation);
    return joinBase(this.#base, path);
  }

  // ---- writing ----

  /**
   * Creates a znode; resolves with its path as the server named it.
   *
   * @throws {NodeExistsError} it is there already
   * @throws {NoNodeError} the parent does not exist (see the option `parents`)
   * @throws {NoChildrenForEphemeralsError} the parent is ephemeral
   */
  create(path: string, data: Data = null, options?: CreateOptions): Promise<string> {
    if (options?.protected === true || options?.parents !== undefined) {
      return this.createWithStat(path, data, options).then((node) => node.path);
    }
    return this.#create(CREATE, path, data, options);
  }

  /** As {@link create}, with the new znode's stat. Needs a server of 3.5 or later. */
  async createWithStat(path: string, data: Data = null, options: CreateOptions = {}): Promise<CreatedNode> {
    const once = (at: string, content: Data, limits: NodeOptions & CallOptions): Promise<CreatedNode> =>
      this.#create(CREATE_WITH_STAT, at, content, limits);
    const make = (): Promise<CreatedNode> =>
      options.protected === true ? createProtected(this, once, path, data, options) : once(path, data, options);
    if (options.parents === undefined || options.parents === false) return make();
    try {
      return await make();
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error;
      const { signal, timeoutMs } = options;
      const mode = options.parents === 'container' ? 'container' : 'persistent';
      await this.ensurePath(parentOf(path), { mode, signal, timeoutMs });
      return make();
    }
  }

  #create<R>(
    operation: typeof CREATE | typeof CREATE_WITH_STAT,
    path: string,
    data: Data,
    options: (NodeOptions & CallOptions) | undefined,
  ): Promise<R> {
    return this.#run(() => {
      // A sequential znode may have no name of its own: `/queue/`.
      const isSequential = options?.mode?.includes('sequential') === true;
      checkPath(isSequential ? `${path}0` : path, 'create');
      const args = createArguments(joinBase(this.#base, path), data, options);
      return this.#shell.call(operation as Operation<typeof args, R>, args, this.#base, options);
    });
  }

  /** What is wrong with the arguments comes as a rejection, too. */
  #run<R>(make: () => Promise<R>): Promise<R> {
    try {
      return make();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Replaces the data; resolves with the new stat.
   *
   * @throws {BadVersionError} `version` is given, and the znode has another one
   */
  set(path: string, data: Data, options?: VersionOptions): Promise<Stat> {
    return this.#run(() => {
      const args = { path: this.#full(path, 'set'), data: bytesOf(data), version: options?.version ?? -1 };
      return this.#shell.call(SET, args, this.#base, options);
    });
  }

  /**
   * @throws {NotEmptyError} the znode has children (see {@link deleteRecursive})
   * @throws {BadVersionError} `version` is given, and the znode has another one
   */
  delete(path: string, options?: VersionOptions): Promise<void> {
    return this.#run(() => {
      const args = { path: this.#full(path, 'delete'), version: options?.version ?? -1 };
      return this.#shell.call(DELETE, args, this.#base, options);
    });
  }

  /** `version` is that of the ACL (`stat.aversion`). */
  setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat> {
    return this.#run(() => {
      const args = { path: this.#full(path, 'setAcl'), acl, version: options?.version ?? -1 };
      return this.#shell.call(SET_ACL, args, this.#base, options);
    });
  }

  /** Several changes, all or none: `.create(…).set(…).commit()`. */
  transaction(): Transaction<[]> {
    return new Transaction<[]>(this.#shell, this.#base);
  }

  // ---- reading ----

  /** @throws {NoNodeError} it does not exist */
  get(path: string, options?: ReadOptions): Promise<NodeData> {
    return this.#read(GET, path, options, DATA_LISTS);
  }

  /** The stat, or null if there is no such znode. A watch here also hears of its creation. */
  exists(path: string, options?: ReadOptions): Promise<Stat | null> {
    return this.#read(EXISTS, path, options, EXISTS_LISTS);
  }

  /** The children's names, in no particular order. */
  children(path: string, options?: ReadOptions): Promise<string[]> {
    return this.#read(CHILDREN, path, options, CHILD_LISTS);
  }

  childrenWithStat(path: string, options?: ReadOptions): Promise<NodeChildren> {
    return this.#read(CHILDREN_WITH_STAT, path, options, CHILD_LISTS);
  }

  #read<R>(
    operation: Operation<PathArguments, R>,
    path: string,
    options: ReadOptions | undefined,
    lists: OneShotLists,
  ): Promise<R> {
    return this.#run(() => {
      const full = this.#full(path, operation.name);
      const listener = options?.watch;
      const ask = listener === undefined ? null : this.#oneShot(full, listener, lists);
      return this.#shell.call(operation, { path: full, watch: ask !== null }, this.#base, options, ask);
    });
  }

  #oneShot(path: string, listener: WatchListener, lists: OneShotLists): WatchAsk {
    let watcher = this.#oneShots.get(listener);
    if (watcher === undefined) {
      watcher = new OneShotWatcher(listener, this.#base);
      this.#oneShots.set(listener, watcher);
    }
    return { path, watcher, ...lists };
  }

  getAcl(path: string, options?: CallOptions): Promise<NodeAcl> {
    return this.#run(() => this.#shell.call(GET_ACL, { path: this.#full(path, 'getAcl') }, this.#base, options));
  }

  /** Waits until this server has seen everything that was committed before: reads after it are as fresh as the leader's. */
  sync(path: string, options?: CallOptions): Promise<void> {
    return this.#run(() => this.#shell.call(SYNC, { path: this.#full(path, 'sync') }, this.#base, options));
  }

  /** Paths of this session's ephemeral znodes at or below a path. Needs a server of 3.6 or later. */
  ephemerals(prefix = '/', options?: CallOptions): Promise<string[]> {
    return this.#run(() =>
      this.#shell.call(EPHEMERALS, { path: this.#full(prefix, 'ephemerals') }, this.#base, options),
    );
  }

  /** How many znodes there are below a path, at any depth. Needs a server of 3.6 or later. */
  countDescendants(path: string, options?: CallOptions): Promise<number> {
    return this.#run(() =>
      this.#shell.call(COUNT_DESCENDANTS, { path: this.#full(path, 'countDescendants') }, this.#base, options),
    );
  }

  /** Several reads in one round trip: `.get(…).children(…).commit()`. */
  multiRead(): MultiRead<[]> {
    return new MultiRead<[]>(this.#shell, this.#base);
  }

  // ---- watching ----

  /**
   * A persistent watch, of one znode or with `recursive` of its whole subtree. Iterate over it, or give a listener. The path need not
   * exist. Needs a server of 3.6 or later; one-shot watches are the option `watch` of the reads.
   *
   * Apache's servers from 3.6 to 3.8 keep one kind of watch for each path and connection, the one that was set last: there, have no
   * one-shot watch, nor one of the other kind, on the very path of a persistent watch.
   */
  watch(path: string, options: WatchOptions = {}, listener: WatchListener | null = null): Watch {
    const full = this.#full(path, 'watch');
    return new Watch(this.#shell, this.#base, full, options, listener);
  }

  /**
   * Takes watches of a path away, here and at the server; iterations over them end.
   *
   * @throws {NoWatcherError} the server has no such watch; with `local` they are taken away here all the same
   */
  async removeWatches(
    path: string,
    kind: WatchKind = 'any',
    options: CallOptions & { readonly local?: boolean } = {},
  ): Promise<void> {
    const full = this.#full(path, 'removeWatches');
    const onRemoved = (): void => this.#shell.core.watches.remove(LISTS_OF[kind], full);
    try {
      await this.#shell.call(REMOVE_WATCHES, { path: full, type: WATCHER_TYPE[kind], onRemoved }, this.#base, options);
    } catch (error) {
      if (options.local !== true) throw error;
      onRemoved();
    }
  }

  // ---- what people write again and again ----

  /** Creates the znode and its missing parents, without data; fine if it exists. */
  ensurePath(path: string, options: NodeOptions & CallOptions = {}): Promise<void> {
    return this.#run(() => {
      // From the root, because parts of the prefix may be missing, too.
      const root = new Namespace(this.#shell, '', '', this.client);
      return ensurePath(root, this.#full(path, 'ensurePath'), options);
    });
  }

  /** Deletes a znode and everything below it; resolves with how many there were, 0 if it did not exist. Not atomic. */
  deleteRecursive(path: string, options: CallOptions = {}): Promise<number> {
    return deleteRecursive(this, path, options);
  }

  /** All paths from this one down, parents before children, siblings sorted. Not one moment's picture. */
  descendants(path: string, options: CallOptions = {}): AsyncGenerator<string> {
    return descendants(this, path, options);
  }

  /** Reads the znode, creating it first if it is missing. */
  async getOrCreate(
    path: string,
    data: Data = null,
    options: CreateOptions = {},
  ): Promise<NodeData & { readonly created: boolean }> {
    const { signal, timeoutMs } = options;
    let created = false;
    for (;;) {
      try {
        return { ...(await this.get(path, { signal, timeoutMs })), created };
      } catch (error) {
        if (!(error instanceof NoNodeError)) throw error;
      }
      try {
        await this.create(path, data, options);
        created = true;
      } catch (error) {
        // Somebody was faster, or perhaps we were: reading tells.
        if (!(error instanceof NodeExistsError) && !(error instanceof ConnectionLossError)) throw error;
      }
    }
  }

  /**
   * Compare and set: reads, lets `change` make the new data, writes it if nobody wrote in between, and otherwise begins again. A write
   * of unknown outcome is not repeated: the error comes to you.
   */
  async update(
    path: string,
    change: (data: Buffer | null, stat: Stat) => Data | Promise<Data>,
    options: CallOptions = {},
  ): Promise<NodeData> {
    const { signal, timeoutMs } = options;
    for (;;) {
      const current = await this.get(path, { signal, timeoutMs });
      const bytes = bytesOf(await change(current.data, current.stat));
      try {
        const stat = await this.set(path, bytes, { version: current.stat.version, signal, timeoutMs });
        return { data: bytes === null ? null : Buffer.from(bytes), stat };
      } catch (error) {
        if (!(error instanceof BadVersionError)) throw error;
      }
    }
  }

  /** A typed handle of one znode. */
  node<T>(path: string, codec: Codec<T>): ZNode<T> {
    checkPath(path, 'node');
    return new ZNode(this, path, codec);
  }
}
