/**
 * Draws one request: an operation by weight, its fields from `material.ts` aimed by `tree-guess.ts`, and sometimes
 * damage to the finished body: cut short, junk behind, a byte or a length changed.
 */
import { WireReader } from '../wire/bytes.js';
import { bodies, Flags, Op, readAcls } from '../wire/records.js';
import type { Profile } from './generator.js';
import { isLethal } from './lethal.js';
import { type AclWishes, badPaths, childNames, quotaTexts, randomAcl, randomData, ttls, versions } from './material.js';
import type { Prng } from './prng.js';
import type { RequestStep } from './steps.js';
import { TreeGuess } from './tree-guess.js';

export interface DrawnRequest {
  readonly type: number;
  readonly body: Buffer;
  readonly zxidDelta?: number;
  /** Not within a burst: the server closes the connection after it, or answers it ahead of its turn. */
  readonly alone?: boolean;
}

const opWeights = {
  create: 140,
  create2: 60,
  createContainer: 25,
  createTTL: 40,
  delete: 90,
  setData: 90,
  setACL: 40,
  multi: 80,
  deepMulti: 4,
  reconfig: 6,
  deleteContainer: 12,
  exists: 50,
  getData: 60,
  getACL: 35,
  getChildren: 30,
  getChildren2: 30,
  getAllChildrenNumber: 15,
  getEphemerals: 15,
  sync: 12,
  ping: 10,
  whoAmI: 6,
  sasl: 2,
  multiRead: 25,
  checkWatches: 20,
  removeWatches: 30,
  addWatch: 40,
  setWatches: 15,
  setWatches2: 15,
  quota: 25,
  unknown: 3,
  check: 1,
} as const;

type OpKind = keyof typeof opWeights;

/** Codes that no server accepts from a client. */
const unknownTypes = [0, 10, 23, 99, 108, 1000, -2, -100, 2147483647, -2147483648, -1] as const;

const nodesMax = 120;
const damageChance = 0.03;

export class RequestSource {
  readonly #prng: Prng;
  readonly #profile: Profile;
  readonly #guess = new TreeGuess();
  readonly #watching: boolean;
  readonly #aclWishes: AclWishes;
  readonly #draws: Readonly<Record<OpKind, (slot: number) => DrawnRequest>>;

