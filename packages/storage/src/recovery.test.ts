import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ByteWriter, toHex } from '@zoots/base';
import {
  describeRecoveryError,
  type GzipPort,
  MemoryDisk,
  RecordingSink,
  type RecoveryError,
  type RecoveryOptions,
  type RecoveryResult,
  readEpoch,
  recover,
  SnapshotWriter,
  TxnLog,
} from './index.js';

const DIRECTORY = '/data/version-2';
const EPOCH = 4294967296;

/** Reads only: gathers the stream and unpacks it at its end. */
const gzip: GzipPort = {
  compressor: () => assert.fail('nothing is compressed here'),
  decompressor: (onOutput) => {
    const parts: Uint8Array[] = [];
    return {
      push: (bytes, start, end, isLast, done) => {
        parts.push(bytes.slice(start, end));
        if (!isLast) return done(null);
        try {
          const output = gunzipSync(Buffer.concat(parts));
          onOutput(output, 0, output.length);
        } catch (error) {
          return done((error as Error).message);
        }
        done(null);
      },
      close: () => {},
    };
  },
};

interface Outcome {
  readonly error: RecoveryError | null;
  readonly result: RecoveryResult | null;
  readonly sink: RecordingSink;
  /** Zxids replayed. */
  readonly txns: number[];
}

function run(disk: MemoryDisk, options: Partial<RecoveryOptions> = {}, sink = new RecordingSink()): Outcome {
  const outcomes: Pick<Outcome, 'error' | 'result'>[] = [];
  recover(
    disk,
    {
      snapshotDirectory: DIRECTORY,
      logDirectory: DIRECTORY,
      trustEmptySnapshot: false,
      autocreateDatabase: true,
      allowGaps: false,
      gzip: null,
      ...options,
    },
    sink,
    (error, result) => outcomes.push({ error, result }),
  );
  disk.run();
  assert.equal(outcomes.length, 1);
  const txns = sink.lines
    .filter((line) => line.startsWith('txn'))
    .map((line) => Number.parseInt(line.split(' ')[1] as string, 16));
  return { ...(outcomes[0] as Pick<Outcome, 'error' | 'result'>), sink, txns };
}

function entryOf(zxid: number, salt = 0): Uint8Array {
  const writer = new ByteWriter();
  writer.long(1);
  writer.int32(0);
  writer.long(zxid);
  for (let i = 0; i < 30; i++) writer.int8(1 + ((i * 7 + zxid + salt) % 250));
  return writer.toBytes();
}

/** One finished log of these zxids, without padding. */
function putLog(disk: MemoryDisk, zxids: readonly number[], directory = DIRECTORY, salt = 0): string {
  const log = new TxnLog(
    disk,
    { directory, preallocateBytes: 0, sizeLimitBytes: 0, forceSync: true },
    { onDurable: () => {}, onFailed: (error) => assert.fail(error.message) },
  );
  for (const zxid of zxids) {
    log.batch.openEntry().raw(entryOf(zxid, salt));
    log.batch.closeEntry(zxid);
  }
  log.flush();
  log.close(() => {});
  disk.run();
  return `${directory}/log.${toHex(zxids[0] as number)}`;
}

const RECORD_BYTES = 13 + 50;

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

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function refused(outcome: Outcome, file: string, pattern: RegExp): void {
  assert.ok(outcome.error !== null, 'recovery should have refused');
  assert.equal(outcome.error.file, file);
  assert.match(outcome.error.message, pattern);
  assert.ok(outcome.error.remedy.length > 20);
  assert.match(describeRecoveryError(outcome.error), /offset \d+/);
}

function loaded(outcome: Outcome, snapshotZxid: number, lastZxid: number): void {
  assert.equal(outcome.error === null ? '' : describeRecoveryError(outcome.error), '');
  assert.equal(outcome.result?.snapshotZxid, snapshotZxid);
  assert.equal(outcome.result?.lastZxid, lastZxid);
}

function fixture(name: string): MemoryDisk {
  const disk = new MemoryDisk();
  const directory = new URL(`../src/fixtures/apache-${name}/`, import.meta.url);
  for (const file of readdirSync(directory)) disk.put(`${DIRECTORY}/${file}`, readFileSync(new URL(file, directory)));
  return disk;
}

