/**
 * Frames to attack with: well-formed requests of every kind by rule, and mutations of them that keep most of the form,
 * so that they pass the front door and fail deeper inside.
 */
import type { Prng } from '../differential/prng.js';
import { WireConnection } from '../wire/connection.js';
import { type Acl, bodies, Op, openAcl } from '../wire/records.js';

interface Request {
  readonly type: number;
  readonly body: Buffer;
}

const paths = [
  '/',
  '/fuzz',
  '/fuzz/a',
  '/fuzz/b',
  '/fuzz/a/c',
  '/fuzz/missing',
  '/fuzz/s-',
  '/fuzz/e',
  '',
  '/zookeeper',
];
const oddPaths = [
  '//',
  '/fuzz/',
  '/fuzz//a',
  '/.',
  '/fuzz/..',
  'fuzz',
  '/fuzz/\u0000',
  '/fuzz/\u0007',
  '/\ud83d\ude00',
];
const quotaPaths = [
  '/zookeeper/quota',
  '/zookeeper/quota/fuzz',
  '/zookeeper/config',
  '/zookeeper/quota/fuzz/zookeeper_limits',
];
const interestingInts = [
  0, 1, -1, -2, 2, 4, 8, 255, 256, 65_535, 0x0fffff, 0x100000, 0x7fffffff, -0x80000000, 0x7ffffffe,
];
const interestingTtls = [0n, 1n, -1n, 1_000n, (1n << 40n) - 1n, 1n << 40n, -(1n << 62n), (1n << 63n) - 1n];
const acls: readonly (readonly Acl[] | null)[] = [
  openAcl,
  openAcl,
  openAcl,
  null,
  [],
  [{ perms: 1, scheme: 'world', id: 'anyone' }],
  [{ perms: 31, scheme: 'auth', id: '' }],
  [{ perms: -1, scheme: 'digest', id: 'u:p' }],
  [{ perms: 31, scheme: 'ip', id: '127.0.0.1/33' }],
  [{ perms: 31, scheme: null, id: null }],
];

export type Rule = (prng: Prng) => Buffer;

const data = (prng: Prng): Buffer | null => (prng.chance(0.1) ? null : Buffer.alloc(prng.below(40), prng.below(256)));
const version = (prng: Prng): number => (prng.chance(0.7) ? -1 : prng.pick(interestingInts));
const flags = (prng: Prng): number => (prng.chance(0.8) ? prng.below(7) : prng.pick(interestingInts));

function path(prng: Prng): string | null {
  if (prng.chance(0.8)) return prng.pick(paths);
  return prng.chance(0.05) ? null : prng.pick(prng.chance(0.5) ? oddPaths : quotaPaths);
}

function pathList(prng: Prng): string[] {
  return Array.from({ length: prng.below(6) }, () => prng.pick(paths));
}

const create: Rule = (prng) => bodies.create(path(prng), data(prng), prng.pick(acls), flags(prng));
const read: Rule = (prng) => bodies.pathWatch(path(prng), prng.chance(0.5));
const versioned: Rule = (prng) => bodies.pathVersion(path(prng), version(prng));
const single: Rule = (prng) => bodies.path(path(prng));
const set: Rule = (prng) => bodies.setData(path(prng), data(prng), version(prng));
const typed: Rule = (prng) =>
  bodies.pathType(path(prng), prng.chance(0.8) ? prng.below(6) : prng.pick(interestingInts));
const createTtl: Rule = (prng) =>
  bodies.createTTL(path(prng), data(prng), prng.pick(acls), flags(prng), prng.pick(interestingTtls));

