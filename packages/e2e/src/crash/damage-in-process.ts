/**
 * The damage sweep at speed: the same damages, but recovery runs in this process, on a disk in memory, with the real
 * storage and the real core. That makes every byte and every bit of every file affordable.
 *
 * A recovered server is known by its fingerprint: zxid, digest of the tree, sessions, and path, data and ACL of each
 * znode. What it must be comes from undamaged files, cut at record borders by this file's own knowledge of the format.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Prng as CorePrng, nullLogger } from '@zoots/base';
import { F, Server, STAT_INTS } from '@zoots/core';
import { loadServerConfig, nodeGzip, type ServerConfig } from '@zoots/server';
import { MemoryDisk } from '@zoots/storage';
import { Prng } from '../differential/prng.js';
import { freePort } from '../peers/peer.js';
import {
  allowedZxids,
  chooseDamages,
  type Damage,
  type DamageOptions,
  type DamageSubject,
  describeDamage,
  makeSubject,
  wrongState,
} from './damage.js';
import type { ChapterResult } from './report.js';

const dataDir = '/data';
/** Offset of the header's eight free bytes, in which our logs keep how much is durable; zero is "not known". */
const markOffset = 8;

type Files = ReadonlyMap<string, Buffer>;

interface Recovered {
  readonly fingerprint: string | null;
  readonly zxid: number;
  /** Why it refused; null when it serves. */
  readonly problem: string | null;
}

export async function damageSweepInProcess(options: DamageOptions): Promise<ChapterResult> {
  const subject = await makeSubject(options, await freePort());
  const files = new Map(
    readdirSync(subject.directory).map((name) => [name, readFileSync(join(subject.directory, name))] as const),
  );
  const references = makeReferences(files, subject);
  const failures: string[] = [];
  const counts = { damages: 0, served: 0, refused: 0, silent: 0 };
  for (const damage of chooseDamages(subject, options.samples, new Prng(options.seed))) {
    counts.damages += 1;
    const result = recoverFrom(damaged(files, damage));
    if (result.problem !== null) {
      counts.refused += 1;
      if (!isClear(result.problem, damage)) failures.push(`${describeDamage(damage)}: unclear: ${result.problem}`);
      continue;
    }
    const isAllowed = allowedZxids(damage, subject).includes(result.zxid);
    if (isAllowed && result.fingerprint === references.get(result.zxid)) {
      counts.served += 1;
      continue;
    }
    counts.silent += 1;
    const wrong = isAllowed ? 'serves another tree' : wrongState(damage, subject, result.zxid);
    failures.push(`${describeDamage(damage)}: ${wrong}`);
  }
  return {
    name: 'damaged files, in process',
    figures: [
      ['damages', counts.damages],
      ['served exactly', counts.served],
      ['refused', counts.refused],
      ['silently wrong', counts.silent],
    ],
    failures,
  };
}

/** Names the file and says what to do. */
function isClear(problem: string, damage: Damage): boolean {
  return problem.includes(damage.file) && /remedy/i.test(problem);
}

/** The fingerprint of every state that the newest log passes through, by zxid. */
function makeReferences(files: Files, subject: DamageSubject): Map<number, string | null> {
  const references = new Map<number, string | null>();
  const log = files.get(subject.newestLog) as Buffer;
  for (const [end, zxid] of subject.recordEnds) {
    const prefix = Buffer.from(log.subarray(0, end));
    prefix.fill(0, markOffset, markOffset + 8);
    const result = recoverFrom(new Map([...files, [subject.newestLog, prefix]]));
    if (result.problem !== null) throw new Error(`the undamaged log up to ${end} is refused: ${result.problem}`);
    if (result.zxid !== zxid) throw new Error(`the undamaged log up to ${end} gives another zxid: ${result.zxid}`);
    references.set(zxid, result.fingerprint);
  }
  const whole = recoverFrom(files);
  if (whole.fingerprint !== references.get(subject.lastZxid)) throw new Error('the undamaged files give another tree');
  return references;
}

function damaged(files: Files, { file, kind, offset, bit }: Damage): Files {
  const bytes = Buffer.from(files.get(file) as Buffer);
  if (kind === 'zero') bytes.fill(0, offset);
  if (kind === 'flip') bytes[offset] = (bytes[offset] as number) ^ (1 << bit);
  return new Map([...files, [file, kind === 'cut' ? bytes.subarray(0, offset) : bytes]]);
}

const config: ServerConfig = loadServerConfig({
  words: ['2181', dataDir],
  properties: [{ name: 'zookeeper.extendedTypesEnabled', value: 'true' }],
  environment: {},
  workingDirectory: '/',
  defaults: { configFile: '/none', dataDir, clientPort: 2181 },
}).config;

function recoverFrom(files: Files): Recovered {
  const disk = new MemoryDisk();
  for (const [name, bytes] of files) disk.put(`${dataDir}/version-2/${name}`, bytes);
  let problem: string | null = 'recovery did not end';
  const server = new Server(config, {
    clock: { nowMs: () => 1_000, wallMs: () => 1_800_000_000_000 },
    hashes: { digest: () => new Uint8Array(20) },
    disk,
    gzip: nodeGzip,
    logger: nullLogger,
    prng: new CorePrng(1),
    shell: { onTurnOpened() {}, onCommandWord() {}, onFatal() {} },
  });
  server.start((text) => {
    problem = text;
  });
  // A first snapshot is written in slices, one a turn.
  for (let turn = 0; turn < 1_000 && problem === 'recovery did not end'; turn++) {
    disk.run();
    server.endTurn();
  }
  if (problem !== null) return { fingerprint: null, zxid: -1, problem };
  return { fingerprint: fingerprintOf(server), zxid: server.tree.lastProcessedZxid, problem: null };
}

function fingerprintOf(server: Server): string {
  const { tree, sessions } = server;
  const { store } = tree;
  const lines = [...sessions.all()].map(({ high, low, recordedTimeoutMs }) => `${high} ${low} ${recordedTimeoutMs}`);
  for (let id = 0; id < store.idEnd; id++) {
    if (!store.isPresent(id)) continue;
    const text = (bytes: Uint8Array, start: number, length: number): string =>
      Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(length, 0)).toString('latin1');
    const path = text(store.pathChunk(id), store.pathStart(id), store.pathLength(id));
    const data = text(store.dataChunk(id), store.dataStart(id), store.dataLength(id));
    const stat = Array.from({ length: STAT_INTS }, (_, i) => store.stat(id, i)).join(' ');
    const acl = JSON.stringify(tree.acls.listOf(store.get(id, F.acl)), (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
    );
    lines.push(`${path} ${store.dataLength(id)} ${data} ${stat} ${acl}`);
  }
  return `${tree.lastProcessedZxid} ${tree.digest.high} ${tree.digest.low}\n${lines.sort().join('\n')}`;
}
