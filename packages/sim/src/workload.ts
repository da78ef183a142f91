/**
 * What the simulated clients ask for. A small universe of paths, so that clients meet; every kind of request, valid and not;
 * weights drawn per run, some of them zero.
 */
import type { Prng } from '@zoots/base';
import type { CoreConfig } from '@zoots/core';
import { OP, type RawAcl } from '@zoots/protocol';
import type { Model } from './model.js';
import { makeRequest, type Request } from './request.js';

/** How busy and how patient clients are. */
export interface Habits {
  readonly gapMinUs: number;
  readonly gapMaxUs: number;
  /** Requests a client has in flight at most. */
  readonly pipelineMax: number;
  /** Requests sent at once, in one write. */
  readonly burstMax: number;
  readonly weights: readonly number[];
  readonly names: readonly string[];
  readonly depthMax: number;
  readonly dataBytesMax: number;
  /** Chance of data so large that a tree of a few such znodes takes a snapshot many turns. */
  readonly largeDataChance: number;
  readonly aclChance: number;
  readonly watchChance: number;
  readonly malformedChance: number;
  readonly usersMax: number;
  readonly hasQuotas: boolean;
  readonly hasTtl: boolean;
  /** Whether /zookeeper/config is looked at; in an ensemble it tells what the model does not know. */
  readonly hasConfigPath: boolean;
  /** A request that nobody knows closes the connection. */
  readonly unknownOpChance: number;
}

export const LARGE_DATA_BYTES = 400_000;

export const USERS: readonly string[] = ['ann:secret', 'bob:hush', 'cem:quiet'];

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

export function drawHabits(prng: Prng, core: CoreConfig): Habits {
  const burstMax = prng.pick([1, 1, 1, 10, 10, 300]);
  const gapMinUs = prng.pick([50, 1_000, 5_000]) * Math.ceil(burstMax / 2);
  return {
    gapMinUs,
    gapMaxUs: gapMinUs * prng.pick([2, 10]),
    pipelineMax: prng.pick([1, 4, 30, 200, 3_000]),
    burstMax,
    weights: KINDS.map((kind) => kind.weight * prng.pick([0, 1, 1, 1, 4])),
    names: NAMES.slice(0, prng.pick([2, 4, 8])),
    depthMax: prng.pick([1, 2, 3]),
    dataBytesMax: prng.pick([10, 100, 100, 2_000]),
    largeDataChance: prng.pick([0, 0, 0, 0, 0.04]),
    aclChance: prng.pick([0, 0.05, 0.3]),
    watchChance: prng.pick([0, 0.1, 0.6]),
    malformedChance: prng.pick([0, 0.01]),
    usersMax: prng.pick([0, 1, 3]),
    hasQuotas: core.enforceQuota || prng.chance(0.3),
    hasTtl: core.extendedTypesEnabled,
    hasConfigPath: true,
    unknownOpChance: prng.pick([0, 0, 0.001]),
  };
}

type Make = (workload: Workload) => Request;

interface Kind {
  readonly weight: number;
  readonly make: Make;
}

export class Workload {
  readonly habits: Habits;
  readonly prng: Prng;
  readonly model: Model;
  readonly #total: number;
  #valueCount = 0;
  readonly #label: string;

  constructor(habits: Habits, prng: Prng, model: Model, label: string) {
    this.habits = habits;
    this.prng = prng;
    this.model = model;
    this.#label = label;
    this.#total = habits.weights.reduce((sum, weight) => sum + weight, 0);
  }