/** One row per kind of request that a client can send, whether or not it may. */
export const rules: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [Op.create, create],
  [Op.create2, create],
  [Op.createContainer, create],
  [Op.createTTL, createTtl],
  [Op.delete, versioned],
  [Op.check, versioned],
  [Op.exists, read],
  [Op.getData, read],
  [Op.getChildren, read],
  [Op.getChildren2, read],
  [Op.setData, set],
  [Op.getACL, single],
  [Op.setACL, (prng) => bodies.setACL(path(prng), prng.pick(acls), version(prng))],
  [Op.sync, single],
  [Op.deleteContainer, single],
  [Op.getEphemerals, single],
  [Op.getAllChildrenNumber, single],
  [Op.ping, () => bodies.empty()],
  [Op.whoAmI, () => bodies.empty()],
  [
    Op.multi,
    (prng) => multi(prng, [Op.create, Op.create2, Op.createContainer, Op.createTTL, Op.delete, Op.setData, Op.check]),
  ],
  [Op.multiRead, (prng) => multi(prng, [Op.getData, Op.getChildren])],
  [Op.reconfig, (prng) => bodies.reconfig(path(prng), null, path(prng), prng.pick(interestingTtls))],
  [Op.checkWatches, typed],
  [Op.removeWatches, typed],
  [Op.addWatch, typed],
  [Op.auth, (prng) => bodies.auth(prng.pick(['digest', 'ip', 'world', 'sasl', 'none', null]), data(prng))],
  [Op.sasl, (prng) => bodies.sasl(data(prng))],
  [
    Op.setWatches,
    (prng) => bodies.setWatches(prng.pick(interestingTtls), [pathList(prng), pathList(prng), pathList(prng)]),
  ],
  [
    Op.setWatches2,
    (prng) =>
      bodies.setWatches(
        prng.pick(interestingTtls),
        Array.from({ length: 5 }, () => pathList(prng)),
      ),
  ],
  [Op.createSession, (prng) => intBody(prng.pick(interestingInts))],
  [Op.error, (prng) => intBody(prng.pick(interestingInts))],
  [Op.notification, () => bodies.empty()],
]);

function intBody(value: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeInt32BE(value | 0);
  return body;
}

function multi(prng: Prng, kinds: readonly number[]): Buffer {
  const ops = Array.from({ length: prng.below(6) }, () => {
    // Sometimes of a kind that does not belong there, a multi inside a multi included.
    const type = prng.chance(0.95) ? prng.pick(kinds) : prng.pick([...rules.keys()]);
    const body = type === Op.multi || type === Op.multiRead ? bodies.empty() : (rules.get(type) as Rule)(prng);
    return { type, body };
  });
  return bodies.multi(ops);
}

function wellFormed(prng: Prng): Request {
  const type = prng.pick([...rules.keys()]);
  return { type, body: (rules.get(type) as Rule)(prng) };
}

/** A frame, most often damaged in one or two places. */
export function fuzzedFrame(prng: Prng, xid: number): Buffer {
  const { type, body } = wellFormed(prng);
  let frame = WireConnection.requestFrame(prng.chance(0.05) ? prng.pick(interestingInts) : xid, type, body);
  const count = prng.weighted({ none: 20, one: 60, two: 20 });
  for (let i = { none: 0, one: 1, two: 2 }[count]; i > 0 && frame.length >= 4; i--)
    frame = prng.pick(mutations)(frame, prng);
  // A true length most of the time: otherwise nothing behind it is ever looked at.
  if (frame.length >= 4 && prng.chance(0.97)) frame.writeInt32BE(frame.length - 4);
  return frame;
}

type Mutation = (frame: Buffer, prng: Prng) => Buffer;

const mutations: readonly Mutation[] = [
  (frame, prng) => {
    const at = prng.below(frame.length);
    frame[at] = (frame[at] as number) ^ (1 << prng.below(8));
    return frame;
  },
  (frame, prng) => {
    if (frame.length >= 16) frame.writeInt32BE(prng.pick(interestingInts) | 0, 12 + prng.below(frame.length - 15));
    return frame;
  },
  (frame, prng) => frame.subarray(0, prng.below(frame.length + 1)),
  (frame, prng) => Buffer.concat([frame, Buffer.alloc(prng.below(64), prng.below(256))]),
  (frame, prng) => {
    const from = prng.below(frame.length);
    return Buffer.concat([frame, frame.subarray(from, from + prng.below(40))]);
  },
  (frame, prng) => {
    if (frame.length >= 12) frame.writeInt32BE(prng.chance(0.5) ? prng.below(130) - 12 : prng.pick(interestingInts), 8);
    return frame;
  },
];