  constructor(prng: Prng, profile: Profile) {
    this.#prng = prng;
    this.#profile = profile;
    this.#watching = profile.mix !== 'acls';
    this.#aclWishes = { readable: profile.mix === 'watches', ipv6: !profile.differences.has('ipv6Acl') };
    const path = (type: number, draw: () => string | null) => () => ({ type, body: bodies.path(draw()) });
    const pathWatch = (type: number) => (slot: number) => ({
      type,
      body: bodies.pathWatch(this.#path(), this.#watchFlag(slot)),
    });
    this.#draws = {
      create: () => this.#create(Op.create),
      create2: () => this.#create(Op.create2),
      createContainer: () => this.#create(Op.createContainer),
      createTTL: () => this.#create(Op.createTTL),
      delete: () => this.#delete(),
      setData: () => this.#setData(),
      setACL: () => this.#setACL(),
      multi: () => this.#multi(1 + prng.below(6)),
      deepMulti: () => this.#multi(30 + prng.below(60)),
      reconfig: () => this.#reconfig(),
      deleteContainer: () => ({ type: Op.deleteContainer, body: bodies.path(this.#path()) }),
      exists: pathWatch(Op.exists),
      getData: pathWatch(Op.getData),
      getACL: path(Op.getACL, () => this.#path()),
      getChildren: pathWatch(Op.getChildren),
      getChildren2: pathWatch(Op.getChildren2),
      getAllChildrenNumber: path(Op.getAllChildrenNumber, () => (prng.chance(0.2) ? '/' : this.#path())),
      getEphemerals: path(Op.getEphemerals, () => prng.pick([null, '', ' ', '/', '/a', '/a/', 'a', this.#path()])),
      sync: path(Op.sync, () => this.#path()),
      ping: () => ({ type: Op.ping, body: prng.chance(0.1) ? Buffer.from('ignored') : Buffer.alloc(0) }),
      whoAmI: () => ({ type: Op.whoAmI, body: Buffer.alloc(0) }),
      sasl: () => ({
        type: Op.sasl,
        body: bodies.sasl(prng.pick([null, Buffer.alloc(0), Buffer.from('token')])),
        alone: true,
      }),
      multiRead: () => this.#multiRead(),
      checkWatches: (slot) => ({ type: Op.checkWatches, body: bodies.pathType(this.#path(), this.#watcherType(slot)) }),
      removeWatches: (slot) => ({
        type: Op.removeWatches,
        body: bodies.pathType(this.#path(), this.#watcherType(slot)),
      }),
      addWatch: (slot) => this.#addWatch(slot),
      setWatches: (slot) => this.#setWatches(slot, Op.setWatches),
      setWatches2: (slot) => this.#setWatches(slot, Op.setWatches2),
      quota: () => this.#quota(),
      unknown: () => ({ type: prng.pick(unknownTypes), body: bodies.path(this.#path()), alone: true }),
      check: () => ({ type: Op.check, body: bodies.pathVersion(this.#path(), 0), alone: true }),
    };
  }

  /** `isSuper`: nothing is forbidden to the connection. */
  next(slot: number, isSuper: boolean): DrawnRequest {
    for (;;) {
      const kind = this.#prng.weighted(opWeights);
      if (this.#avoided(kind, isSuper)) continue;
      const drawn = this.#draws[kind](slot);
      const request = this.#prng.chance(damageChance) ? { ...drawn, body: this.#damaged(drawn) } : drawn;
      if (this.#profile.differences.has('emptyPathWatch') && namesEmptyPathForWatch(request)) continue;
      if (!isLethal(request.type, request.body)) return request;
    }
  }

  /** A create of an ephemeral that should succeed, in the root. */
  ephemeralCreate(): DrawnRequest {
    const body = bodies.create(
      '/e-',
      Buffer.from('e'),
      randomAcl(this.#prng, { ...this.#aclWishes, readable: true }),
      Flags.ephemeralSequential,
    );
    return { type: Op.create, body };
  }

  observe(request: RequestStep, reply: Buffer): void {
    this.#guess.observe(request, reply);
  }

  #avoided(kind: OpKind, isSuper: boolean): boolean {
    const { differences } = this.#profile;
    if (kind === 'check') return differences.has('topLevelCheck');
    if (kind === 'deleteContainer') {
      return differences.has('deleteContainerBody') || (differences.has('deleteContainerPermission') && !isSuper);
    }
    if (kind === 'checkWatches' && differences.has('checkWatches')) return true;
    if (!this.#watching && watchOps.has(kind)) return true;
    return kind === 'exists' && differences.has('readPermission') && this.#profile.mix === 'acls';
  }

  #path(): string | null {
    const kind = this.#prng.below(100);
    if (kind < 72) return this.#guess.existing(this.#prng);
    if (kind < 80) return this.#newPath();
    if (kind < 86) return '/';
    return this.#prng.pick(badPaths);
  }

  #newPath(): string {
    const parent = this.#prng.chance(0.3) ? '' : this.#guess.existing(this.#prng);
    // Deep trees would have ever longer paths and little else.
    const at = parent.split('/').length > 5 ? '' : parent;
    return `${at}/${this.#prng.pick(childNames)}`;
  }

  #version(known: number | undefined): number {
    return known !== undefined && this.#prng.chance(0.4) ? known : this.#prng.pick(versions);
  }

  /** Connections 3 and 4 use addWatch alone where two modes on one path mean different things to the two servers. */
  #watchFlag(slot: number): boolean {
    if (!this.#watching) return false;
    if (this.#profile.differences.has('watchModes') && slot >= 3) return false;
    return this.#prng.chance(0.5);
  }

  #create(type: number, ordinaryFlags = false): DrawnRequest {
    const prng = this.#prng;
    const full = this.#guess.size > nodesMax;
    const path = prng.chance(full ? 0.9 : 0.15) ? this.#path() : this.#newPath();
    const flags = this.#flags(type, ordinaryFlags);
    const sequential = flags === 2 || flags === 3 || flags === 6;
    const finalPath = sequential && path !== null && prng.chance(0.5) ? `${path}/` : path;
    const data = randomData(prng);
    const acl = randomAcl(prng, this.#aclWishes);
    if (type !== Op.createTTL) return { type, body: bodies.create(finalPath, data, acl, flags) };
    return { type, body: bodies.createTTL(finalPath, data, acl, flags, prng.pick(ttls)) };
  }

  #flags(type: number, ordinary: boolean): number {
    if (!ordinary && this.#prng.chance(0.05)) return this.#prng.pick([7, 8, -1, 2147483647, 4, 5, 6, 0]);
    if (type === Op.createContainer) return Flags.container;
    if (type === Op.createTTL) return this.#prng.pick([5, 5, 6, 0]);
    return this.#prng.pick([0, 0, 0, 0, 1, 2, 2, 3]);
  }

  #delete(): DrawnRequest {
    const path = this.#path();
    return { type: Op.delete, body: bodies.pathVersion(path, this.#version(this.#guess.stat(path)?.version)) };
  }

  #setData(): DrawnRequest {
    const path = this.#path();
    const version = this.#version(this.#guess.stat(path)?.version);
    return { type: Op.setData, body: bodies.setData(path, randomData(this.#prng), version) };
  }

  #setACL(): DrawnRequest {
    const path = this.#path();
    const version = this.#version(this.#guess.stat(path)?.aversion);
    const special = path === '/' || path === '' || path?.startsWith('/zookeeper');
    // A root that nobody can use would make everything after it the same NoAuth.
    const acl = special ? harmlessAcl(this.#prng) : randomAcl(this.#prng, this.#aclWishes);
    return { type: Op.setACL, body: bodies.setACL(path, acl, version) };
  }

  #multi(count: number): DrawnRequest {
    const flagsChoose = this.#profile.differences.has('multiCreate');
    const kinds = flagsChoose ? multiKinds.filter((kind) => kind !== 'create2') : multiKinds;
    const drawEntry = (): DrawnRequest => {
      const kind = this.#prng.pick(kinds);
      if (kind === 'checkEntry') return this.#checkEntry();
      if (kind === 'create' || kind === 'createContainer') return this.#create(Op[kind], flagsChoose);
      return this.#draws[kind](0);
    };
    const entries = Array.from({ length: count }, () => {
      for (;;) {
        const entry = drawEntry();
        if (!flagsChoose || !hasNullField(entry)) return entry;
      }
    });
    // An entry that no multi may hold.
    if (this.#prng.chance(0.04)) entries.push(this.#draws[this.#prng.pick(notInMulti)](0));
    if (this.#prng.chance(0.03)) entries.length = 0;
    return { type: Op.multi, body: bodies.multi(entries) };
  }

  /** A version check that holds more often than not, so that multis often get through. */
  #checkEntry(): DrawnRequest {
    const path = this.#prng.chance(0.8) ? this.#guess.existing(this.#prng) : this.#path();
    const known = this.#guess.stat(path)?.version;
    const version = this.#prng.chance(0.7) ? -1 : this.#version(known);
    return { type: Op.check, body: bodies.pathVersion(path, version) };
  }

  #multiRead(): DrawnRequest {
    const entries = Array.from({ length: this.#prng.below(6) }, () => ({
      type: this.#prng.chance(0.96)
        ? this.#prng.pick([Op.getData, Op.getChildren])
        : this.#prng.pick([Op.exists, Op.delete]),
      body: bodies.pathWatch(this.#path(), this.#prng.chance(0.5)),
    }));
    return { type: Op.multiRead, body: bodies.multi(entries) };
  }

  #reconfig(): DrawnRequest {
    const text = (): string | null => this.#prng.pick([null, '', 'server.2=127.0.0.1:1:2:participant;3', '2', 'junk']);
    return { type: Op.reconfig, body: bodies.reconfig(text(), text(), text(), this.#prng.pick([-1n, 0n, 5n])) };
  }

  #watcherType(slot: number): number {
    if (!this.#profile.differences.has('watcherTypes')) return this.#prng.pick([1, 2, 3, 4, 5, 0, 6, -1]);
    if (slot >= 3) return 3;
    return this.#prng.pick([1, 2, 3, 0, 6, -1]);
  }

  #addWatch(slot: number): DrawnRequest {
    const free = !this.#profile.differences.has('watchModes');
    const path = this.#path();
    const mode = this.#prng.chance(0.06) ? this.#prng.pick([2, -1]) : this.#prng.below(2);
    if (free) return { type: Op.addWatch, body: bodies.pathType(path, mode) };
    // One mode per path, and only on connections that set no other watch.
    const fixedMode = slot === 3 ? 0 : slot === 4 ? 1 : 2;
    return { type: Op.addWatch, body: bodies.pathType(path, fixedMode) };
  }

  #setWatches(slot: number, type: number): DrawnRequest {
    const disciplined = this.#profile.differences.has('watchModes');
    const list = (wanted: boolean): string[] | null => {
      if (!wanted) return [];
      if (this.#prng.chance(0.02)) return null;
      return Array.from({ length: this.#prng.below(4) }, () => this.#path() || '/null');
    };
    const oneShot = !disciplined || slot < 3;
    const lists = [list(oneShot), list(oneShot), list(oneShot)];
    if (type === Op.setWatches2) lists.push(list(!disciplined || slot === 3), list(!disciplined || slot === 4));
    const body = bodies.setWatches(0n, lists);
    return { type, body, zxidDelta: this.#prng.pick([0, 0, -1, -5, -20, -100, 10]) };
  }

  /** Nodes that switch quotas on and off, under any path that may exist. */
  #quota(): DrawnRequest {
    const prng = this.#prng;
    const base = `/zookeeper/quota/${prng.pick(['a', 'b', 'a/b', 'é'])}`;
    const leaf = prng.pick(['', '/zookeeper_limits', '/zookeeper_limits', '/zookeeper_stats']);
    if (prng.chance(0.15)) return { type: Op.delete, body: bodies.pathVersion(base + leaf, -1) };
    if (prng.chance(0.2)) return { type: Op.getData, body: bodies.pathWatch(`${base}/zookeeper_stats`, false) };
    const text = leaf === '/zookeeper_stats' ? 'count=0,bytes=0' : prng.pick(quotaTexts);
    const data = leaf === '' ? null : Buffer.from(text);
    if (leaf !== '' && prng.chance(0.2)) return { type: Op.setData, body: bodies.setData(base + leaf, data, -1) };
    return { type: Op.create, body: bodies.create(base + leaf, data, harmlessAcl(prng), 0) };
  }

  /** Cut short, longer, one byte changed, or a length that lies. */
  #damaged({ type, body }: DrawnRequest): Buffer {
    const prng = this.#prng;
    if (body.length === 0) return Buffer.from('x');
    const damaged = Buffer.from(body);
    // Where flags inside a multi mean different things to the two servers, none may be hit.
    const kind = type === Op.multi && this.#profile.differences.has('multiCreate') ? prng.below(2) : prng.below(4);
    if (kind === 0) return damaged.subarray(0, prng.below(damaged.length));
    if (kind === 1) return Buffer.concat([damaged, Buffer.from('junk')]);
    if (kind === 2) damaged[prng.below(damaged.length)] = prng.below(256);
    else if (damaged.length >= 4)
      damaged.writeInt32BE(prng.pick([-1, -2, 2147483647, 3_000_000, 0]), prng.below(damaged.length - 3));
    return damaged;
  }
}

/** A null path or ACL list in a write: inside a multi, versions differ in how they stumble over it. */
function hasNullField({ type, body }: DrawnRequest): boolean {
  const reader = new WireReader(body);
  if (reader.string() === null) return true;
  if (type !== Op.create && type !== Op.createContainer && type !== Op.createTTL) return false;
  reader.buffer();
  return readAcls(reader) === null;
}

const watchTypes = new Set<number>([
  Op.exists,
  Op.getData,
  Op.getChildren,
  Op.getChildren2,
  Op.addWatch,
  Op.checkWatches,
  Op.removeWatches,
]);

/** The lists of setWatches are not looked into: what this generator puts there is never empty. */
function namesEmptyPathForWatch({ type, body }: DrawnRequest): boolean {
  return watchTypes.has(type) && body.length >= 4 && body.readInt32BE(0) <= 0;
}

const multiKinds = [
  'create',
  'create',
  'create2',
  'createContainer',
  'createTTL',
  'delete',
  'setData',
  'checkEntry',
] as const;
const notInMulti: readonly OpKind[] = ['getData', 'setACL', 'sync', 'multiRead'];

const watchOps: ReadonlySet<OpKind> = new Set([
  'checkWatches',
  'removeWatches',
  'addWatch',
  'setWatches',
  'setWatches2',
]);

/** Open or world-readable, never more restrictive: for nodes that everything depends on. */
function harmlessAcl(prng: Prng) {
  return [
    { perms: 31, scheme: 'world', id: 'anyone' },
    ...(prng.chance(0.2) ? [{ perms: 1, scheme: 'world', id: 'anyone' }] : []),
  ];
}