  next(): Request {
    if (this.prng.chance(this.habits.unknownOpChance)) return makeRequest(99);
    if (this.#total === 0) return makeRequest(OP.exists, { path: '/' });
    let at = this.prng.below(this.#total);
    for (let i = 0; i < KINDS.length; i++) {
      at -= this.habits.weights[i] as number;
      if (at < 0) return this.#maybeCut((KINDS[i] as Kind).make(this));
    }
    return makeRequest(OP.ping);
  }

  #maybeCut(request: Request): Request {
    if (!CUT_OPS.has(request.op) || !this.prng.chance(this.habits.malformedChance)) return request;
    return { ...request, cutBytes: this.prng.between(1, 4), watch: false };
  }

  // ---- material ----

  directory(): string {
    const { prng, habits } = this;
    let path = '';
    for (let depth = prng.below(habits.depthMax); depth > 0; depth--) path += `/${prng.pick(habits.names)}`;
    return path === '' ? '/' : path;
  }

  path(): string {
    const directory = this.directory();
    if (this.prng.chance(0.25)) {
      const children = this.model.childrenAt(directory, this.model.lastZxid);
      const child = children.length > 0 ? this.prng.pick(children) : '/a';
      if (child !== '/zookeeper') return child;
    }
    if (this.prng.chance(0.01)) return this.prng.pick(this.habits.hasConfigPath ? ODD_PATHS : ODD_PATHS_BUT_CONFIG);
    return `${directory === '/' ? '' : directory}/${this.prng.pick(this.habits.names)}`;
  }

  /** Never equal to another value of the run, so that a lost or resurrected one is recognised. */
  data(): string | null {
    const { prng, habits } = this;
    if (prng.chance(0.05)) return prng.pick([null, '']);
    const value = `${this.#label}.${++this.#valueCount}.`;
    const isLarge = prng.chance(habits.largeDataChance);
    return value.padEnd(prng.below(isLarge ? LARGE_DATA_BYTES : habits.dataBytesMax), 'x');
  }

  version(path: string): number {
    if (this.prng.chance(0.5)) return -1;
    const known = this.model.now(path)?.version ?? 0;
    return this.prng.chance(0.85) ? known : this.prng.between(-2, 5);
  }

  watch(): boolean {
    return this.prng.chance(this.habits.watchChance);
  }

  acls(): readonly RawAcl[] | null {
    if (!this.prng.chance(this.habits.aclChance)) return OPEN;
    return this.prng.pick(ACLS);
  }
}

const OPEN: readonly RawAcl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }];
const WORLD_READ: RawAcl = { perms: 1, scheme: 'world', id: 'anyone' };
const AUTH: RawAcl = { perms: 31, scheme: 'auth', id: '' };

const ACLS: readonly (readonly RawAcl[] | null)[] = [
  [AUTH],
  [AUTH, WORLD_READ],
  [{ perms: 15, scheme: 'world', id: 'anyone' }],
  [{ perms: 30, scheme: 'world', id: 'anyone' }, AUTH],
  [{ perms: 31, scheme: 'ip', id: '10.0.0.1' }, WORLD_READ],
  [WORLD_READ, WORLD_READ, { perms: 31, scheme: 'ip', id: '10.0.0.2' }],
  [],
  null,
  [{ perms: 31, scheme: 'nobody', id: 'x' }],
  [{ perms: 31, scheme: 'digest', id: 'no-colon' }],
  [{ perms: 31, scheme: null, id: null }],
];

const ODD_PATHS = [
  '/',
  '/a/',
  '/a//b',
  '/..',
  '/a/.',
  'a',
  '/\u0001',
  '/zookeeper',
  '/zookeeper/config',
  '/zookeeper/quota',
];

const ODD_PATHS_BUT_CONFIG = ODD_PATHS.filter((path) => path !== '/zookeeper/config');

const CUT_OPS: ReadonlySet<number> = new Set([OP.create, OP.create2, OP.setData, OP.exists, OP.getData, OP.multi]);

function makeCreate(workload: Workload, ops: readonly number[]): Request {
  const { prng, habits } = workload;
  const op = prng.pick(ops);
  const path = workload.path();
  const fields = { path, data: workload.data(), acls: workload.acls() };
  if (op === OP.createTTL) {
    const flags = prng.chance(0.9) ? prng.pick([5, 6]) : prng.below(8);
    return makeRequest(op, { ...fields, flags, ttlMs: prng.pick([1, 500, 2_000, 2_000, 100_000, 0, -1]) });
  }
  if (op === OP.createContainer) return makeRequest(op, { ...fields, flags: 4 });
  const flags = prng.chance(0.02) ? prng.between(-1, 8) : prng.pick([0, 0, 0, 1, 1, 2, 3]);
  return makeRequest(op, { ...fields, flags: !habits.hasTtl && flags === 4 ? 0 : flags });
}

const CREATE_OPS = [OP.create, OP.create, OP.create2, OP.createContainer, OP.createTTL];
const CREATE_OPS_IN_MULTI = [OP.create, OP.create, OP.create2];

function makeDelete(workload: Workload): Request {
  const path = workload.path();
  return makeRequest(OP.delete, { path, version: workload.version(path) });
}

function makeSetData(workload: Workload): Request {
  const path = workload.path();
  return makeRequest(OP.setData, { path, data: workload.data(), version: workload.version(path) });
}

function makeMulti(workload: Workload): Request {
  const { prng } = workload;
  const parts: Request[] = [];
  const makes = [
    () => plain(makeCreate(workload, CREATE_OPS_IN_MULTI)),
    () => makeDelete(workload),
    () => makeSetData(workload),
    () => makeCheck(workload),
  ];
  for (let count = prng.below(5); count > 0; count--) parts.push(prng.pick(makes)());
  return makeRequest(OP.multi, { parts });
}

