/**
 * Draws the next step of a differential run from a seed: which connection does what. The requests themselves are
 * drawn in `requests.ts`.
 *
 * Connections have parts to play: 0 is super, 1 and 2 are users, 3 and 4 are nobody, 5 comes and goes.
 */
import { bodies, Op } from '../wire/records.js';
import type { DifferenceId } from './known-differences.js';
import { isOrderlyMulti } from './lethal.js';
import { oddAuths, users } from './material.js';
import type { Prng } from './prng.js';
import { RequestSource } from './requests.js';
import type { PasswordKind, RequestStep, Step } from './steps.js';

export interface Profile {
  readonly differences: ReadonlySet<DifferenceId>;
  /** Any ACL and no watch, or watches and ACLs that let everybody read; 'both' where READ means the same to both. */
  readonly mix: 'both' | 'acls' | 'watches';
  /** Connections may hold several digest identities; the order in which `auth` expands is then open. */
  readonly manyIds: boolean;
  readonly enforceQuota: boolean;
}

/** What the generator may ask about the run so far; both sides agree on it until a mismatch. */
export interface RunView {
  isOpen(slot: number): boolean;
  sessionOf(slot: number): number;
  readonly sessionCount: number;
}

const slotCount = 6;
const churnSlot = 5;

const stepWeights = {
  request: 8_000,
  burst: 900,
  auth: 60,
  oddAuth: 25,
  cut: 40,
  steal: 40,
  closeSession: 60,
  badOpen: 40,
  raw: 30,
  settle: 300,
  expire: 4,
} as const;

type Draw = () => Step[];

export class Generator {
  readonly #prng: Prng;
  readonly #requests: RequestSource;
  readonly #profile: Profile;
  readonly #view: RunView;
  readonly #ready: Step[] = [];
  readonly #xids = new Map<number, number>();
  readonly #authenticated = new Set<number>();
  readonly #draws: Readonly<Record<keyof typeof stepWeights, Draw>>;

