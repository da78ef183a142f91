/**
 * Fills a server with everything its disk format knows: nodes of every kind, ACLs, quotas, null and empty data,
 * long data, sequences, failed writes, multis that succeed and fail, sessions that live on and sessions that ended.
 */
import { Prng } from '../differential/prng.js';
import { type Acl, bodies, Flags, Op, openAcl, Perms } from '../wire/records.js';
import { WireSession } from '../wire/session.js';

/** What a version's disk format can hold; requests beyond it are not sent. */
export interface Features {
  /** create2, containers. */
  readonly since35: boolean;
  /** create2 inside a multi: before 3.8.2 such a log is read without that node, and without a word. */
  readonly multiCreate2: boolean;
  /** TTL nodes; needs zookeeper.extendedTypesEnabled on every server of the chain. */
  readonly ttl: boolean;
}

export interface LiveSession {
  readonly id: bigint;
  readonly password: Buffer;
}

const sessionTimeoutMs = 600_000;
const inFlightMax = 24;
const longDataBytes = 300_000;

const acls: readonly (readonly Acl[])[] = [
  openAcl,
  openAcl,
  [{ perms: Perms.all, scheme: 'auth', id: '' }],
  [{ perms: Perms.read, scheme: 'world', id: 'anyone' }],
  [
    { perms: Perms.read | Perms.write, scheme: 'ip', id: '127.0.0.0/8' },
    { perms: Perms.admin, scheme: 'digest', id: 'somebody:abcdefghijklmnopqrstuvwxyz0=' },
  ],
];

const names = ['a', 'b', 'é', '中文', 'with space', 'n'] as const;

export class Workload {
  readonly #prng: Prng;
  readonly #features: Features;
  readonly #port: number;
  /** Paths that were created here or given; some are gone again. */
  readonly #paths: string[];

  constructor(port: number, seed: number, features: Features, knownPaths: readonly string[]) {
    this.#port = port;
    this.#prng = new Prng(seed);
    this.#features = features;
    this.#paths = knownPaths.filter((path) => !path.startsWith('/zookeeper') && path !== '/');
  }

