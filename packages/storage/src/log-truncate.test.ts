/**
 * Truncation at every zxid of histories of several logs and snapshots, and after every operation of each, what a power cut
 * could leave: recovery must find a beginning of the old history that reaches at least to the zxid, and repeating the
 * truncation must end as if nothing had happened.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter, toHex } from '@zoots/base';
import { CrashDisk } from './crash-disk.js';
import {
  describeRecoveryError,
  MemoryDisk,
  RecordingSink,
  type RecoveryError,
  type RecoveryResult,
  readLogFile,
  recover,
  SnapshotWriter,
  type TruncateError,
  type TruncateResult,
  TxnLog,
  truncateLog,
} from './index.js';

const DIRECTORY = '/data/version-2';
const EPOCH = 4294967296;

function diceOf(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

function entryOf(zxid: number, salt = 0): Uint8Array {
  const writer = new ByteWriter();
  writer.long(1);
  writer.int32(0);
  writer.long(zxid);
  writer.long(1_700_000_000_000 + salt);
  writer.int32(1);
  const length = 20 + ((zxid * 131 + salt) % 5) * 170;
  for (let i = 0; i < length; i++) writer.int8(1 + ((i * 7 + zxid + salt) % 250));
  return writer.toBytes();
}

const hexOf = (zxid: number, salt = 0): string => Buffer.from(entryOf(zxid, salt)).toString('hex');

interface LogManner {
  readonly room?: number;
  readonly salt?: number;
  readonly directory?: string;
  /** The writer was killed: the mark is still in the header. */
  readonly isKilled?: boolean;
}

function putLog(disk: MemoryDisk, zxids: readonly number[], manner: LogManner = {}): string {
  const directory = manner.directory ?? DIRECTORY;
  const log = new TxnLog(
    disk,
    { directory, preallocateBytes: manner.room ?? 4096, sizeLimitBytes: 0, forceSync: true },
    { onDurable: () => {}, onFailed: (error) => assert.fail(error.message) },
  );
  for (const zxid of zxids) {
    log.batch.openEntry().raw(entryOf(zxid, manner.salt));
    log.batch.closeEntry(zxid);
    log.flush();
    disk.run();
  }
  if (manner.isKilled !== true) log.close(() => {});
  disk.run();
  return `${directory}/log.${toHex(zxids[0] as number)}`;
}

function putSnapshot(disk: MemoryDisk, zxid: number, directory = DIRECTORY): string {
  const options = { directory, compression: 'none', gzip: null, hasDigest: true, hasZxidTrailer: true } as const;
  const writer = new SnapshotWriter(disk, options, zxid);
  writer.beginSessions(0);
  writer.beginAcls(0);
  writer.out.string('');
  writer.out.buffer(Uint8Array.of(zxid % 256));
  writer.out.long(-1);
  for (let i = 0; i < 15; i++) writer.out.int32(0);
  writer.finish(0, 0, 0, (error) => assert.equal(error, null));
  disk.run();
  return `${directory}/snapshot.${toHex(zxid)}`;
}

function flip(disk: MemoryDisk, path: string, offset: number): void {
  const bytes = disk.get(path) as Uint8Array;
  bytes[offset] ^= 0x10;
  disk.put(path, bytes);
}

function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  for (const path of disk.paths()) copy.put(path, disk.get(path) as Uint8Array);
  return copy;
}

const options = { snapshotDirectory: DIRECTORY, logDirectory: DIRECTORY, trustEmptySnapshot: false, gzip: null };

interface Recovered {
  readonly result: RecoveryResult;
  /** Zxids replayed, each with the content that it was written with. */
  readonly txns: number[];
}

