/**
 * What a check of the client is: a row with a name, and something to run against real servers. The tables of rows are in the
 * files beside this one; `../client.ts` runs them all.
 */
import { strict as assert } from 'node:assert';
import { type ClientOptions, type ConnectTarget, connect, type ZooKeeper } from '@zoots/client';
import type { Ensemble } from '../peers/ensemble.js';
import type { PeerKind } from '../peers/peer.js';
import { Interposer } from './interposer.js';

/** The one server of a stage, if it stands alone. */
export interface SingleServer {
  /** SIGKILL. */
  kill(): Promise<void>;
  /** The same server again, with the same data and port. */
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  freeze(): void;
  thaw(): void;
}

/** Where a row runs. Whatever it opens through here is closed after it. */
export class Stage {
  readonly kind: PeerKind;
  /** All servers, for a connect string. */
  readonly connectString: string;
  /** A server that serves. */
  readonly port: number;
  /** Path of an existing znode for this row alone. */
  readonly root: string;
  /** A directory for this row alone. */
  readonly workDir: string;
  readonly #single: SingleServer | null;
  readonly #ensemble: Ensemble | null;
  readonly #cleanups: (() => unknown)[] = [];
  /** What is said behind the row's name. */
  readonly notes: string[] = [];

  constructor(parts: {
    kind: PeerKind;
    connectString: string;
    port: number;
    root: string;
    workDir: string;
    single: SingleServer | null;
    ensemble: Ensemble | null;
  }) {
    this.kind = parts.kind;
    this.connectString = parts.connectString;
    this.port = parts.port;
    this.root = parts.root;
    this.workDir = parts.workDir;
    this.#single = parts.single;
    this.#ensemble = parts.ensemble;
  }

  get isEnsemble(): boolean {
    return this.#ensemble !== null;
  }

  get single(): SingleServer {
    assert.ok(this.#single !== null, 'a server that stands alone');
    return this.#single;
  }

  get ensemble(): Ensemble {
    assert.ok(this.#ensemble !== null, 'an ensemble');
    return this.#ensemble;
  }

  /** 3.9 and ours send the zxid with watch events. */
  get hasEventZxids(): boolean {
    return this.kind === 'zoots' || this.kind === 'apache-3.9.5';
  }

  note(text: string): void {
    this.notes.push(text);
  }

  async connect(options: ClientOptions = {}, target: ConnectTarget = this.connectString): Promise<ZooKeeper> {
    const client = await connect(target, { sessionTimeoutMs: 6_000, timeoutMs: 20_000, ...options });
    this.defer(() => client.close());
    return client;
  }

  /** Between clients and a server. */
  async interpose(port = this.port): Promise<Interposer> {
    const interposer = await Interposer.open(port);
    this.defer(() => interposer.close());
    return interposer;
  }

  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Servers are thawed by their owner before this. */
  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) {
      await Promise.race([Promise.resolve(cleanup()).catch(() => {}), sleep(2_000)]);
    }
  }
}

export interface ClientRow {
  readonly name: string;
  /** Which servers it is about. Default: every one, alone and in an ensemble. */
  readonly where?: 'alone' | 'ensemble';
  /** Only these kinds. */
  readonly kinds?: readonly PeerKind[];
  readonly timeoutMs?: number;
  /** Kills or freezes servers, or stalls this process: no other row may run beside it. */
  readonly isExclusive?: boolean;
  /** Holds to fractions of a second: it fails without a defect where the machine stands still for that long, and may be tried again. */
  readonly isTimed?: boolean;
  readonly run: (stage: Stage) => Promise<void>;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `condition` holds; throws with `what` if it does not within `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

/** Resolves with what the promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error(
    `it should have failed, and gave ${JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))}`,
  );
}

/** Resolves when the client comes to this state the next time; ask before you cause it, because it may last a few milliseconds. */
export function nextState(client: ZooKeeper, wanted: string, timeoutMs = 10_000): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      client.off('state', check);
      settle();
    };
    const check = (state: string): void => {
      if (state === wanted) end(resolve);
    };
    const timer = setTimeout(() => {
      end(() => reject(new Error(`still ${client.state} after ${timeoutMs} ms, not ${wanted}`)));
    }, timeoutMs);
    client.on('state', check);
  });
}

/** The states that a client goes through from now on, beginning with the present one. */
export function statesOf(client: ZooKeeper): string[] {
  const states: string[] = [client.state];
  client.on('state', (state) => states.push(state));
  return states;
}