test('the data directories of three Apache 3.8.0 servers open', () => {
  for (const [name, snapshotZxid] of [
    ['s1', 0],
    ['s2', 0],
    ['s3', EPOCH + 2],
  ] as const) {
    const disk = fixture(`3.8.0-${name}`);
    const outcome = run(disk);
    loaded(outcome, snapshotZxid, outcome.txns.at(-1) as number);
    assert.deepEqual(outcome.result?.repairs, []);
    assert.deepEqual(outcome.txns, range(outcome.txns[0] as number, outcome.txns.at(-1) as number));
    assert.equal(outcome.txns[0], snapshotZxid === 0 ? EPOCH + 1 : EPOCH + 3);
    assert.ok(outcome.txns.length >= 5);
    let epoch: number | null = null;
    readEpoch(disk, DIRECTORY, 'currentEpoch', (_error, value) => {
      epoch = value;
    });
    disk.run();
    assert.equal(epoch, 1);
  }
});

test('directories of Apache 3.5.10 and 3.9.5 (gz and snappy) open, by the newest snapshot and by the oldest', () => {
  for (const [name, suffix] of [
    ['3.5.10', ''],
    ['3.9.5-gz', '.gz'],
    ['3.9.5-snappy', '.snappy'],
  ] as const) {
    const disk = fixture(name);
    const newest = `${DIRECTORY}/snapshot.14${suffix}`;
    const outcome = run(disk, { gzip });
    loaded(outcome, 0x14, 0x17);
    assert.deepEqual(outcome.result?.repairs, []);
    const nodes = outcome.sink.lines.filter((line) => line.startsWith('node'));
    assert.equal(nodes.length, 15);
    assert.ok(nodes.some((line) => line.startsWith(`node ${Buffer.from('/app').toString('hex')} 7468697264 `)));
    flip(disk, newest, 100);
    const older = run(disk, { gzip });
    loaded(older, 0, 0x17);
    assert.deepEqual(older.txns, range(1, 0x17));
  }
});

test('a directory of Apache 3.4.14, which has logs only, opens', () => {
  const outcome = run(fixture('3.4.14'));
  loaded(outcome, 0, 0x16);
  assert.deepEqual(outcome.txns, range(1, 0x16));
  assert.deepEqual(outcome.result?.repairs, ['no snapshot: the logs were replayed from a fresh tree']);
});

test('nothing on disk is a fresh database, unless that is switched off', () => {
  const fresh = run(new MemoryDisk());
  assert.deepEqual([fresh.result?.isFresh, fresh.result?.lastZxid, fresh.sink.resetCount], [true, 0, 1]);
  const off = run(new MemoryDisk(), { autocreateDatabase: false });
  assert.deepEqual([off.result?.isFresh, off.result?.lastZxid], [false, -1]);
  const disk = new MemoryDisk();
  disk.put('/data/initialize', new Uint8Array(0));
  const marked = run(disk, { autocreateDatabase: false });
  assert.deepEqual([marked.result?.isFresh, marked.result?.lastZxid], [true, 0]);
  assert.deepEqual(disk.paths(), [], 'the marker is used up');
});

test('the newest snapshot is loaded and the records after it are replayed, across files', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  putLog(disk, range(1, 10));
  putSnapshot(disk, 10);
  putLog(disk, range(11, 14));
  putLog(disk, [15, EPOCH + 1, EPOCH + 2]);
  putLog(disk, [3 * EPOCH + 1]);
  const outcome = run(disk);
  loaded(outcome, 10, 3 * EPOCH + 1);
  assert.deepEqual(outcome.txns, [11, 12, 13, 14, 15, EPOCH + 1, EPOCH + 2, 3 * EPOCH + 1]);
  assert.equal(outcome.result?.txnCount, 8);
  assert.equal(outcome.result?.snapshotName, 'snapshot.a');
  assert.deepEqual(outcome.result?.repairs, []);
});

test('a snapshot taken in the middle of a log: earlier records are passed over', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 5);
  putLog(disk, range(3, 9));
  loaded(run(disk), 5, 9);
  assert.deepEqual(run(disk).txns, [6, 7, 8, 9]);
});