  constructor(prng: Prng, profile: Profile, view: RunView) {
    this.#prng = prng;
    this.#profile = profile;
    this.#view = view;
    this.#requests = new RequestSource(prng, profile);
    this.#draws = {
      request: () => [this.#burst(1)],
      burst: () => [this.#burst(2 + prng.below(12))],
      auth: () => this.#auth(this.#openSlot()),
      oddAuth: () => [this.#oddAuth(this.#openSlot())],
      cut: () => [{ kind: 'cut', slot: this.#openSlot() }],
      steal: () => this.#steal(),
      closeSession: () => [this.#closeSession()],
      badOpen: () => [this.#badOpen()],
      raw: () => [this.#raw()],
      settle: () => [{ kind: 'settle' }],
      expire: () => this.#expire(),
    };
  }

  next(): Step {
    const ready = this.#ready.shift();
    if (ready !== undefined) return ready;
    // A slot without a connection is filled before anything else is done.
    for (let slot = 0; slot < slotCount; slot++) {
      if (this.#view.isOpen(slot)) continue;
      this.#authenticated.delete(slot);
      this.#ready.push(...this.#auth(slot));
      return this.#open(slot);
    }
    const steps = this.#draws[this.#prng.weighted(stepWeights)]();
    this.#ready.push(...steps.slice(1));
    // A part without credentials has nothing to send.
    return steps[0] ?? { kind: 'settle' };
  }

  /** Called with every reply, so that later requests can name what exists. */
  observe(request: RequestStep, reply: Buffer): void {
    this.#requests.observe(request, reply);
  }

  #openSlot(): number {
    return this.#prng.below(slotCount);
  }

  #xid(slot: number): number {
    // Rarely an odd one. Never -1: the reply would look like an event.
    if (this.#prng.chance(0.01)) return this.#prng.pick([0, -3, -5, -9, 2147483647, -2147483648]);
    const xid = (this.#xids.get(slot) ?? 0) + 1;
    this.#xids.set(slot, xid);
    return xid;
  }

  #burst(count: number): Step {
    const slot = this.#openSlot();
    // Enforced quotas look at what is applied, not at what is under way: several writes at once would race.
    const single = this.#profile.enforceQuota ? 1 : count;
    const requests: RequestStep[] = [];
    for (let i = 0; i < single; i++) {
      const request = this.#requests.next(slot, slot === 0 && this.#authenticated.has(0));
      // What must be alone ends a burst before it, and is dropped.
      if (request.alone && requests.length > 0) break;
      const xid = this.#fixedXid(request.type) ?? this.#xid(slot);
      requests.push({ xid, ...request });
      if (request.alone || leavesRace(request)) break;
    }
    return {
      kind: 'burst',
      slot,
      requests: requests.map(({ xid, type, body, zxidDelta }) => withoutUndefined(xid, type, body, zxidDelta)),
    };
  }

  #fixedXid(type: number): number | null {
    if (this.#prng.chance(0.02)) return null;
    if (type === Op.ping) return -2;
    if (type === Op.setWatches || type === Op.setWatches2) return -8;
    return null;
  }

  #open(slot: number): Step {
    const prng = this.#prng;
    const resume = this.#view.sessionCount > 0 && prng.chance(0.15);
    return {
      kind: 'open',
      slot,
      // Never a short one here: a session that expires by itself would do so between different steps on the two.
      timeoutMs: slot === churnSlot ? prng.pick([300_000, 599_999, 600_000, 600_001, 2147483647]) : 300_000,
      protocolVersion: prng.chance(0.05) ? prng.below(100) : 0,
      readOnly: prng.pick([false, false, false, true, null]),
      session: resume ? this.#idleSession() : null,
      password: resume || prng.chance(0.8) ? 'right' : prng.pick<PasswordKind>(['null', 'empty', 'short', 'wrong']),
      zxidDelta: prng.chance(0.5) ? null : prng.pick([0, 0, -1]),
      trailing: prng.chance(0.03) ? Buffer.from('trailing') : Buffer.alloc(0),
    };
  }

  /** A session that no connection holds now, or one that does not exist. It may have ended long ago. */
  #idleSession(): number | null {
    const held = new Set(Array.from({ length: slotCount }, (_, slot) => this.#view.sessionOf(slot)));
    const number = this.#prng.below(this.#view.sessionCount);
    return held.has(number) ? null : number;
  }

  #auth(slot: number): Step[] {
    const part = { 0: 'super:test', 1: users[0], 2: users[1] }[slot] ?? null;
    const credentials = this.#profile.manyIds && slot !== 0 && this.#prng.chance(0.3) ? this.#prng.pick(users) : part;
    if (credentials === null) return [];
    if (!this.#profile.manyIds && this.#authenticated.has(slot)) return [];
    this.#authenticated.add(slot);
    const body = bodies.auth('digest', Buffer.from(credentials));
    return [{ kind: 'burst', slot, requests: [{ xid: -4, type: Op.auth, body }] }];
  }

  #oddAuth(slot: number): Step {
    const { scheme, credentials } = this.#prng.pick(oddAuths);
    const addsIdentity = scheme === 'digest' && !this.#profile.manyIds;
    const body = addsIdentity ? bodies.auth('nothing', credentials) : bodies.auth(scheme, credentials);
    const cut = this.#prng.chance(0.2) ? body.subarray(0, this.#prng.below(body.length)) : body;
    return { kind: 'burst', slot, requests: [{ xid: -4, type: Op.auth, body: cut }] };
  }

  /** Takes over the session of another connection, perhaps with a wrong password; both ends may close. */
  #steal(): Step[] {
    const from = this.#openSlot();
    const to = this.#openSlot();
    // The session comes along, the identities of its connection do not.
    this.#authenticated.delete(to);
    const open: Step = {
      kind: 'open',
      slot: to,
      timeoutMs: 400_000,
      protocolVersion: 0,
      readOnly: this.#prng.pick([false, null]),
      session: this.#view.sessionOf(from),
      password: this.#prng.pick<PasswordKind>(['right', 'right', 'right', 'wrong', 'null', 'empty', 'short']),
      zxidDelta: 0,
      trailing: Buffer.alloc(0),
    };
    return [open, ...this.#auth(to)];
  }

  #closeSession(): Step {
    const slot = this.#prng.chance(0.6) ? churnSlot : this.#openSlot();
    const body = this.#prng.chance(0.1) ? Buffer.from('ignored') : Buffer.alloc(0);
    return { kind: 'burst', slot, requests: [{ xid: this.#xid(slot), type: Op.closeSession, body }] };
  }

  #badOpen(): Step {
    const prng = this.#prng;
    const kind = prng.below(3);
    return {
      kind: 'open',
      slot: churnSlot,
      timeoutMs: 400_000,
      protocolVersion: 0,
      readOnly: prng.pick([false, true, null]),
      session: kind === 0 ? 'unknown' : kind === 1 ? this.#idleSession() : null,
      password: prng.pick<PasswordKind>(['right', 'wrong', 'null', 'empty', 'short']),
      // Ahead of the server: it must close without a word.
      zxidDelta: kind === 2 ? prng.pick([1, 1000]) : null,
      trailing: Buffer.alloc(0),
    };
  }

  #raw(): Step {
    const prng = this.#prng;
    const int = (value: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(value);
      return bytes;
    };
    const openings = [int(-1), int(-2147483648), int(1_048_576), int(2147483647)];
    const shortFrames = [0, 1, 4, 7].map((length) => Buffer.concat([int(length), Buffer.alloc(length)]));
    const fresh = prng.chance(0.5);
    const connectTooShort = [8, 20, 27].map((length) => Buffer.concat([int(length), Buffer.alloc(length)]));
    const bytes = prng.pick(fresh ? [...openings, ...shortFrames, ...connectTooShort] : [...openings, ...shortFrames]);
    return { kind: 'raw', slot: fresh ? churnSlot : this.#openSlot(), fresh, bytes };
  }

  /** A session of the shortest timeout with an ephemeral and a watch on it elsewhere, left to expire. */
  #expire(): Step[] {
    const slot = churnSlot;
    const open: Step = {
      kind: 'open',
      slot,
      timeoutMs: this.#prng.pick([0, -1, 1, 999, 1000, 1500, -2147483648]),
      protocolVersion: 0,
      readOnly: false,
      session: null,
      password: 'right',
      zxidDelta: null,
      trailing: Buffer.alloc(0),
    };
    const requests = [0, 1].map(() => ({ xid: this.#xid(slot), ...this.#requests.ephemeralCreate() }));
    return [open, { kind: 'burst', slot, requests }, { kind: 'expire', slot }];
  }
}

/**
 * Requests after which Apache's answers depend on how far the pipeline is, so that nothing may follow in a burst:
 * until a setACL is applied the old list holds, and a multi that an exception ends leaves its changes pending.
 */
function leavesRace({ type, body }: { readonly type: number; readonly body: Buffer }): boolean {
  return type === Op.setACL || (type === Op.multi && !isOrderlyMulti(body));
}

function withoutUndefined(xid: number, type: number, body: Buffer, zxidDelta: number | undefined): RequestStep {
  return zxidDelta === undefined ? { xid, type, body } : { xid, type, body, zxidDelta };
}