function recovered(disk: MemoryDisk, why: string, salts: ReadonlyMap<number, number> = new Map()): Recovered {
  const sink = new RecordingSink();
  const outcomes: { error: RecoveryError | null; result: RecoveryResult | null }[] = [];
  recover(disk, { ...options, autocreateDatabase: true, allowGaps: false }, sink, (error, result) =>
    outcomes.push({ error, result }),
  );
  disk.run();
  const { error, result } = outcomes[0] as { error: RecoveryError | null; result: RecoveryResult | null };
  assert.equal(error === null ? '' : describeRecoveryError(error), '', why);
  const txns: number[] = [];
  for (const line of sink.lines) {
    const [kind, zxid, content] = line.split(' ');
    if (kind !== 'txn') continue;
    const number = Number.parseInt(zxid as string, 16);
    assert.equal(content, hexOf(number, salts.get(number)), `${why}: content of ${zxid}`);
    txns.push(number);
  }
  return { result: result as RecoveryResult, txns };
}

interface Outcome {
  readonly error: TruncateError | null;
  readonly result: TruncateResult | null;
}

function truncate(disk: MemoryDisk, zxid: number, some: Partial<typeof options> = {}): Outcome {
  const outcomes: Outcome[] = [];
  truncateLog(disk, { ...options, ...some }, zxid, (error, result) => outcomes.push({ error, result }));
  disk.run();
  assert.equal(outcomes.length, 1);
  return outcomes[0] as Outcome;
}

function truncated(disk: MemoryDisk, zxid: number, some: Partial<typeof options> = {}): TruncateResult {
  const { error, result } = truncate(disk, zxid, some);
  assert.equal(error === null ? '' : describeRecoveryError(error), '');
  return result as TruncateResult;
}

function refused(disk: MemoryDisk, zxid: number, kind: TruncateError['kind'], pattern: RegExp): void {
  const before = disk.paths().map((path) => [path, disk.get(path)]);
  const { error } = truncate(disk, zxid);
  assert.ok(error !== null, `truncation to 0x${toHex(zxid)} should have been refused`);
  assert.equal(error.kind, kind);
  assert.match(error.message, pattern);
  assert.ok(error.message.includes(`0x${toHex(zxid)}`));
  assert.ok(error.remedy.length > 20 && error.file.startsWith('/data'));
  assert.deepEqual(
    disk.paths().map((path) => [path, disk.get(path)]),
    before,
    'nothing was changed',
  );
}

/** A history: the zxids of each log, the snapshots, and, where not all logs hang together, what one cannot go back behind. */
interface History {
  readonly name: string;
  readonly logs: readonly (readonly number[])[];
  readonly snapshots: readonly number[];
  readonly isLastKilled?: boolean;
  readonly room?: number;
}

const E = EPOCH;
const HISTORIES: readonly History[] = [
  { name: 'one log', logs: [[1, 2, 3, 4, 5, 6, 7, 8, 9]], snapshots: [0] },
  {
    name: 'several logs and epochs, snapshots between and within',
    logs: [[1, 2, 3, 4, 5, 6], [7, 8, 9, E + 1, E + 2], [E + 3], [E + 4, E + 5, 3 * E + 1, 3 * E + 2]],
    snapshots: [0, 6, 8, E + 3, 3 * E + 1],
  },
  {
    name: 'the writer was killed',
    logs: [
      [1, 2, 3],
      [4, 5, 6, 7, 8],
    ],
    snapshots: [0, 4],
    isLastKilled: true,
    room: 9000,
  },
  {
    name: 'no room ahead (as a truncated log has none)',
    logs: [
      [1, 2, 3, 4],
      [5, 6, 7],
    ],
    snapshots: [0, 5],
    room: 0,
  },
  {
    name: 'a snapshot fetched from a leader bridges a hole',
    logs: [
      [1, 2, 3],
      [2 * E + 1, 2 * E + 2, 2 * E + 3],
      [2 * E + 4, 2 * E + 5],
    ],
    snapshots: [0, 2, 2 * E, 2 * E + 3],
  },
  {
    name: 'records logged twice',
    logs: [
      [1, 2, 3, 4, 5, 6],
      [4, 5, 6, 7, 8],
      [8, 9],
    ],
    snapshots: [0, 4, 8],
  },
];

function build({ logs, snapshots, isLastKilled = false, room = 4096 }: History): MemoryDisk {
  const disk = new MemoryDisk();
  for (const zxid of snapshots) putSnapshot(disk, zxid);
  logs.forEach((zxids, i) => {
    putLog(disk, zxids, { room, isKilled: isLastKilled && i === logs.length - 1 });
  });
  return disk;
}

