/**
 * The shell's connection to the servers: a client of `@zoots/client`, seen the way zkCli shows it. It prints events as WATCHER blocks,
 * names states as the prompt does, and gives a command up when no server can be reached, as Apache's does.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  type CallOptions,
  type ClientOptions,
  type ReadOptions,
  type SessionState,
  type Watch,
  type WatchEvent,
  type WatchKind,
  ZooKeeper,
} from '@zoots/client';
import { ERROR } from '@zoots/protocol';
import { answerText, CliError, cliErrorOf } from './errors.js';
import { connectionProblemText, eventText, sessionEvents, stateNames, watchEvents } from './event-text.js';

/** Pauses between attempts: long enough to be read, short enough that nobody thinks it has given up. */
const BACKOFF = { minMs: 1000, maxMs: 2000 };
const CONNECT_CHANNEL = 'zoots:connect';

export type OneShotList = 'data' | 'children';
type WatchList = OneShotList | 'persistent' | 'recursive';

/** What `-server` and its companions say about the client. */
export interface ConnectionSettings {
  readonly timeoutMs: number;
  readonly readOnly: boolean;
  /** Wait until connected, or fail after the timeout. */
  readonly waits: boolean;
  /** Of the client configuration file. */
  readonly more: ClientOptions;
}

/** Where a connection tells what happens to it. */
export interface ConnectionListener {
  /** The text of a WATCHER block. */
  onEvent(text: string): void;
  /** A server could not be reached, or was lost. */
  onProblem(text: string): void;
  /** The name of the state is another one. */
  onState(): void;
}

/** What the client publishes about its attempts. */
interface ConnectMessage {
  readonly server: { readonly host: string; readonly port: number };
  readonly event: 'connected' | 'disconnected';
  readonly reason: string | null;
}

/** What each kind of `removewatches` takes away, and how its event is called. */
const REMOVED: Readonly<Record<WatchList, string>> = {
  data: 'DataWatchRemoved',
  children: 'ChildWatchRemoved',
  persistent: 'PersistentWatchRemoved',
  recursive: 'PersistentWatchRemoved',
};

export class Connection {
  /** As given: what the prompt shows. */
  readonly target: string;
  readonly #client: ZooKeeper;
  readonly #listener: ConnectionListener;
  readonly #chroot: string;
  readonly #serverCount: number;
  readonly #pending = new Set<AbortController>();
  /** Watches that were left, `list path`. */
  readonly #watches = new Set<string>();
  readonly #persistent = new Map<string, Watch>();
  #isClosing = false;
  /** There was a session on the connection, or is. */
  #isUp = false;
  /** The end of the session has been told. */
  #isLost = false;
  /** Servers that could not be reached since the last one that could. */
  #failedCount = 0;

  /** Begins to connect. Fails with {@link CliError} on a target that is none. */
  static open(target: string, settings: ConnectionSettings, listener: ConnectionListener): Connection {
    const { timeoutMs, readOnly, more } = settings;
    let client: ZooKeeper;
    try {
      client = new ZooKeeper(target, {
        sessionTimeoutMs: timeoutMs,
        readOnly,
        newSession: false,
        backoff: BACKOFF,
        ...more,
      });
    } catch (error) {
      throw cliErrorOf(error, null);
    }
    return new Connection(target, client, listener);
  }