test('a damaged snapshot gives way to an older one if the logs reach at least as far', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  putLog(disk, range(1, 10));
  const newest = putSnapshot(disk, 10);
  putLog(disk, range(11, 12));
  flip(disk, newest, 30);
  const outcome = run(disk);
  loaded(outcome, 0, 12);
  assert.deepEqual(outcome.txns, range(1, 12));
  assert.equal(outcome.sink.resetCount, 2);
  assert.equal(outcome.result?.repairs.length, 1);
  assert.match(outcome.result?.repairs[0] ?? '', /snapshot\.a.*damaged/);
});

test('a damaged snapshot is refused where logs are missing before or behind its zxid', () => {
  const before = new MemoryDisk();
  putSnapshot(before, 0);
  putLog(before, range(1, 5));
  const newest = putSnapshot(before, 10);
  const log = putLog(before, range(11, 12));
  flip(before, newest, 30);
  refused(run(before), log, /missing between 0x5 and 0xb.*snapshot\.a is damaged/);
  const behind = new MemoryDisk();
  putSnapshot(behind, 0);
  putLog(behind, range(1, 9));
  flip(behind, putSnapshot(behind, 10), 30);
  refused(run(behind), newest, /reach only 0x9, not 0xa/);
});

test('a damaged snapshot from a leader, between logs that seem to hang together, is refused', () => {
  for (const zxid of [EPOCH, 9]) {
    const disk = new MemoryDisk();
    putSnapshot(disk, 0);
    putLog(disk, range(1, 5));
    const fetched = putSnapshot(disk, zxid);
    const log = putLog(disk, range(EPOCH + 1, EPOCH + 3));
    loaded(run(disk), zxid, EPOCH + 3);
    flip(disk, fetched, 30);
    refused(run(disk), log, /missing between 0x5 and 0x100000001.*is damaged/);
    loaded(run(disk, { allowGaps: true }), 0, EPOCH + 3);
  }
});

test('where all snapshots are damaged, logs from the very first txn prove the state', () => {
  const whole = new MemoryDisk();
  flip(whole, putSnapshot(whole, 3), 30);
  putLog(whole, range(1, 5));
  loaded(run(whole), 0, 5);
  // An empty snapshot.0 is what a power cut leaves of Apache's first start.
  const empty = new MemoryDisk();
  empty.put(`${DIRECTORY}/snapshot.0`, new Uint8Array(0));
  putLog(empty, range(EPOCH + 1, EPOCH + 4));
  loaded(run(empty), 0, EPOCH + 4);
  const partial = new MemoryDisk();
  flip(partial, putSnapshot(partial, 3), 30);
  const log = putLog(partial, range(2, 5));
  refused(run(partial), log, /missing/);
  const unborn = new MemoryDisk();
  unborn.put(`${DIRECTORY}/snapshot.0`, new Uint8Array(200));
  assert.equal(run(unborn).result?.isFresh, true);
});

test('logs without any snapshot: whole from the first txn on, or refused unless the operator trusts them', () => {
  const whole = new MemoryDisk();
  putLog(whole, range(1, 5));
  const outcome = run(whole);
  loaded(outcome, 0, 5);
  assert.equal(outcome.result?.isFresh, false);
  assert.match(outcome.result?.repairs[0] ?? '', /no snapshot/);
  const disk = new MemoryDisk();
  const log = putLog(disk, range(EPOCH + 1, EPOCH + 5));
  refused(run(disk), log, /no snapshot/);
  loaded(run(disk, { trustEmptySnapshot: true }), 0, EPOCH + 5);
  const late = new MemoryDisk();
  const lateLog = putLog(late, range(4, 5));
  refused(run(late), lateLog, /no snapshot/);
  refused(run(late, { trustEmptySnapshot: true }), lateLog, /missing between 0x0 and 0x4/);
});