/** What recovery finds from its newest snapshot on, as text. */
function stateOf(disk: MemoryDisk): string {
  return disk
    .paths()
    .filter((path) => !path.includes('undone'))
    .map((path) => `${path} ${Buffer.from(disk.get(path) as Uint8Array).toString('hex')}`)
    .join('\n');
}

const noop = (): void => {};

function zxidsOf(history: History): number[] {
  return [...new Set(history.logs.flat())].sort((a, b) => a - b);
}

test('every zxid: what is left is exactly the history up to it, from every snapshot', () => {
  for (const history of HISTORIES) {
    const all = zxidsOf(history);
    for (const zxid of all) {
      const why = `${history.name}, 0x${toHex(zxid)}`;
      const disk = build(history);
      assert.equal(truncated(disk, zxid).lastZxid, zxid, why);
      assert.equal(recovered(copyOf(disk), why).result.lastZxid, zxid, why);
      assert.deepEqual(truncated(copyOf(disk), zxid).changes, [], `${why}: again`);
      // The next leader's history goes on behind, and an older snapshot leads to the same.
      const next = (Math.floor(zxid / E) + 4) * E + 1;
      putLog(disk, [next, next + 1], { salt: 5 });
      const salts = new Map([
        [next, 5],
        [next + 1, 5],
      ]);
      const snapshots = history.snapshots.filter((snapshot) => snapshot <= zxid);
      const isBridged = history.name.includes('bridges');
      for (const base of snapshots.reverse()) {
        if (isBridged && base < 2 * E && zxid > 2 * E) break;
        const found = recovered(copyOf(disk), why, salts);
        assert.equal(found.result.snapshotZxid, base, why);
        assert.deepEqual(found.txns, [...all.filter((z) => z > base && z <= zxid), next, next + 1], why);
        disk.delete(`${DIRECTORY}/snapshot.${toHex(base)}`);
      }
    }
  }
});

test('a cut log has the bytes that Apache leaves: the records as they were, no mark, nothing behind', () => {
  // Checked against FileTxnLog.truncate of 3.8.0 at each zxid of three logs: the same files, to the byte, but for the room
  // that Apache cuts off even where the zxid is the last record of its log.
  for (const isLastKilled of [false, true]) {
    const disk = build({ ...(HISTORIES[2] as History), isLastKilled });
    const path = `${DIRECTORY}/log.4`;
    const before = disk.get(path) as Uint8Array;
    before.fill(0, 8, 16);
    const ends: number[] = [];
    readLogFile(disk, path, (_offset, _zxid, _crcOk, _bytes, start, end) => ends.push(end - start + 13), noop);
    disk.run();
    const length = 16 + (ends[0] as number) + (ends[1] as number);
    truncated(disk, 5);
    assert.deepEqual(disk.get(path), before.slice(0, length));
  }
});

test('a power cut after any operation leaves a beginning of the old history that reaches to the zxid', (t) => {
  let imageCount = 0;
  const dice = diceOf(4711);
  for (const history of HISTORIES) {
    const all = zxidsOf(history);
    const oldLast = all.at(-1) as number;
    for (const zxid of all) {
      const start = build(history);
      const finished = copyOf(start);
      truncated(finished, zxid);
      const disk = new CrashDisk(start);
      let isDone = false;
      truncateLog(disk, options, zxid, (error) => {
        assert.equal(error, null);
        isDone = true;
      });
      for (let seen = -1; disk.step(); ) {
        if (disk.changeCount === seen) continue;
        seen = disk.changeCount;
        for (let i = 0; i < 6; i++) {
          const why = `${history.name}, 0x${toHex(zxid)}, crash after change ${seen}, image ${i}`;
          const image = disk.image(dice);
          const { result, txns } = recovered(image, why);
          const { lastZxid, snapshotZxid } = result;
          assert.ok(lastZxid >= zxid && lastZxid <= oldLast, `${why}: recovered to 0x${toHex(lastZxid)}`);
          assert.deepEqual(
            txns,
            all.filter((z) => z > snapshotZxid && z <= lastZxid),
            why,
          );
          assert.equal(truncated(image, zxid).lastZxid, zxid, why);
          assert.equal(recovered(image, why).result.lastZxid, zxid, why);
          assert.equal(recovered(image, why).result.repairs.length, 0, why);
          imageCount++;
        }
      }
      assert.ok(isDone);
      // Once it has been reported done, a crash changes nothing.
      for (let i = 0; i < 4; i++) assert.equal(stateOf(disk.image(dice)), stateOf(finished));
    }
  }
  t.diagnostic(`${imageCount} images of crashes`);
  assert.ok(imageCount > 1000);
});