  /** Returns the sessions it leaves behind, all of them with ephemerals but the last, and one that it closed. */
  async run(stage: string, requests: number): Promise<{ live: LiveSession[]; closed: LiveSession }> {
    const sessions = await Promise.all([1, 2, 3].map((number) => this.#open(`u${number}:p${number}`)));
    const [first, second, idle] = sessions as [WireSession, WireSession, WireSession];
    const closed = await this.#open('u3:p3');
    const root = await first.create(`/${stage}`, null);
    this.#paths.push(root);
    await this.#quota(first, root);
    await this.#ephemerals([first, second, closed], root);
    await first.create(`${root}/long`, Buffer.alloc(longDataBytes, this.#prng.below(256)));
    for (let sent = 0; sent < requests; sent += inFlightMax) {
      const session = this.#prng.pick([first, second]);
      // Many in flight at once: snapshots start in the middle of a stream of writes. Errors are part of the plan.
      await Promise.all(Array.from({ length: inFlightMax }, () => this.#send(session, root)));
      if (sent === Math.floor(requests / 2 / inFlightMax) * inFlightMax) await closed.close();
    }
    const live = [first, second, idle].map(({ sessionId, password }) => ({ id: sessionId, password }));
    for (const session of [first, second, idle]) session.abandon();
    return { live, closed: { id: closed.sessionId, password: closed.password } };
  }

  async #open(credentials: string): Promise<WireSession> {
    const session = await WireSession.connect(this.#port, { timeoutMs: sessionTimeoutMs });
    await session.auth('digest', credentials);
    return session;
  }

  async #quota(session: WireSession, root: string): Promise<void> {
    const base = `/zookeeper/quota${root}`;
    await session.create(base, '');
    await session.create(`${base}/zookeeper_limits`, 'count=100000,bytes=-1');
    await session.create(`${base}/zookeeper_stats`, 'count=0,bytes=0');
  }

  async #ephemerals(sessions: readonly WireSession[], root: string): Promise<void> {
    for (const session of sessions) {
      for (const flags of [Flags.ephemeral, Flags.ephemeralSequential, Flags.ephemeralSequential]) {
        await session.create(`${root}/ephemeral-${session.sessionId}-`, 'e', { flags });
      }
    }
  }

  #data(): Buffer | null {
    const kind = this.#prng.below(6);
    if (kind === 0) return null;
    if (kind === 1) return Buffer.alloc(0);
    return Buffer.from(`value ${this.#prng.below(100_000)}`);
  }

  async #send(session: WireSession, root: string): Promise<void> {
    const prng = this.#prng;
    const known = prng.chance(0.3) ? prng.pick(this.#paths) : root;
    const path = `${prng.chance(0.5) ? known : root}/${prng.pick(names)}${prng.below(60)}`;
    const acl = prng.pick(acls);
    const draws = {
      create: () => this.#create(session, Op.create, path, acl, 0),
      sequential: () => this.#create(session, Op.create, `${root}/seq-`, acl, Flags.persistentSequential),
      create2: () => this.#create(session, this.#features.since35 ? Op.create2 : Op.create, path, acl, 0),
      container: () =>
        this.#features.since35 ? this.#create(session, Op.createContainer, path, acl, Flags.container) : undefined,
      ttl: () => this.#createTTL(session, path, acl),
      setData: () => session.request(Op.setData, bodies.setData(prng.pick(this.#paths), this.#data(), -1)),
      staleSet: () => session.request(Op.setData, bodies.setData(prng.pick(this.#paths), this.#data(), 77)),
      delete: () => session.request(Op.delete, bodies.pathVersion(prng.pick(this.#paths), -1)),
      setACL: () => session.request(Op.setACL, bodies.setACL(path, acl, -1)),
      multi: () => this.#multi(session, path, false),
      failedMulti: () => this.#multi(session, path, true),
    };
    await draws[
      prng.weighted({
        create: 8,
        sequential: 4,
        create2: 3,
        container: 2,
        ttl: 2,
        setData: 8,
        staleSet: 1,
        delete: 4,
        setACL: 2,
        multi: 3,
        failedMulti: 1,
      })
    ]();
  }

  async #create(session: WireSession, type: number, path: string, acl: readonly Acl[], flags: number): Promise<void> {
    const reply = await session.request(type, bodies.create(path, this.#data(), acl, flags));
    if (reply.err === 0) this.#paths.push(reply.body.subarray(4, 4 + reply.body.readInt32BE(0)).toString());
  }

  async #createTTL(session: WireSession, path: string, acl: readonly Acl[]): Promise<void> {
    if (!this.#features.ttl) return;
    const ttlMs = BigInt(3_600_000 + this.#prng.below(1_000_000));
    await session.request(Op.createTTL, bodies.createTTL(path, this.#data(), acl, Flags.persistentWithTTL, ttlMs));
  }

  async #multi(session: WireSession, path: string, fails: boolean): Promise<void> {
    const create = this.#features.multiCreate2 ? this.#prng.pick([Op.create, Op.create2]) : Op.create;
    const body = bodies.multi([
      { type: create, body: bodies.create(`${path}-m`, this.#data(), openAcl, 0) },
      { type: Op.setData, body: bodies.setData(`${path}-m`, this.#data(), 0) },
      { type: Op.check, body: bodies.pathVersion(`${path}-m`, fails ? 5 : 1) },
      { type: Op.create, body: bodies.create(`${path}-m/`, null, openAcl, Flags.persistentSequential) },
      { type: Op.create, body: bodies.create(`${path}-gone`, null, openAcl, 0) },
      { type: Op.delete, body: bodies.pathVersion(`${path}-gone`, 0) },
    ]);
    const reply = await session.request(Op.multi, body);
    if (reply.err === 0 && reply.body.readInt32BE(0) === create) this.#paths.push(`${path}-m`);
  }
}
