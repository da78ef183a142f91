/**
 * What is tried with an ensemble: an arrangement says who its members are and who leads at first, a scenario what is done to
 * it. `../ensembles.ts` runs every scenario in every arrangement that it fits, and judges afterwards.
 */
import type { Ensemble, Member, MemberSpec } from '../peers/ensemble.js';
import { ConnectionClosedError } from '../wire/connection.js';
import { type ConnectRequest, Flags } from '../wire/records.js';
import { WireSession } from '../wire/session.js';
import { Load, type LoadOptions } from './load.js';

export interface Arrangement {
  /** `3.8.0 AZZa`: A and Z for Apache's and ours by id, lower-case for observers. */
  readonly name: string;
  readonly members: readonly MemberSpec[];
  readonly leader: number;
}

export interface Scenario {
  readonly name: string;
  /** Further properties that the servers are restarted with. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Further lines of zoo.cfg, likewise. */
  readonly config?: Readonly<Record<string, string>>;
  /** Fails by throwing. */
  readonly run: (stage: Stage) => Promise<void>;
}

export class Stage {
  readonly ensemble: Ensemble;
  readonly arrangement: Arrangement;
  /** An existing znode for this scenario alone. */
  readonly root: string;
  /** Figures that belong to the result. */
  readonly notes: string[] = [];
  readonly #cleanups: (() => unknown)[] = [];
  #load: Load | null = null;

  constructor(ensemble: Ensemble, arrangement: Arrangement, root: string) {
    this.ensemble = ensemble;
    this.arrangement = arrangement;
    this.root = root;
  }

  /** The one that the arrangement wants to lead; it does when a scenario begins. */
  get leader(): Member {
    return this.ensemble.member(this.arrangement.leader);
  }

  /** Voters that follow when a scenario begins. */
  get followers(): Member[] {
    return this.ensemble.participants.filter((member) => member !== this.leader);
  }

  get load(): Load | null {
    return this.#load;
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /** Writers at these servers (default: all), each of which begins at another one. */
  startLoad(options: Partial<LoadOptions> = {}): Load {
    const ports = this.ensemble.members.map((member) => member.port);
    this.#load = new Load({ ports, root: this.root, ...options });
    return this.#load;
  }

  /** A raw session at one server. */
  async session(member: Member, request: ConnectRequest = {}): Promise<WireSession> {
    const session = await WireSession.connect(member.port, { timeoutMs: 20_000, ...request });
    this.defer(() => (session.connection.closed ? undefined : session.close()));
    return session;
  }

  /** Takes the session to another server, which may need a moment until it has everything that the client has seen. */
  async move(
    { sessionId, password, lastZxid: lastZxidSeen }: WireSession,
    to: Member,
    timeoutMs = 20_000,
  ): Promise<WireSession> {
    const deadlineMs = performance.now() + 5_000;
    for (;;) {
      try {
        return await this.session(to, { sessionId, password, lastZxidSeen, timeoutMs });
      } catch (error) {
        if (!(error instanceof ConnectionClosedError) || performance.now() > deadlineMs) throw error;
        await sleep(20);
      }
    }
  }

  /**
   * Behind its answer the session reads everything that anybody was told of before. A sync does that, but not on Apache's leaders:
   * they tell the others of a commit before they apply it, and answer a sync meanwhile. A write does it there.
   */
  async catchUp(session: WireSession, member: Member): Promise<void> {
    if (member === this.leader && member.kind !== 'zoots') await session.setData(this.root, '');
    else await session.sync('/');
  }

  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Closes what the scenario opened, but not the load's sessions. */
  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) {
      // What it belongs to may be gone: that is not the scenario's result.
      await Promise.race([Promise.resolve(cleanup()).catch(() => {}), sleep(2_000)]);
    }
  }
}

/** So many small creates below `parent` through one session, many in flight. */
export async function writeMany(session: WireSession, parent: string, count: number, data = 'x'): Promise<void> {
  await session.create(parent);
  for (let at = 0; at < count; at += 100) {
    const batch = Array.from({ length: Math.min(100, count - at) }, (_, offset) => at + offset);
    await Promise.all(batch.map((n) => session.create(`${parent}/${n}`, data, { flags: Flags.persistent })));
  }
}

/**
 * What a look at all servers finds. Apache's servers may lose their leader on a busy machine, and close their clients' connections: the
 * look is taken again, aloud, since nothing is lost by it. An ensemble of ours alone must bear it at once.
 */
export async function lookAt<T>(ensemble: Ensemble, look: () => Promise<T>): Promise<T> {
  for (let triesLeft = 2; ; triesLeft--) {
    const beganMs = performance.now();
    try {
      return await look();
    } catch (error) {
      const isApache = ensemble.members.some(({ kind }) => kind !== 'zoots');
      if (!(error instanceof ConnectionClosedError) || !isApache || triesLeft === 0) throw error;
      const { message } = ensemble.explained(error) as Error;
      console.log(`AGAIN: ${error.message}, after ${Math.round(performance.now() - beganMs)} ms; ${message}`);
      await ensemble.untilWhole(ensemble.members);
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `condition` holds; throws with `what` if it does not within `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}