test('gaps are refused, within a file and between files, unless they are allowed', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  const first = putLog(disk, [1, 2, 4]);
  refused(run(disk), first, /missing between 0x2 and 0x4/);
  const allowed = run(disk, { allowGaps: true });
  loaded(allowed, 0, 4);
  assert.deepEqual(allowed.txns, [1, 2, 4]);
  assert.match(allowed.result?.repairs[0] ?? '', /gap/);
  const apart = new MemoryDisk();
  putSnapshot(apart, 0);
  putLog(apart, [1, 2]);
  const second = putLog(apart, [EPOCH + 2]);
  refused(run(apart), second, /missing between 0x2 and 0x100000002/);
});

test('a record that comes again is skipped if it is the same, refused if it is another', () => {
  const same = new MemoryDisk();
  putSnapshot(same, 0);
  putLog(same, range(1, 6));
  putLog(same, range(5, 8));
  const outcome = run(same);
  loaded(outcome, 0, 8);
  assert.deepEqual(outcome.txns, range(1, 8));
  assert.match(outcome.result?.repairs[0] ?? '', /2 records/);
  const other = new MemoryDisk();
  putSnapshot(other, 0);
  putLog(other, range(1, 6));
  const fork = putLog(other, range(5, 8), DIRECTORY, 3);
  refused(run(other), fork, /another transaction with the zxid 0x5/);
});

test('a torn end is cut off the last log, and tolerated in an older one that the next continues', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  const first = putLog(disk, range(1, 4));
  const bytes = disk.get(first) as Uint8Array;
  disk.put(first, bytes.slice(0, bytes.length - 20));
  const cut = run(disk);
  loaded(cut, 0, 3);
  assert.match(cut.result?.repairs[0] ?? '', /cut .*log\.1 at offset 205/);
  assert.equal(disk.get(first)?.length, 16 + 3 * RECORD_BYTES);
  disk.put(first, bytes.slice(0, bytes.length - 20));
  putLog(disk, range(4, 6));
  const tolerated = run(disk);
  loaded(tolerated, 0, 6);
  assert.match(tolerated.result?.repairs[0] ?? '', /the next log goes on/);
  assert.equal(disk.get(first)?.length, bytes.length - 20, 'older files stay as they are');
  const gap = new MemoryDisk();
  putSnapshot(gap, 0);
  gap.put(first, bytes.slice(0, bytes.length - 20));
  const next = putLog(gap, range(5, 6));
  refused(run(gap), next, /missing between 0x3 and 0x5.*log\.1 breaks off/);
});

test('what a killed writer left is made durable before the mark goes', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  const log = new TxnLog(
    disk,
    { directory: DIRECTORY, preallocateBytes: 4096, sizeLimitBytes: 0, forceSync: true },
    { onDurable: () => {}, onFailed: (error) => assert.fail(error.message) },
  );
  for (const zxid of [1, 2, 3]) {
    log.batch.openEntry().raw(entryOf(zxid));
    log.batch.closeEntry(zxid);
    log.flush();
    disk.run();
  }
  const path = `${DIRECTORY}/log.1`;
  const writes: string[] = [];
  const before = disk.journal.length;
  loaded(run(disk), 0, 3);
  for (const entry of disk.journal.slice(before)) if (/^(write|sync|syncDirectory) /.test(entry)) writes.push(entry);
  // The last record again, a sync, the mark (with its sync), and the names.
  assert.deepEqual(writes, [`write ${path}`, `sync ${path}`, `write ${path}`, `syncDirectory ${DIRECTORY}`]);
  assert.equal(Buffer.from((disk.get(path) as Uint8Array).subarray(8, 16)).toString('hex'), '0000000000000000');
  const again = disk.journal.length;
  loaded(run(disk), 0, 3);
  const later = disk.journal.slice(again).filter((entry) => /^(write|sync|syncDirectory) /.test(entry));
  assert.deepEqual(later, [`sync ${path}`, `syncDirectory ${DIRECTORY}`]);
});

test('corruption in the middle is refused with file and offset, and nothing is changed', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  disk.put(`${DIRECTORY}/snapshot-9.tmp`, Uint8Array.of(1));
  const log = putLog(disk, range(1, 5));
  flip(disk, log, 16 + RECORD_BYTES + 40);
  const before = disk.paths().map((path) => disk.get(path));
  const outcome = run(disk);
  refused(outcome, log, /corrupt: one bit is flipped/);
  assert.equal(outcome.error?.offset, 16 + RECORD_BYTES);
  assert.deepEqual(
    disk.paths().map((path) => disk.get(path)),
    before,
  );
});

