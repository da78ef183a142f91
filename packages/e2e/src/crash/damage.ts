/**
 * Files that were damaged while nobody looked: cut short, zeroed from some byte on, or with one bit flipped.
 *
 * A server makes a data directory with every kind of txn in it, several logs and snapshots, while the tree is dumped
 * after each txn. Then each damage is done to a fresh copy, and a server is started on it. It may
 *
 *   serve    exactly the whole state; or, where the end of the newest log was cut or zeroed, exactly the state after the
 *            last record that is left, since that is what an unfinished write looks like
 *   refuse   with a message that names the damaged file
 *
 * and nothing else: a flipped bit never costs an acknowledged write silently.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '../differential/prng.js';
import { freePort, type PeerKind } from '../peers/peer.js';
import { bodies, Flags, Op, openAcl } from '../wire/records.js';
import { WireSession } from '../wire/session.js';
import { dumpTree, treeDifferences, treeLines } from '../wire/tree-dump.js';
import { lastLine } from './kill-loop.js';
import type { ChapterResult } from './report.js';
import { ServerProcess } from './server-process.js';

export const damageKinds = ['cut', 'zero', 'flip'] as const;
export type DamageKind = (typeof damageKinds)[number];

export interface Damage {
  readonly file: string;
  readonly kind: DamageKind;
  readonly offset: number;
  readonly bit: number;
}

export interface DamageOptions {
  readonly kind: PeerKind;
  readonly workDir: string;
  /** Damages per file; Infinity for every byte (and, of a flip, every bit). */
  readonly samples: number;
  readonly seed: number;
}

/** A directory to damage, and what each of its states looks like. */
export interface DamageSubject {
  /** The version-2 directory. */
  readonly directory: string;
  /** Dump of the tree by zxid, after each step. */
  readonly trees: ReadonlyMap<number, readonly string[]>;
  readonly lastZxid: number;
  readonly newestLog: string;
  /** Where each record of the newest log ends, and its zxid; the first entry is the header's end. */
  readonly recordEnds: readonly (readonly [offset: number, zxid: number])[];
}

const logHeaderBytes = 16;
/** Snapshots so often that there are several, with logs behind them. */
const properties = {
  'zookeeper.preAllocSize': '16',
  'zookeeper.extendedTypesEnabled': 'true',
  'zookeeper.snapCount': '14',
};

export async function damageSweep(options: DamageOptions): Promise<ChapterResult> {
  const prng = new Prng(options.seed);
  const port = await freePort();
  mkdirSync(options.workDir, { recursive: true });
  const subject = await makeSubject(options, port);
  const failures: string[] = [];
  const counts = { damages: 0, served: 0, refused: 0, silent: 0 };
  for (const damage of chooseDamages(subject, options.samples, prng)) {
    counts.damages += 1;
    const outcome = await tryDamage(damage, subject, options, port);
    counts[outcome.kind] += 1;
    if (outcome.failure !== null) failures.push(`${describeDamage(damage)}: ${outcome.failure}`);
  }
  return {
    name: 'damaged files, real starts',
    figures: [
      ['damages', counts.damages],
      ['served exactly', counts.served],
      ['refused', counts.refused],
      ['silently wrong', counts.silent],
    ],
    failures,
  };
}

export function describeDamage({ file, kind, offset, bit }: Damage): string {
  return `${file} ${kind === 'flip' ? `bit ${bit} flipped` : kind} at ${offset}`;
}

/** Damages of every file, dense where something is written and thin in padding. */
export function chooseDamages(subject: DamageSubject, samples: number, prng: Prng): Damage[] {
  const damages: Damage[] = [];
  for (const file of readdirSync(subject.directory).sort()) {
    const bytes = readFileSync(join(subject.directory, file));
    let usedBytes = bytes.length;
    while (usedBytes > 0 && bytes[usedBytes - 1] === 0) usedBytes--;
    // A little padding belongs in: zeros are a claim too.
    const end = Math.min(bytes.length, usedBytes + 24);
    for (const kind of damageKinds) {
      const places = kind === 'flip' ? end * 8 : end;
      const step = Number.isFinite(samples) ? Math.max(1, places / samples) : 1;
      for (let at = step === 1 ? 0 : prng.below(Math.ceil(step)); at < places; at += step) {
        const place = Math.floor(at);
        damages.push({ file, kind, offset: kind === 'flip' ? place >> 3 : place, bit: place & 7 });
      }
    }
  }
  return damages;
}