test('without the mark, or in another order, such power cuts are noticed', () => {
  // The sweep above must be able to fail: the same histories with the operations of a careless truncation.
  const dice = diceOf(1);
  const history = HISTORIES[0] as History;
  let badCount = 0;
  for (let round = 0; round < 40; round++) {
    const disk = new CrashDisk(build(history));
    disk.open(`${DIRECTORY}/log.1`, 'write', (_error, file) => file?.truncate(700, () => {}));
    while (disk.step());
    const image = disk.image(dice);
    recover(image, { ...options, autocreateDatabase: true, allowGaps: false }, new RecordingSink(), (error) => {
      if (error !== null) badCount++;
    });
    image.run();
  }
  assert.ok(badCount > 0);
});

test('zxids that the history does not have are refused', () => {
  const disk = build(HISTORIES[1] as History);
  for (const zxid of [10, 11, E + 6, E + 100, 2 * E + 1, 3 * E + 3, 4 * E, 5 * E + 1]) {
    refused(disk, zxid, 'absent', /no such transaction/);
  }
  refused(new MemoryDiskWith([putSnapshotAt(0)]).disk, 5, 'absent', /ends at 0x0/);
});

test('the 0 of an epoch stands for all before it, if the epoch or a later one is known to have begun', () => {
  for (const zxid of [E, 2 * E, 3 * E]) {
    const disk = build(HISTORIES[1] as History);
    const last = zxid === E ? 9 : E + 5;
    assert.equal(truncated(disk, zxid).lastZxid, last);
    assert.equal(recovered(disk, toHex(zxid)).result.lastZxid, last);
  }
  const disk = build(HISTORIES[1] as History);
  assert.equal(truncated(disk, 0).lastZxid, 0);
  assert.deepEqual(
    disk.paths().filter((path) => !path.includes('undone')),
    [`${DIRECTORY}/snapshot.0`],
  );
});

test('a snapshot of exactly the zxid is enough, whatever the logs before it hold', () => {
  const disk = build(HISTORIES[4] as History);
  assert.equal(truncated(disk, 2 * E).lastZxid, 2 * E);
  const { result } = recovered(disk, 'from the snapshot');
  assert.deepEqual([result.snapshotZxid, result.lastZxid, result.txnCount], [2 * E, 2 * E, 0]);
});

/** The leader of epoch 2 was elected with the zxid E + 40 and sent its whole state before the first txn of its epoch. */
const FETCHED: History = {
  name: 'a snapshot of the 0 of an epoch, and an unfinished epoch behind it',
  logs: [
    [1, 2, 3],
    [2 * E + 1, 2 * E + 2],
  ],
  snapshots: [0, 2, 2 * E, 2 * E + 2],
};

test('the last zxid before an epoch is the snapshot that the epoch began with, where the zxid was never logged here', () => {
  const disk = build(FETCHED);
  const { lastZxid, changes } = truncated(disk, E + 40);
  assert.equal(lastZxid, 2 * E);
  assert.ok(
    changes.length === 2 && changes.every((each) => /snapshot\.200000002|log\.200000001/.test(each)),
    `${changes}`,
  );
  const { result, txns } = recovered(disk, 'the successor');
  assert.deepEqual([result.snapshotZxid, result.lastZxid, txns], [2 * E, 2 * E, []]);
  assert.deepEqual(truncated(disk, E + 40).changes, [], 'again');
  // Nothing but the snapshot, as after a fetch by a server whose own history is gone.
  const alone = build({ ...FETCHED, logs: [[2 * E + 1, 2 * E + 2]], snapshots: [2 * E] });
  assert.equal(truncated(alone, E + 40).lastZxid, 2 * E);
  assert.equal(recovered(alone, 'alone').result.lastZxid, 2 * E);
});