test('a wrong magic is refused; a last log without header or records is removed', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  const log = putLog(disk, range(1, 3));
  const last = `${DIRECTORY}/log.4`;
  const header = (disk.get(log) as Uint8Array).slice(0, 16);
  const leftovers = [
    new Uint8Array(0),
    new Uint8Array(5000),
    header.slice(0, 7),
    header.slice(0, 13),
    header,
    Buffer.concat([header, Buffer.alloc(4096)]),
  ];
  for (const leftover of leftovers) {
    disk.put(last, leftover);
    const outcome = run(disk);
    loaded(outcome, 0, 3);
    assert.equal(disk.get(last), null);
    assert.equal(outcome.result?.repairs.length, 1);
  }
  flip(disk, log, 2);
  refused(run(disk), log, /does not begin with ZKLG/);
});

test('an undecodable record is refused with the reason', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  const log = putLog(disk, range(1, 3));
  const sink = new RecordingSink();
  sink.undecodableZxid = 2;
  const outcome = run(disk, {}, sink);
  refused(outcome, log, /0x2 cannot be decoded: as told/);
  assert.equal(outcome.error?.offset, 16 + RECORD_BYTES);
});

test('files in the wrong directory are refused, with two directories', () => {
  const two = { snapshotDirectory: '/snap/version-2', logDirectory: '/log/version-2' };
  const good = new MemoryDisk();
  putSnapshot(good, 0, two.snapshotDirectory);
  putLog(good, range(1, 2), two.logDirectory);
  loaded(run(good, two), 0, 2);
  const stray = putLog(good, [3], two.snapshotDirectory);
  refused(run(good, two), stray, /log file in the snapshot directory/);
  good.delete(stray);
  const misplaced = putSnapshot(good, 7, two.logDirectory);
  refused(run(good, two), misplaced, /snapshot file in the log directory/);
});

test('temporary snapshots are removed, temporary epochs are not', () => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  for (const name of ['snapshot-5.tmp', 'snapshot.7.tmp', 'currentEpoch.tmp'])
    disk.put(`${DIRECTORY}/${name}`, Uint8Array.of(49));
  loaded(run(disk), 0, 0);
  assert.deepEqual(disk.paths(), [`${DIRECTORY}/currentEpoch.tmp`, `${DIRECTORY}/snapshot.0`]);
});

test('a failing disk is an error with the path, wherever it fails', () => {
  for (const operation of ['list', 'open', 'read'] as const) {
    const disk = new MemoryDisk();
    putSnapshot(disk, 0);
    putLog(disk, range(1, 3));
    disk.failNext(operation, '/', 'io', 0);
    const outcome = run(disk);
    assert.ok(outcome.error !== null, operation);
    assert.match(outcome.error.remedy, /disk/);
  }
  const unrepairable = new MemoryDisk();
  putSnapshot(unrepairable, 0);
  const log = putLog(unrepairable, range(1, 3));
  unrepairable.put(log, (unrepairable.get(log) as Uint8Array).slice(0, 100));
  unrepairable.failNext('truncate', log, 'not-permitted');
  assert.equal(run(unrepairable).error?.file, log);
});

test('damage to a pair of snapshots and their logs: everything, or a refusal', (t) => {
  const disk = new MemoryDisk();
  putSnapshot(disk, 0);
  putLog(disk, range(1, 3));
  const newer = putSnapshot(disk, 3);
  putLog(disk, range(4, 5));
  const whole = disk.get(newer) as Uint8Array;
  const expected = run(disk);
  loaded(expected, 3, 5);
  let fallbacks = 0;
  for (let offset = 0; offset < whole.length; offset++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = whole.slice();
      damaged[offset] ^= 1 << bit;
      disk.put(newer, damaged);
      loaded(run(disk), 0, 5);
      fallbacks++;
    }
    disk.put(newer, whole.slice(0, offset));
    assert.equal(run(disk).result?.lastZxid, 5);
  }
  t.diagnostic(
    `${fallbacks} flips and ${whole.length} cuts of the newer snapshot: the older one and the logs gave the same zxid`,
  );
});