export function applyDamage(path: string, { kind, offset, bit }: Damage): void {
  if (kind === 'cut') {
    truncateSync(path, offset);
    return;
  }
  const bytes = readFileSync(path);
  if (kind === 'zero') bytes.fill(0, offset);
  else bytes[offset] = (bytes[offset] as number) ^ (1 << bit);
  writeFileSync(path, bytes);
}

/**
 * The states that may be served, by zxid: one, or two where nothing but the end byte of a record is gone, which its
 * checksum does without.
 */
export function allowedZxids(damage: Damage, subject: DamageSubject): number[] {
  if (damage.kind === 'flip' || damage.file !== subject.newestLog) return [subject.lastZxid];
  // A cut in the header, or right behind it, leaves what the snapshots hold: the first entry.
  const last = subject.recordEnds.findLastIndex(([end]) => end <= damage.offset);
  const left = subject.recordEnds[Math.max(last, 0)] as readonly [number, number];
  const next = subject.recordEnds[last + 1];
  return next !== undefined && next[0] === damage.offset + 1 ? [left[1], next[1]] : [left[1]];
}

interface Outcome {
  readonly kind: 'served' | 'refused' | 'silent';
  readonly failure: string | null;
}

async function tryDamage(
  damage: Damage,
  subject: DamageSubject,
  options: DamageOptions,
  port: number,
): Promise<Outcome> {
  const dataDir = join(options.workDir, 'damaged');
  rmSync(dataDir, { recursive: true, force: true });
  cpSync(subject.directory, join(dataDir, 'version-2'), { recursive: true });
  applyDamage(join(dataDir, 'version-2', damage.file), damage);
  const server = new ServerProcess({ kind: options.kind, workDir: options.workDir, dataDir, port, properties });
  try {
    if ((await server.untilServing()) === null) {
      if (server.exit === null) return { kind: 'refused', failure: 'neither serves nor ends' };
      const isNamed = server.log().includes(damage.file);
      return { kind: 'refused', failure: isNamed ? null : `refused without naming it: ${lastLine(server.log())}` };
    }
    const zxid = Number(await server.zxid());
    const session = await WireSession.connect(port);
    const lines = treeLines(await dumpTree(session));
    session.abandon();
    return judge(damage, subject, zxid, lines);
  } finally {
    await server.kill();
  }
}

function judge(damage: Damage, subject: DamageSubject, zxid: number, lines: readonly string[]): Outcome {
  if (!allowedZxids(damage, subject).includes(zxid)) {
    return { kind: 'silent', failure: wrongState(damage, subject, zxid) };
  }
  const expected = subject.trees.get(zxid);
  // A state between two txns of one step has no dump; its zxid alone is judged.
  if (expected === undefined) return { kind: 'served', failure: null };
  const differences = treeDifferences([...expected], [...lines], 3);
  if (differences.length === 0) return { kind: 'served', failure: null };
  return { kind: 'silent', failure: `serves another tree: ${differences.join(' ')}` };
}

export function wrongState(damage: Damage, subject: DamageSubject, zxid: number): string {
  const allowed = allowedZxids(damage, subject).map((each) => `0x${each.toString(16)}`);
  return `serves the state of 0x${zxid.toString(16)}, not of ${allowed.join(' or ')}`;
}