test('a snapshot within an epoch, a damaged one, or one with records before it does not stand for an earlier zxid', () => {
  refused(build({ ...FETCHED, snapshots: [0, 2, 2 * E + 2] }), E + 40, 'absent', /no such transaction/);
  refused(build({ ...FETCHED, logs: [[1, 2, 3], [E + 41], [2 * E + 1]] }), E + 40, 'absent', /no such transaction/);
  const damaged = build(FETCHED);
  flip(damaged, `${DIRECTORY}/snapshot.${toHex(2 * E)}`, 40);
  refused(damaged, E + 40, 'absent', /no such transaction/);
});

test('a power cut during such a truncation leaves the snapshot or more', () => {
  const dice = diceOf(99);
  const disk = new CrashDisk(build(FETCHED));
  truncateLog(disk, options, E + 40, (error) => assert.equal(error, null));
  for (let seen = -1; disk.step(); ) {
    if (disk.changeCount === seen) continue;
    seen = disk.changeCount;
    for (let i = 0; i < 6; i++) {
      const image = disk.image(dice);
      assert.ok(recovered(image, `after change ${seen}`).result.lastZxid >= 2 * E);
      assert.equal(truncated(image, E + 40).lastZxid, 2 * E);
    }
  }
});

test('a log with damage behind the zxid is cut, one with damage before it is refused', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  const log = putLog(disk, [1, 2, 3, 4, 5]);
  const offsets: number[] = [];
  readLogFile(
    disk,
    log,
    (offset) => offsets.push(offset),
    () => {},
  );
  disk.run();
  flip(disk, log, (offsets[3] as number) + 20);
  refused(disk, 4, 'damaged', /corrupt/);
  assert.equal(truncated(disk, 3).lastZxid, 3);
  assert.equal(recovered(disk, 'cut').result.lastZxid, 3);
  const old = new MemoryDisk();
  putSnapshot(old, 3);
  const early = putLog(old, [1, 2, 3, 4, 5]);
  flip(old, early, 40);
  refused(old, 3, 'damaged', /corrupt/);
});

test('a gap before the zxid, and two txns of one zxid, are refused', () => {
  const gap = new MemoryDisk();
  putSnapshot(gap, 0);
  putLog(gap, [1, 2]);
  putLog(gap, [4, 5, 6]);
  refused(gap, 5, 'damaged', /missing between 0x2 and 0x4/);
  assert.equal(truncated(gap, 2).lastZxid, 2);
  const fork = new MemoryDisk();
  putSnapshot(fork, 0);
  putLog(fork, [1, 2, 3]);
  putLog(fork, [3, 4, 5], { salt: 1 });
  refused(fork, 4, 'damaged', /another transaction/);
});

test('a damaged snapshot from a leader, between logs that seem to hang together, is a gap', () => {
  const disk = build(HISTORIES[4] as History);
  flip(disk, `${DIRECTORY}/snapshot.${toHex(2 * E)}`, 30);
  refused(disk, 2 * E + 2, 'damaged', /missing between 0x3 and 0x200000001/);
  assert.equal(truncated(disk, 3).lastZxid, 3);
});

test('without a valid snapshot at or before the zxid it is refused, unless the logs are the whole history', () => {
  const late = new MemoryDisk();
  putSnapshot(late, 6);
  putLog(late, [4, 5, 6, 7]);
  refused(late, 5, 'unfounded', /no valid snapshot/);
  const damaged = new MemoryDisk();
  flip(damaged, putSnapshot(damaged, 2), 30);
  putSnapshot(damaged, 6);
  putLog(damaged, [3, 4, 5, 6, 7]);
  refused(damaged, 5, 'unfounded', /no valid snapshot/);
  refused(new MemoryDiskWith([putSnapshotAt(6)]).disk, 3, 'unfounded', /no valid snapshot/);
  const whole = new MemoryDisk();
  putSnapshot(whole, 3);
  putLog(whole, [1, 2, 3, 4]);
  assert.equal(truncated(whole, 2).lastZxid, 2);
  assert.equal(truncated(whole, 0).lastZxid, 0);
  const trusted = new MemoryDisk();
  putLog(trusted, [E + 1, E + 2, E + 3]);
  refused(trusted, E + 2, 'unfounded', /no valid snapshot/);
  assert.equal(truncated(trusted, E + 2, { trustEmptySnapshot: true }).lastZxid, E + 2);
});