  private constructor(target: string, client: ZooKeeper, listener: ConnectionListener) {
    this.target = target;
    this.#client = client;
    this.#listener = listener;
    this.#chroot = /^(?:zks?:\/\/)?[^/]*(\/[^?]+)?/.exec(target)?.[1] ?? '';
    this.#serverCount = target.split(',').length;
    client.on('state', this.#onState);
    client.on('watch', this.#onWatch);
    subscribe(CONNECT_CHANNEL, this.#onConnect);
  }

  get stateName(): string {
    return stateNames[this.#client.state];
  }

  /** False once the session is closed or gone. */
  get isAlive(): boolean {
    return !this.#isClosing && !['closed', 'lost', 'auth-failed'].includes(this.#client.state);
  }

  /** Resolves when connected; fails with {@link CliError} after the time. */
  async connected(timeoutMs: number): Promise<void> {
    await this.#client.connected({ timeoutMs }).catch((error: unknown) => {
      throw cliErrorOf(error, null);
    });
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const wasAlive = !['closed', 'lost', 'auth-failed'].includes(this.#client.state);
    await this.#client.close();
    unsubscribe(CONNECT_CHANNEL, this.#onConnect);
    if (wasAlive) this.#listener.onEvent(eventText('Closed', 'None', null, -1));
  }

  /** Ends the calls that wait for an answer; false if there are none. */
  interrupt(): boolean {
    const isBusy = this.#pending.size > 0;
    for (const controller of this.#pending) controller.abort(new CliError('Interrupted'));
    return isBusy;
  }

  // ---- calls ----

  /** Any call of the client; `path` is for the error. Fails with {@link CliError}. */
  async call<T>(path: string | null, operation: (client: ZooKeeper, options: CallOptions) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#pending.add(controller);
    try {
      return await operation(this.#client, { signal: controller.signal });
    } catch (error) {
      const { reason } = controller.signal;
      if (reason === LOSS) throw new CliError(answerText(CONNECTION_LOSS, path));
      throw reason instanceof CliError ? reason : cliErrorOf(error, path);
    } finally {
      this.#pending.delete(controller);
    }
  }

  /** A read that leaves a one-shot watch in `list`, or none for null. */
  async read<T>(
    path: string,
    list: OneShotList | null,
    operation: (client: ZooKeeper, options: ReadOptions) => Promise<T>,
  ): Promise<T> {
    if (list === null) return this.call(path, operation);
    const key = keyOf(list, path);
    const wasThere = this.#watches.has(key);
    const watch = (): void => {
      this.#watches.delete(key);
    };
    this.#watches.add(key);
    try {
      return await this.call(path, (client, options) => operation(client, { ...options, watch }));
    } catch (error) {
      if (!wasThere) this.#watches.delete(key);
      throw error;
    }
  }

  async addWatch(path: string, list: 'persistent' | 'recursive'): Promise<void> {
    const key = keyOf(list, path);
    if (this.#persistent.has(key)) return;
    await this.call(path, async (client, { signal }) => {
      // Events are printed as the client receives them; the watch itself is only kept.
      const watch = client.watch(path, { recursive: list === 'recursive' }, () => {});
      await Promise.race([watch.ready, rejectOn(signal)]);
      this.#persistent.set(key, watch);
      this.#watches.add(key);
    });
  }

  async removeWatches(path: string, kind: WatchKind, isLocal: boolean): Promise<void> {
    const lists = (Object.keys(REMOVED) as WatchList[]).filter((list) => kind === 'any' || kind === list);
    if (isLocal && !lists.some((list) => this.#watches.has(keyOf(list, path)))) {
      throw new CliError(answerText(ERROR.noWatcher, path));
    }
    await this.call(path, (client, options) => client.removeWatches(path, kind, { ...options, local: isLocal }));
    const removed = lists.filter((list) => this.#watches.delete(keyOf(list, path)));
    for (const list of lists) this.#persistent.delete(keyOf(list, path));
    for (const name of new Set(removed.map((list) => REMOVED[list]))) {
      this.#listener.onEvent(eventText('SyncConnected', name, path, -1));
    }
  }

  // ---- what the client says ----

  readonly #onState = (state: SessionState): void => {
    if (state === 'connected' || state === 'read-only') {
      this.#isUp = true;
      this.#failedCount = 0;
    }
    // Without another session a lost one is a closed client.
    const isLost = state === 'closed' && !this.#isClosing && !this.#isLost;
    this.#isLost ||= isLost || state === 'lost' || state === 'auth-failed';
    const name = sessionEvents[isLost ? 'lost' : state];
    if (name !== null) this.#listener.onEvent(eventText(name, 'None', null, -1));
    this.#listener.onState();
  };

  readonly #onWatch = ({ type, path, zxid }: WatchEvent): void => {
    const name = watchEvents[type];
    if (name === null) return;
    const state = this.#client.state === 'read-only' ? 'ConnectedReadOnly' : 'SyncConnected';
    this.#listener.onEvent(eventText(state, name, this.#withoutChroot(path), zxid ?? -1));
  };

  readonly #onConnect = (message: unknown): void => {
    const { server, event, reason } = message as ConnectMessage;
    if (event === 'connected') return;
    const wasUp = this.#isUp;
    this.#isUp = false;
    if (this.#isClosing) return;
    this.#listener.onProblem(connectionProblemText(server, reason, wasUp));
    if (!wasUp) this.#failedCount++;
    if (this.#failedCount < this.#serverCount) return;
    this.#failedCount = 0;
    for (const controller of this.#pending) controller.abort(LOSS);
  };

  #withoutChroot(path: string): string {
    if (this.#chroot === '' || !path.startsWith(this.#chroot)) return path;
    return path.slice(this.#chroot.length) || '/';
  }
}

/** No server could be reached, though all were tried. */
const LOSS = Symbol('connection loss');
const CONNECTION_LOSS = -4;

/** The error for a znode that is not there, where the client takes that for an answer. */
export function noNode(path: string): CliError {
  return new CliError(answerText(ERROR.noNode, path));
}

function keyOf(list: WatchList, path: string): string {
  return `${list} ${path}`;
}

/** Rejects when the signal aborts, for calls that take none. */
export function rejectOn(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
}