/** Runs the server through every kind of txn, with restarts in between, dumping the tree as it goes. */
export async function makeSubject(options: DamageOptions, port: number): Promise<DamageSubject> {
  const dataDir = join(options.workDir, 'subject');
  rmSync(dataDir, { recursive: true, force: true });
  const trees = new Map<number, readonly string[]>();
  let lastZxid = 0;
  for (const part of [0, 1, 2]) {
    const server = new ServerProcess({ kind: options.kind, workDir: options.workDir, dataDir, port, properties });
    if ((await server.untilServing()) === null) throw new Error(`no start: ${lastLine(server.log())}`);
    const before = Number(await server.zxid());
    const session = await WireSession.connect(port, { timeoutMs: 40_000 });
    const record = async (): Promise<void> => {
      lastZxid = Number(await server.zxid());
      trees.set(lastZxid, treeLines(await dumpTree(session)));
    };
    trees.set(before, treeLines(await dumpTree(session)));
    for (const step of scenario(session, port, part)) {
      await step();
      await record();
    }
    await server.kill();
  }
  const directory = join(dataDir, 'version-2');
  // Epoch files and the like are not there on a stand-alone server; a lock or pid file is no data.
  for (const name of readdirSync(directory)) if (!/^(log|snapshot)\./.test(name)) rmSync(join(directory, name));
  const logs = readdirSync(directory).filter((name) => name.startsWith('log.'));
  const newestLog = logs.sort((a, b) => zxidOfName(a) - zxidOfName(b)).at(-1) as string;
  // The newest snapshot may be newer than the first records of the newest log: then less than that is never served.
  const snapshotZxids = readdirSync(directory)
    .filter((name) => name.startsWith('snapshot.'))
    .map(zxidOfName);
  const leastZxid = Math.max(0, ...snapshotZxids);
  const records = readRecordEnds(readFileSync(join(directory, newestLog)), zxidOfName(newestLog) - 1);
  const recordEnds = records.map(([end, zxid]) => [end, Math.max(zxid, leastZxid)] as const);
  if (recordEnds.at(-1)?.[1] !== lastZxid) throw new Error(`${newestLog} does not end with 0x${lastZxid.toString(16)}`);
  return { directory, trees, lastZxid, newestLog, recordEnds };
}

function zxidOfName(name: string): number {
  return Number.parseInt(name.split('.')[1] as string, 16);
}

/** Ends and zxids by the format alone: long checksum, int length, entry (zxid at 12), end byte. */
function readRecordEnds(bytes: Buffer, zxidBefore: number): [number, number][] {
  const ends: [number, number][] = [[logHeaderBytes, zxidBefore]];
  let at = logHeaderBytes;
  while (at + 12 <= bytes.length && bytes.readInt32BE(at + 8) > 0) {
    const length = bytes.readInt32BE(at + 8);
    ends.push([at + 12 + length + 1, Number(bytes.readBigInt64BE(at + 12 + 12))]);
    at += 12 + length + 1;
  }
  return ends;
}

/** Each step makes one or two txns. */
function* scenario(session: WireSession, port: number, part: number): Generator<() => Promise<unknown>> {
  const base = `/part${part}`;
  yield () => session.create(base, 'base');
  yield () => session.create(`${base}/plain`, 'one');
  yield () => session.create(`${base}/empty`, null);
  yield () => session.create(`${base}/s-`, 'sequential', { flags: Flags.persistentSequential });
  yield () => session.create(`${base}/ephemeral`, 'e', { flags: Flags.ephemeral });
  yield () => session.createContainer(`${base}/container`, 'c');
  yield () => session.createTTL(`${base}/ttl`, 't', 3_600_000n);
  yield () => session.setData(`${base}/plain`, 'two'.repeat(30));
  yield () => session.setACL(`${base}/plain`, [{ perms: 31, scheme: 'ip', id: '127.0.0.1' }]);
  yield () => session.delete(`${base}/empty`);
  // A failed request is a txn too.
  yield () => session.delete(`${base}/nothing`).catch(() => {});
  yield () =>
    session.multi([
      { type: Op.create, body: bodies.create(`${base}/m`, Buffer.from('m'), openAcl, 0) },
      { type: Op.setData, body: bodies.setData(base, Buffer.from('by multi'), -1) },
      { type: Op.check, body: bodies.pathVersion(`${base}/m`, 0) },
    ]);
  // Long enough to cross sectors, and with a sector of zeros inside, which no torn write may be mistaken for.
  yield () => session.create(`${base}/long`, Buffer.concat([Buffer.alloc(700, 'l'), Buffer.alloc(1_200)]));
  yield async () => {
    const other = await WireSession.connect(port, { timeoutMs: 40_000 });
    await other.create(`${base}/short-lived`, '', { flags: Flags.ephemeral });
    await other.close();
  };
  yield () => session.create(`${base}/last`, 'the last word');
}