test('a damaged snapshot gives way to an older one', () => {
  const disk = build(HISTORIES[1] as History);
  flip(disk, `${DIRECTORY}/snapshot.8`, 30);
  flip(disk, `${DIRECTORY}/snapshot.6`, 30);
  assert.equal(truncated(disk, 9).lastZxid, 9);
  assert.equal(recovered(disk, 'older').result.snapshotZxid, 0);
});

test('newer snapshots are set aside, of all compressions, until the next truncation; two directories work', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0, '/s/version-2');
  putSnapshot(disk, 4, '/s/version-2');
  disk.put('/s/version-2/snapshot.6.gz', Uint8Array.of(0x1f, 0x8b));
  disk.put('/s/version-2/undone-snapshot.9', Uint8Array.of(1));
  putLog(disk, [1, 2, 3, 4, 5], { directory: '/l/version-2' });
  putLog(disk, [6, 7], { directory: '/l/version-2' });
  const apart = { snapshotDirectory: '/s/version-2', logDirectory: '/l/version-2' };
  const { changes } = truncated(disk, 3, apart);
  assert.deepEqual(disk.paths(), [
    '/l/version-2/log.1',
    '/s/version-2/snapshot.0',
    '/s/version-2/undone-snapshot.4',
    '/s/version-2/undone-snapshot.6.gz',
  ]);
  assert.equal(changes.length, 5);
  assert.match(changes[0] ?? '', /set snapshot\.6\.gz aside/);
  assert.match(changes[3] ?? '', /cut log\.1 at offset \d+/);
});

test('a disk error is told, and the truncation can be repeated', () => {
  for (const [operation, path] of [
    ['list', DIRECTORY],
    ['open', 'snapshot.8'],
    ['read', 'log.7'],
    ['rename', 'snapshot'],
    ['remove', 'log'],
    ['syncDirectory', DIRECTORY],
    ['sync', 'log.7'],
    ['write', 'log.7'],
    ['truncate', 'log.7'],
    ['close', 'log.7'],
  ] as const) {
    for (let skip = 0; skip < 3; skip++) {
      const disk = build(HISTORIES[1] as History);
      disk.failNext(operation, path, 'io', skip);
      const { error } = truncate(disk, 8);
      if (error !== null) {
        assert.equal(error.kind, 'disk', operation);
        assert.match(error.remedy, /disk/);
      } else assert.ok(skip > 0 || operation === 'close', `${operation} ${skip}`);
      const again = copyOf(disk);
      assert.ok(recovered(copyOf(disk), operation).result.lastZxid >= 8);
      assert.equal(truncated(again, 8).lastZxid, 8);
    }
  }
});

test('a log from before the newest snapshot that is purged meanwhile is missed by nobody', () => {
  const older = build(HISTORIES[1] as History);
  older.failNext('open', 'log.7', 'not-found');
  assert.equal(truncated(older, E + 4).lastZxid, E + 4);
  const needed = build(HISTORIES[1] as History);
  needed.failNext('open', `log.${toHex(E + 3)}`, 'not-found');
  assert.equal(truncate(needed, E + 4).error?.kind, 'disk');
});

/** Small disks, in a line. */
class MemoryDiskWith {
  readonly disk = new MemoryDisk();
  constructor(parts: readonly ((disk: MemoryDisk) => unknown)[]) {
    for (const part of parts) part(this.disk);
  }
}

function putSnapshotAt(zxid: number): (disk: MemoryDisk) => string {
  return (disk) => putSnapshot(disk, zxid);
}
