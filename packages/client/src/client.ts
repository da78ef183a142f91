/**
 * The client: a session with an ensemble, and every operation of {@link Namespace} on it.
 *
 *     await using zk = await connect('h1:2181,h2:2181,h3:2181/app');
 *     await zk.create('/greeting', 'hello');
 *     const { data, stat } = await zk.get('/greeting');
 *
 * It connects by itself, again and again, and keeps its session and watches across connections. `state` says how it stands, and
 * `session.signal` aborts when the session must be assumed gone: whatever is done in the session's name has to stop then.
 */
import { EventEmitter, setMaxListeners } from 'node:events';
import { highOfBigint, lowOfBigint, pairToBigint } from '@zoots/base';
import { ERROR } from '@zoots/protocol';
import { type ParsedTarget, parseTarget } from './connect-target.js';
import { sessionChannel } from './diagnostics.js';
import { parseEnsembleConfig } from './ensemble-config.js';
import {
  ArgumentError,
  AuthenticationError,
  ClientClosedError,
  ConnectionLossError,
  RequestAbortedError,
  SessionLostError,
} from './errors.js';
import { follow } from './follow.js';
import { Namespace } from './namespace.js';
import { GET, RECONFIG, WHO_AM_I } from './operations.js';
import type { EstablishedSession, SessionEnd, SessionOptions, SessionState } from './session-core/index.js';
import { SessionShell } from './session-shell.js';
import { throwLater } from './throw-later.js';
import type {
  CallOptions,
  ClientIdentity,
  ClientOptions,
  ConnectTarget,
  EnsembleConfig,
  ReadOptions,
  Reconfiguration,
  ServerAddress,
  Session,
  WatchEvent,
} from './types.js';
import { OneShotWatcher, watchEvent } from './watch-events.js';

const CONFIG_PATH = '/zookeeper/config';
const SESSION_TIMEOUT_MS = 30_000;
const IN_FLIGHT_MAX = 1_000;
const WAITING_MAX = 100_000;
const REQUEST_BYTES_MAX = 0xfffff;
const REPLY_BYTES_MAX = 64 * 1024 * 1024;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5_000;

export interface ClientEvents {
  /** The state changed. */
  state: [state: SessionState, previous: SessionState];
  /** There is a session that was not there before. */
  session: [session: Session];
  /** A watch event arrived; the path is the server's, before any chroot or prefix is taken away. */
  watch: [event: WatchEvent];
}

export class ZooKeeper extends Namespace implements AsyncDisposable {
  /** Resolves when the client is closed, whoever closed it. */
  readonly ended: Promise<void>;
  readonly #shell: SessionShell;
  readonly #events = new EventEmitter<ClientEvents>();
  #session: Session | null = null;
  #sessionEnd = new AbortController();
  #onEnded: () => void = () => {};

  /** Begins to connect at once; {@link connected} says when it is. @throws {ArgumentError} for a target or option that cannot be */
  constructor(target: ConnectTarget, options: ClientOptions = {}) {
    const parsed = parseTarget(target);
    const servers = options.shuffle === false ? parsed.servers : shuffled(parsed.servers);
    const tls = options.tls === undefined ? (parsed.tls ? {} : null) : tlsOf(options.tls);
    const events = {
      onState: (state: SessionState, previous: SessionState) => this.#onState(state, previous),
      onSession: (session: EstablishedSession) => this.#onSession(session),
      onSessionEnd: (end: SessionEnd) => this.#onSessionEnd(end),
      onEvent: (type: number, path: string, zxid: number) => this.#onEvent(type, path, zxid),
    };
    const shell = new SessionShell(
      servers,
      sessionOptions(parsed, options),
      tls,
      options.requestTimeoutMs ?? 0,
      events,
    );
    super(shell, parsed.chroot, '', null);
    this.#shell = shell;
    // Whatever lives in the session listens here, and there may be a lot of it.
    this.#events.setMaxListeners(0);
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    shell.core.start();
  }

  // ---- how it stands ----

  get state(): SessionState {
    return this.#shell.core.state;
  }

  /** Null before the first session, while it is lost, and at the end. */
  get session(): Session | null {
    return this.#session;
  }

  /** The server this client is connected to, or null. */
  get server(): ServerAddress | null {
    return this.#shell.server;
  }

  /** The newest transaction that an answer has told of. */
  get lastZxid(): number {
    return this.#shell.core.lastZxid;
  }

  /** Calls that were not answered yet. */
  get pendingCount(): number {
    return this.#shell.core.pendingCount;
  }

