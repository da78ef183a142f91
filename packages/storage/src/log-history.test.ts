import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ByteWriter, toHex } from '@zoots/base';
import { type HistoryRefusal, type HistoryRequest, type LogHistory, MemoryDisk, openHistory, TxnLog } from './index.js';

const DIRECTORY = '/data/version-2';
const E = 4294967296;

/** About one kilobyte, different for each zxid. */
function entryOf(zxid: number): Uint8Array {
  const writer = new ByteWriter();
  writer.long(1);
  writer.int32(0);
  writer.long(zxid);
  writer.long(1_700_000_000_000);
  writer.int32(1);
  for (let i = 0; i < 900 + (zxid % 200); i++) writer.int8(1 + ((i * 7 + zxid) % 250));
  return writer.toBytes();
}

function openLog(disk: MemoryDisk, preallocateBytes = 4096): TxnLog {
  return new TxnLog(
    disk,
    { directory: DIRECTORY, preallocateBytes, sizeLimitBytes: 0, forceSync: true },
    { onDurable: () => {}, onFailed: (error) => assert.fail(error.message) },
  );
}

function append(disk: MemoryDisk, log: TxnLog, zxids: readonly number[], isRun = true): void {
  for (const zxid of zxids) {
    log.batch.openEntry().raw(entryOf(zxid));
    log.batch.closeEntry(zxid);
  }
  log.flush();
  if (isRun) disk.run();
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Each list is a log of its own. */
function diskOf(logs: readonly (readonly number[])[], snapshots: readonly number[] = [0]): MemoryDisk {
  const disk = new MemoryDisk();
  for (const zxid of snapshots) disk.put(`${DIRECTORY}/snapshot.${toHex(zxid)}`, new Uint8Array(100));
  for (const zxids of logs) {
    const log = openLog(disk);
    append(disk, log, zxids);
    log.close(() => {});
    disk.run();
  }
  return disk;
}

function request(fromZxid: number, lastZxid: number, bytesMax = 1_000_000_000): HistoryRequest {
  return { snapshotDirectory: DIRECTORY, logDirectory: DIRECTORY, fromZxid, lastZxid, bytesMax };
}

function open(disk: MemoryDisk, asked: HistoryRequest): { refusal: HistoryRefusal | null; history: LogHistory | null } {
  const outcomes: { refusal: HistoryRefusal | null; history: LogHistory | null }[] = [];
  openHistory(disk, asked, (refusal, history) => outcomes.push({ refusal, history }));
  disk.run();
  assert.equal(outcomes.length, 1);
  return outcomes[0] as { refusal: HistoryRefusal | null; history: LogHistory | null };
}

function opened(disk: MemoryDisk, asked: HistoryRequest): LogHistory {
  const { refusal, history } = open(disk, asked);
  assert.equal(refusal, null);
  return history as LogHistory;
}

function refused(disk: MemoryDisk, asked: HistoryRequest, kind: HistoryRefusal['kind'], pattern: RegExp): void {
  disk.journal.length = 0;
  const { refusal } = open(disk, asked);
  assert.equal(refusal?.kind, kind, `0x${toHex(asked.fromZxid)} to 0x${toHex(asked.lastZxid)}: ${refusal?.message}`);
  assert.match(refusal?.message ?? '', pattern);
  assertAllClosed(disk);
}

/** As many files were closed as opened since the journal was emptied. */
function assertAllClosed(disk: MemoryDisk): void {
  const count = (word: string): number => disk.journal.filter((entry) => entry.startsWith(`${word} `)).length;
  assert.equal(count('close'), count('open'));
}

/** Everything, in slices of `sliceBytes`; checks the content, and gives back the zxids and the number of slices. */
function readAll(disk: MemoryDisk, history: LogHistory, sliceBytes: number): { zxids: number[]; sliceCount: number } {
  const zxids: number[] = [];
  let sliceCount = 0;
  let isAtEnd = false;
  while (!isAtEnd) {
    let inSlice = 0;
    let doneCount = 0;
    history.read(
      sliceBytes,
      (bytes, start, end, zxid) => {
        assert.ok(inSlice < sliceBytes, 'a slice goes on behind its measure');
        inSlice += end - start;
        assert.deepEqual(bytes.slice(start, end), entryOf(zxid));
        zxids.push(zxid);
      },
      (refusal, atEnd) => {
        assert.equal(refusal, null);
        isAtEnd = atEnd;
        doneCount++;
      },
    );
    disk.run();
    assert.equal(doneCount, 1);
    assert.equal(isAtEnd, history.isAtEnd);
    sliceCount++;
  }
  history.close(() => {});
  disk.run();
  return { zxids, sliceCount };
}

const LOGS = [range(1, 9), range(10, 12), [13, 14, E + 1, E + 2, E + 3], [3 * E + 1, 3 * E + 2]];
const ALL = LOGS.flat();

test('every stretch of several logs comes in order, in slices, to the byte', () => {
  const disk = diskOf(LOGS);
  for (let from = 0; from < ALL.length; from++) {
    for (let last = from; last < ALL.length; last++) {
      const fromZxid = ALL[from] as number;
      const wanted = ALL.slice(from + 1, last + 1);
      disk.journal.length = 0;
      const history = opened(disk, request(fromZxid, ALL[last] as number));
      const { stretch } = history;
      assert.equal(stretch.hasFrom, true);
      assert.deepEqual([stretch.firstZxid, stretch.lastZxid], [wanted[0] ?? -1, wanted.at(-1) ?? -1]);
      assert.equal(stretch.txnCount, wanted.length);
      assert.equal(
        stretch.entryBytes,
        wanted.reduce((sum, zxid) => sum + entryOf(zxid).length, 0),
      );
      assert.deepEqual(readAll(disk, history, 1 + ((from * 997) % 5000)).zxids, wanted);
      assertAllClosed(disk);
    }
  }
});

test('a slice is as long as asked, at least one entry', () => {
  const disk = diskOf([range(1, 100)]);
  assert.equal(readAll(disk, opened(disk, request(1, 100)), 1).sliceCount, 99);
  assert.equal(readAll(disk, opened(disk, request(1, 100)), 1_000_000).sliceCount, 1);
  const { sliceCount } = readAll(disk, opened(disk, request(1, 100)), 10_000);
  assert.ok(sliceCount >= 9 && sliceCount <= 11, `${sliceCount} slices`);
});

test('reading on from within the callback goes no deeper', () => {
  const disk = diskOf([range(1, 3000)]);
  const history = opened(disk, request(1, 3000));
  let count = 0;
  let depth = 0;
  let deepest = 0;
  const readOn = (): void => {
    deepest = Math.max(deepest, ++depth);
    history.read(
      1,
      () => count++,
      (_refusal, isAtEnd) => {
        if (!isAtEnd) readOn();
      },
    );
    depth--;
  };
  readOn();
  disk.run();
  assert.equal(count, 2999);
  assert.ok(deepest <= 2, `${deepest} calls deep`);
});

test('memory stays bounded however long the stretch is', () => {
  const disk = diskOf([range(1, 3000), range(3001, 6000)]);
  const history = opened(disk, request(5, 6000));
  const buffers = new Set<number>();
  let count = 0;
  const readOn = (): void =>
    history.read(
      64 * 1024,
      (bytes) => {
        count++;
        buffers.add(bytes.length);
      },
      (_refusal, isAtEnd) => {
        if (!isAtEnd) readOn();
      },
    );
  readOn();
  disk.run();
  assert.equal(count, 5995);
  assert.ok(Math.max(...buffers) <= 512 * 1024, `buffers of ${[...buffers].join()} bytes`);
});

test('a zxid that the log does not have: which ones it lies between', () => {
  const disk = diskOf([range(1, 5), [2 * E + 1, 2 * E + 2, 2 * E + 3]]);
  for (const from of [6, 100, E, E + 7]) {
    const { stretch } = opened(disk, request(from, 2 * E + 3));
    assert.deepEqual([stretch.hasFrom, stretch.previousZxid, stretch.firstZxid], [false, 5, 2 * E + 1], toHex(from));
  }
  // A learner that was given a snapshot at the beginning of an epoch.
  const start = opened(disk, request(2 * E, 2 * E + 3));
  assert.deepEqual(readAll(disk, start, 5000).zxids, [2 * E + 1, 2 * E + 2, 2 * E + 3]);
  const there = opened(disk, request(2 * E + 2, 2 * E + 3)).stretch;
  assert.deepEqual([there.hasFrom, there.previousZxid], [true, 2 * E + 1]);
});

test('what is not there any more, or was never there, is refused', () => {
  const purged = diskOf([range(10, 20)], [9]);
  for (const from of [0, 1, 8]) refused(purged, request(from, 20), 'purged', /begin behind|nothing/);
  assert.deepEqual(readAll(purged, opened(purged, request(9, 12)), 9999).zxids, [10, 11, 12]);
  // The first record left is the first of an epoch: nobody knows what came before.
  refused(diskOf([[2 * E + 1, 2 * E + 2]]), request(E + 5, 2 * E + 2), 'purged', /begin behind/);
  refused(diskOf([[2 * E + 1, 2 * E + 2]]), request(0, 2 * E + 2), 'purged', /begin behind/);
  refused(new MemoryDisk(), request(1, 2), 'disk', /not-found/);
  refused(diskOf([]), request(1, 2), 'purged', /nothing/);
  refused(purged, request(12, 25), 'broken', /end at 0x14, before 0x19/);
});

test('holes are refused, also those that only a snapshot betrays', () => {
  refused(diskOf([range(1, 5), range(7, 9)]), request(2, 9), 'broken', /between 0x5 and 0x7/);
  refused(diskOf([range(1, 5), [E + 2]]), request(2, E + 2), 'broken', /between/);
  // The server was given a snapshot: 6 and more were never in its log.
  const bridged = diskOf([range(1, 5), [E + 1, E + 2]], [0, E]);
  refused(bridged, request(2, E + 2), 'broken', /between 0x5 and 0x100000001/);
  refused(bridged, request(5, E + 2), 'broken', /between 0x5 and 0x100000001/);
  refused(bridged, request(2, E), 'broken', /end at 0x5/);
  assert.deepEqual(readAll(bridged, opened(bridged, request(E, E + 2)), 9999).zxids, [E + 1, E + 2]);
  assert.deepEqual(readAll(bridged, opened(bridged, request(2, 5)), 9999).zxids, [3, 4, 5]);
  // A snapshot of a logged zxid is none.
  const usual = diskOf([range(1, 5), [E + 1, E + 2]], [0, 3, 5, E + 1]);
  assert.deepEqual(readAll(usual, opened(usual, request(3, E + 2)), 9999).zxids, [4, 5, E + 1, E + 2]);
  assert.deepEqual(readAll(usual, opened(usual, request(3, E)), 9999).zxids, [4, 5], 'up to the 0 of an epoch');
});

test('damage within the stretch is refused; a torn end that the next log makes good is not', () => {
  const disk = diskOf([range(1, 5), range(6, 9)]);
  const path = `${DIRECTORY}/log.1`;
  const whole = disk.get(path) as Uint8Array;
  const damaged = whole.slice();
  damaged[16 + 13 + 940 + 100] ^= 1;
  disk.put(path, damaged);
  refused(disk, request(1, 9), 'broken', /missing between 0x1 and 0x6/);
  refused(disk, request(4, 9), 'broken', /missing between 0x1 and 0x6/);
  // 6 was torn in log.1 and written again.
  const torn = diskOf([range(1, 5), range(6, 9)]);
  const tail = openLog(torn, 0);
  append(torn, tail, [6]);
  const record = (torn.get(`${DIRECTORY}/log.6`) as Uint8Array).subarray(16, 300);
  const end = whole.findLastIndex((byte) => byte !== 0) + 1;
  torn.put(path, Buffer.concat([whole.subarray(0, end), record]));
  const again = openLog(torn);
  append(torn, again, range(6, 9));
  assert.deepEqual(readAll(torn, opened(torn, request(2, 9)), 2000).zxids, range(3, 9));
});

test('records that were logged twice come once', () => {
  const disk = diskOf([range(1, 7), range(5, 9)]);
  assert.deepEqual(readAll(disk, opened(disk, request(2, 9)), 1500).zxids, range(3, 9));
  assert.deepEqual(readAll(disk, opened(disk, request(6, 9)), 1500).zxids, range(7, 9));
});

test('more bytes than allowed are refused, before they are all read', () => {
  const disk = diskOf([range(1, 2000)]);
  const exact = range(11, 20).reduce((sum, zxid) => sum + entryOf(zxid).length, 0);
  assert.equal(opened(disk, request(10, 20, exact)).stretch.entryBytes, exact);
  refused(disk, request(10, 20, exact - 1), 'too-long', /more than/);
  disk.journal.length = 0;
  refused(disk, request(10, 2000, 10_000), 'too-long', /more than 10000 bytes/);
  assert.ok(disk.journal.filter((entry) => entry.startsWith('read')).length <= 2);
});

test('it stops at the last durable txn of a log that is being written', () => {
  const disk = diskOf([range(1, 5)]);
  const log = openLog(disk);
  append(disk, log, range(6, 8));
  // The next batch is on its way: half of its bytes are there.
  append(disk, log, range(9, 300), false);
  for (let i = 0; i < 2; i++) disk.step();
  const history = opened(disk, request(3, 8));
  append(disk, log, range(301, 900));
  assert.deepEqual(readAll(disk, history, 700).zxids, range(4, 8));
  assert.deepEqual(readAll(disk, opened(disk, request(3, 900)), 50_000).zxids, range(4, 900));
});

test('a purge between the look and the reading harms nobody; one before it is told', () => {
  const disk = diskOf([range(1, 5), range(6, 9), range(10, 12)]);
  const history = opened(disk, request(2, 12));
  disk.delete(`${DIRECTORY}/log.1`);
  disk.delete(`${DIRECTORY}/log.6`);
  assert.deepEqual(readAll(disk, history, 1000).zxids, range(3, 12));
  refused(disk, request(2, 12), 'purged', /begin behind/);
  const racing = diskOf([range(1, 5), range(6, 9)]);
  racing.failNext('open', 'log.6', 'not-found');
  assert.match(open(racing, request(2, 9)).refusal?.message ?? '', /removed meanwhile/);
  assert.ok(racing.journal.includes(`close ${DIRECTORY}/log.1`));
});

test('a disk error is told, in the look and in the reading', () => {
  for (const operation of ['list', 'open', 'read'] as const) {
    const disk = diskOf([range(1, 500), range(501, 900)]);
    disk.failNext(operation, operation === 'list' ? DIRECTORY : 'log.1f5', 'io');
    disk.journal.length = 0;
    const { refusal } = open(disk, request(2, 900));
    assert.equal(refusal?.kind, 'disk', operation);
  }
  const disk = diskOf([range(1, 900)]);
  const history = opened(disk, request(2, 900));
  disk.failNext('read', 'log.1', 'io', 1);
  let told: HistoryRefusal | null = null;
  let count = 0;
  history.read(
    Number.MAX_SAFE_INTEGER,
    () => count++,
    (refusal) => {
      told = refusal;
    },
  );
  disk.run();
  assert.equal((told as HistoryRefusal | null)?.kind, 'disk');
  assert.ok(count > 100 && count < 500);
});

test('a history may be closed while it is read: no callback comes any more', () => {
  const disk = diskOf([range(1, 900)]);
  disk.journal.length = 0;
  const history = opened(disk, request(2, 900));
  history.read(
    1_000_000,
    () => assert.fail('an entry after the end'),
    () => assert.fail('a callback after the end'),
  );
  let isClosed = false;
  history.close(() => {
    isClosed = true;
  });
  disk.run();
  assert.ok(isClosed);
  assertAllClosed(disk);
  assert.throws(
    () =>
      history.read(
        1,
        () => {},
        () => {},
      ),
    /closed history/,
  );
});

test('logs of Apache 3.8.0, 3.5.10 and 3.4.14 are read', () => {
  for (const [name, files, from, last, expected] of [
    ['3.8.0-s1', ['log.100000001', 'snapshot.0'], E + 1, E + 5, 4],
    ['3.5.10', ['log.1', 'log.15', 'snapshot.0', 'snapshot.14'], 3, 0x17, 0x14],
    ['3.4.14', ['log.1', 'log.14'], 5, 0x16, 0x11],
  ] as const) {
    const disk = new MemoryDisk();
    for (const file of files) {
      const url = new URL(`../src/fixtures/apache-${name}/${file}`, import.meta.url);
      disk.put(`${DIRECTORY}/${file}`, readFileSync(url));
    }
    const history = opened(disk, request(from, last));
    assert.equal(history.stretch.txnCount, expected, name);
  }
});