/** With flags and an ACL list that a multi can carry at all: others fail it as a whole. */
function plain(request: Request): Request {
  const flags = request.flags >= 0 && request.flags <= 3 ? request.flags : 0;
  return { ...request, flags, acls: request.acls ?? [] };
}

function makeCheck(workload: Workload): Request {
  const path = workload.path();
  return makeRequest(OP.check, { path, version: workload.version(path) });
}

function makeMultiRead(workload: Workload): Request {
  const parts: Request[] = [];
  for (let count = workload.prng.below(4); count > 0; count--) {
    parts.push(makeRequest(workload.prng.pick([OP.getData, OP.getChildren]), { path: workload.path() }));
  }
  return makeRequest(OP.multiRead, { parts });
}

/** Quotas of top-level znodes: a quota's own znode, its limits, its usage. */
function makeQuota(workload: Workload): Request {
  const { prng, habits } = workload;
  if (!habits.hasQuotas) return makeSetData(workload);
  const base = `/zookeeper/quota/${prng.pick(habits.names)}`;
  const limits = `${base}/zookeeper_limits`;
  const text = (): string =>
    `count=${prng.between(-1, 9)},bytes=${prng.between(-1, 999)}=;byteHardLimit=${prng.pick([-1, 50, 500, 5_000])};countHardLimit=${prng.pick([-1, 2, 5, 20])}`;
  const stats = `${base}/zookeeper_stats`;
  const whole = (): Request[] => [
    makeRequest(OP.create, { path: base, data: '' }),
    makeRequest(OP.create, { path: limits, data: text() }),
    makeRequest(OP.create, { path: stats, data: 'count=0,bytes=0' }),
  ];
  const makes: (() => Request)[] = [
    () => makeRequest(OP.multi, { parts: whole() }),
    () => makeRequest(OP.multi, { parts: whole() }),
    () => makeRequest(OP.create, { path: base, data: '' }),
    () => makeRequest(OP.create, { path: limits, data: text() }),
    () => makeRequest(OP.create, { path: stats, data: 'count=0,bytes=0' }),
    () => makeRequest(OP.setData, { path: limits, data: text() }),
    () => makeRequest(OP.getData, { path: stats }),
    () => makeRequest(OP.delete, { path: prng.pick([limits, stats, base]) }),
  ];
  return prng.pick(makes)();
}

function reading(op: number): Make {
  return (workload) => makeRequest(op, { path: workload.path(), watch: workload.watch() });
}

const watchRequest: Make = (workload) => {
  const op = workload.prng.pick([OP.addWatch, OP.addWatch, OP.checkWatches, OP.removeWatches]);
  const type = op === OP.addWatch ? workload.prng.below(2) : workload.prng.between(1, 5);
  return makeRequest(op, { path: workload.prng.chance(0.1) ? '/' : workload.path(), type });
};

const KINDS: readonly Kind[] = [
  { weight: 120, make: (workload) => makeCreate(workload, CREATE_OPS) },
  { weight: 80, make: makeDelete },
  { weight: 120, make: makeSetData },
  { weight: 40, make: makeMulti },
  {
    weight: 10,
    make: (workload) => {
      const path = workload.path();
      const version = workload.prng.chance(0.7) ? -1 : (workload.model.now(path)?.aversion ?? 0);
      const acls = workload.prng.chance(0.5) ? OPEN : workload.acls();
      return makeRequest(OP.setACL, { path: path === '/' ? '/a' : path, acls, version });
    },
  },
  { weight: 16, make: makeQuota },
  { weight: 2, make: () => makeRequest(OP.reconfig, { path: 'server.1=x', data: 'y' }) },
  { weight: 60, make: reading(OP.getData) },
  { weight: 40, make: reading(OP.exists) },
  {
    weight: 20,
    make: (workload) => makeRequest(OP.getChildren, { path: workload.directory(), watch: workload.watch() }),
  },
  {
    weight: 20,
    make: (workload) => makeRequest(OP.getChildren2, { path: workload.directory(), watch: workload.watch() }),
  },
  { weight: 10, make: (workload) => makeRequest(OP.getACL, { path: workload.path() }) },
  { weight: 10, make: makeMultiRead },
  { weight: 4, make: (workload) => makeRequest(OP.getAllChildrenNumber, { path: workload.directory() }) },
  { weight: 6, make: (workload) => makeRequest(OP.getEphemerals, { path: workload.prng.pick(['/', '/a', '/b/a']) }) },
  { weight: 4, make: () => makeRequest(OP.whoAmI) },
  { weight: 6, make: (workload) => makeRequest(OP.sync, { path: workload.path() }) },
  { weight: 20, make: watchRequest },
  { weight: 10, make: () => makeRequest(OP.ping) },
];