  on<E extends keyof ClientEvents>(event: E, listener: (...args: ClientEvents[E]) => void): this {
    this.#events.on(event, listener as never);
    return this;
  }

  once<E extends keyof ClientEvents>(event: E, listener: (...args: ClientEvents[E]) => void): this {
    this.#events.once(event, listener as never);
    return this;
  }

  off<E extends keyof ClientEvents>(event: E, listener: (...args: ClientEvents[E]) => void): this {
    this.#events.off(event, listener as never);
    return this;
  }

  /**
   * Resolves when a server answers: at once if one does already.
   *
   * @throws {ConnectionLossError} none did within `timeoutMs`; the cause tells what the last attempt met
   */
  connected(options: CallOptions = {}): Promise<Session> {
    const { signal, timeoutMs = 0 } = options;
    return new Promise((resolve, reject) => {
      const finish = (end: () => void): void => {
        clearTimeout(timer);
        this.off('state', check);
        signal?.removeEventListener('abort', onAbort);
        end();
      };
      const check = (): void => {
        const session = this.#session;
        if (this.#shell.core.isOpen && session !== null) finish(() => resolve(session));
        else if (this.state === 'auth-failed') {
          finish(() => reject(new AuthenticationError('the server refused the identity', 'not-sent')));
        } else if (this.state === 'closed') finish(() => reject(this.#closedError()));
      };
      const onAbort = (): void =>
        finish(() => reject(new RequestAbortedError('not-sent', { operation: 'connect', cause: signal?.reason })));
      const timer = timeoutMs > 0 ? setTimeout(() => finish(() => reject(this.#unreachable())), timeoutMs) : undefined;
      this.on('state', check);
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted === true) onAbort();
      else check();
    });
  }

  #closedError(): Error {
    return new ClientClosedError('not-sent', { operation: 'connect' });
  }

  #unreachable(): ConnectionLossError {
    const problem = this.#shell.lastProblem;
    const cause = problem === null ? undefined : new Error(problem);
    return new ConnectionLossError('not-sent', { operation: 'connect', path: problem ?? undefined, cause });
  }

  // ---- what the session tells ----

  #onState(state: SessionState, previous: SessionState): void {
    if (sessionChannel.hasSubscribers) sessionChannel.publish({ state, previous, session: this.#session?.id ?? null });
    if (state === 'closed' || state === 'auth-failed') this.#onEnded();
    this.#emit('state', state, previous);
  }

  #onSession({ high, low, password, timeoutMs }: EstablishedSession): void {
    this.#sessionEnd = new AbortController();
    setMaxListeners(0, this.#sessionEnd.signal);
    this.#session = { id: pairToBigint(high, low), password, timeoutMs, signal: this.#sessionEnd.signal };
    this.#emit('session', this.#session);
  }

  #onSessionEnd(end: SessionEnd): void {
    this.#session = null;
    this.#sessionEnd.abort(new SessionLostError(ENDS[end], 'refused'));
  }

  #onEvent(type: number, path: string, zxid: number): void {
    if (this.#events.listenerCount('watch') > 0) this.#emit('watch', watchEvent(type, path, zxid));
  }

  /** A listener's exception is its own: it is thrown where nobody of ours stands in its way. */
  #emit<E extends keyof ClientEvents>(event: E, ...args: ClientEvents[E]): void {
    try {
      this.#events.emit(event, ...(args as never));
    } catch (error) {
      throwLater(error);
    }
  }

  // ---- the session's own operations ----

  /**
   * Presents an identity (`digest`, `user:password`) on this and every later connection.
   *
   * @throws {AuthenticationError} it was refused; the client is over then, because no server would have it
   */
  addAuth(scheme: string, auth: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#shell.core.authenticate({ scheme, auth }, (code) => {
        if (code === ERROR.ok) resolve();
        else if (this.state === 'closed') reject(new ClientClosedError('not-sent', { operation: 'addAuth' }));
        else {
          const text = `the server refused the identity of scheme ${scheme}`;
          reject(new AuthenticationError(text, 'refused', { operation: 'addAuth' }));
        }
      });
    });
  }

  /** The identities of this connection, as the server sees them. Needs a server of 3.7 or later. */
  whoAmI(options?: CallOptions): Promise<ClientIdentity[]> {
    return this.#shell.call(WHO_AM_I, { path: '/' }, '', options);
  }

  /** The ensemble's configuration, whatever the chroot. */
  async config(options?: ReadOptions): Promise<EnsembleConfig> {
    const listener = options?.watch;
    const ask =
      listener === undefined
        ? null
        : {
            path: CONFIG_PATH,
            watcher: new OneShotWatcher(listener, ''),
            list: 'data' as const,
            listIfMissing: null,
          };
    const args = { path: CONFIG_PATH, watch: ask !== null };
    const { data, stat } = await this.#shell.call(GET, args, '', options, ask);
    return parseEnsembleConfig(data, stat);
  }

  /**
   * The configuration now and whenever it changes. Goes on through reconnects and new sessions; ends when the client is closed, the
   * signal aborts, or you leave the loop.
   */
  watchConfig(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<EnsembleConfig, void> {
    const { signal } = options;
    return follow(this, (watch) => this.config({ watch, signal }), signal);
  }

  /**
   * Changes the ensemble's members; resolves with the new configuration. The servers must permit it (`reconfigEnabled`), and this
   * client's identities, too.
   */
  async reconfig(change: Reconfiguration, options?: CallOptions): Promise<EnsembleConfig> {
    const { joining, leaving, members, fromConfig = -1n } = change;
    if (members !== undefined && (joining !== undefined || leaving !== undefined)) {
      throw new ArgumentError('give either members, or joining and leaving', { operation: 'reconfig' });
    }
    const args = {
      path: CONFIG_PATH,
      joining: listOf(joining),
      leaving: leaving === undefined ? null : leaving.join(','),
      members: listOf(members),
      fromConfig,
    };
    const { data, stat } = await this.#shell.call(RECONFIG, args, '', options);
    return parseEnsembleConfig(data, stat);
  }

  /** Another list of servers. A connection to one of them stays; a connection to another moves at once, with its session. */
  retarget(target: ConnectTarget): void {
    const { servers } = parseTarget(target);
    this.#shell.retarget(shuffled(servers));
  }

  // ---- the end ----

  /** Ends the session behind the calls made so far: its ephemeral znodes go, its watches too. Never rejects. */
  async close(): Promise<void> {
    this.#shell.core.close();
    await this.ended;
  }

  /** Lets go of the connection and leaves the session to whoever resumes it (option `session`) within its timeout. */
  async disconnect(): Promise<void> {
    this.#shell.core.abandon();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * A client that is connected.
 *
 * @throws {ConnectionLossError} no server answered within `timeoutMs` (default: the session timeout); the client is closed then
 */
export async function connect(target: ConnectTarget, options: ClientOptions & CallOptions = {}): Promise<ZooKeeper> {
  const client = new ZooKeeper(target, options);
  try {
    const timeoutMs = options.timeoutMs ?? options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS;
    await client.connected({ signal: options.signal, timeoutMs });
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

const ENDS: Readonly<Record<SessionEnd, string>> = {
  expired: 'the session has expired',
  unreachable: 'no server could be reached for as long as the session lives: it must be assumed gone',
  replaced: 'the server opened another session in its place',
  closed: 'the session was closed',
  'auth-failed': 'the server refused the identity',
};

function sessionOptions(parsed: ParsedTarget, options: ClientOptions): SessionOptions {
  const { session } = options;
  return {
    serverCount: parsed.servers.length,
    sessionTimeoutMs: options.sessionTimeoutMs ?? parsed.sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
    connectTimeoutMs: options.connectTimeoutMs ?? null,
    readOnly: options.readOnly ?? parsed.readOnly ?? false,
    auth: [...parsed.auth, ...(options.auth ?? [])],
    session:
      session === undefined
        ? null
        : { high: highOfBigint(session.id), low: lowOfBigint(session.id), password: session.password },
    backoffMinMs: options.backoff?.minMs ?? BACKOFF_MIN_MS,
    backoffMaxMs: options.backoff?.maxMs ?? BACKOFF_MAX_MS,
    newSession: options.newSession ?? true,
    inFlightMax: options.inFlightMax ?? IN_FLIGHT_MAX,
    waitingMax: options.waitingMax ?? WAITING_MAX,
    failWhenSuspended: options.whenSuspended === 'fail',
    requestBytesMax: options.requestBytesMax ?? REQUEST_BYTES_MAX,
    replyBytesMax: options.replyBytesMax ?? REPLY_BYTES_MAX,
  };
}

function tlsOf(tls: NonNullable<ClientOptions['tls']>): object | null {
  if (tls === true) return {};
  return tls === false ? null : tls;
}

function shuffled<T>(items: readonly T[]): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j] as T, mixed[i] as T];
  }
  return mixed;
}

function listOf(value: string | readonly string[] | undefined): string | null {
  if (value === undefined) return null;
  return typeof value === 'string' ? value : value.join(',');
}
