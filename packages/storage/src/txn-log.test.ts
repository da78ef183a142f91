import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ByteWriter } from '@zoots/base';
import {
  type DiskError,
  hexOf,
  type LogBatch,
  type LogEnd,
  MemoryDisk,
  type MemoryOperation,
  readLogFile,
  TxnLog,
  type TxnLogOptions,
} from './index.js';

const DIRECTORY = '/data/version-2';
const OPTIONS: TxnLogOptions = { directory: DIRECTORY, preallocateBytes: 65536, sizeLimitBytes: 0, forceSync: true };
const vectors = readFileSync(new URL('../src/fixtures/apache-3.8.0-vectors.txt', import.meta.url), 'utf8').split('\n');

function bytesOfHex(text: string): Uint8Array {
  const digits = text.replace(/[^0-9a-f]/g, '');
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** The entries of the vectors, with the zxid and checksum that Apache gave them. */
const apacheEntries = vectors.flatMap((line, i) => {
  const match = /^txn type (\S+) zxid (\S+) adler=(\S+)/.exec(line);
  if (match === null) return [];
  const entry = bytesOfHex((vectors[i + 1] as string).replace(/^.*\]/, ''));
  return [{ zxid: Number.parseInt(match[2] as string, 16), adler: match[3] as string, entry }];
});

class Recorder {
  readonly durable: number[][] = [];
  readonly failures: DiskError[] = [];
  log: TxnLog | null = null;
  onDurable(batch: LogBatch): void {
    this.durable.push([batch.firstZxid, batch.lastZxid, batch.recordCount]);
    this.log?.recycle(batch);
  }
  onFailed(error: DiskError): void {
    this.failures.push(error);
  }
}

function setUp(options: Partial<TxnLogOptions> = {}): { disk: MemoryDisk; log: TxnLog; events: Recorder } {
  const disk = new MemoryDisk();
  const events = new Recorder();
  const log = new TxnLog(disk, { ...OPTIONS, ...options }, events);
  events.log = log;
  return { disk, log, events };
}

function entryOf(zxid: number, length: number): Uint8Array {
  const writer = new ByteWriter();
  writer.long(1);
  writer.int32(0);
  writer.long(zxid);
  for (let i = writer.length; i < length; i++) writer.int8(1 + ((i * 31 + zxid) % 255));
  return writer.toBytes();
}

function append(log: TxnLog, zxid: number, entry = entryOf(zxid, 60)): void {
  log.batch.openEntry().raw(entry);
  log.batch.closeEntry(zxid);
}

function read(disk: MemoryDisk, path: string): { zxids: number[]; end: LogEnd } {
  const zxids: number[] = [];
  let found: LogEnd | null = null;
  readLogFile(
    disk,
    path,
    (_offset, zxid, crcOk) => {
      assert.ok(crcOk);
      zxids.push(zxid);
    },
    (error, end) => {
      assert.equal(error, null);
      found = end;
    },
  );
  disk.run();
  assert.ok(found !== null);
  return { zxids, end: found };
}

test("records are Apache's to the byte", () => {
  assert.equal(apacheEntries.length, 8);
  const { disk, log } = setUp({ preallocateBytes: 0 });
  for (const { zxid, entry, adler } of apacheEntries) {
    append(log, zxid, entry);
    const { writer, entryStart, entryEnd } = log.batch;
    assert.equal(writer.view.getUint32(entryStart - 8).toString(16), adler);
    assert.equal(hexOf(writer.bytes, entryStart, entryEnd), hexOf(entry, 0, entry.length));
  }
  assert.ok(log.flush());
  log.close((error) => assert.equal(error, null));
  disk.run();
  const file = disk.get(`${DIRECTORY}/log.100000001`) as Uint8Array;
  const head = vectors.find((line) => line.startsWith('log head 250')) as string;
  assert.equal(hexOf(file, 0, 250), hexOf(bytesOfHex(head.replace(/^.*\]/, '')), 0, 250));
  assert.equal(file.length, 725);
});

test('one batch in flight; the next one fills meanwhile and goes out as one', () => {
  const { disk, log, events } = setUp();
  assert.equal(log.flush(), false, 'nothing to write');
  append(log, 1);
  assert.ok(log.flush());
  assert.ok(log.isFlushing);
  append(log, 2);
  append(log, 3);
  assert.equal(log.flush(), false, 'one is in flight');
  disk.run();
  assert.deepEqual(events.durable, [[1, 1, 1]]);
  assert.equal(log.isFlushing, false);
  assert.ok(log.flush());
  disk.run();
  assert.deepEqual(events.durable.at(-1), [2, 3, 2]);
  assert.deepEqual(read(disk, `${DIRECTORY}/log.1`).zxids, [1, 2, 3]);
});

test('a file is durable, header and name, before its first record is written', () => {
  const { disk, log, events } = setUp();
  append(log, 0x100000001);
  log.flush();
  disk.run();
  const path = `${DIRECTORY}/log.100000001`;
  assert.deepEqual(disk.journal, [
    `open ${path}`,
    `write ${path}`,
    `syncDirectory ${DIRECTORY}`,
    `truncate ${path}`,
    // Zeros ahead of the records, then the records.
    `write ${path}`,
    `write ${path}`,
  ]);
  assert.equal(events.durable.length, 1);
});

test("preallocation grows in Apache's steps", () => {
  const { disk, log } = setUp();
  const size = (): number => (disk.get(`${DIRECTORY}/log.1`) as Uint8Array).length;
  append(log, 1);
  log.flush();
  disk.run();
  assert.equal(size(), 16 + 65536);
  append(log, 2, entryOf(2, 61_300));
  log.flush();
  disk.run();
  assert.equal(size(), 16 + 65536, 'more than 4096 bytes are left');
  append(log, 3, entryOf(3, 200));
  log.flush();
  disk.run();
  assert.equal(size(), 16 + 2 * 65536);
  append(log, 4, entryOf(4, 300_000));
  log.flush();
  disk.run();
  assert.equal(size(), 16 + 6 * 65536);
  assert.deepEqual(read(disk, `${DIRECTORY}/log.1`).zxids, [1, 2, 3, 4]);
});

test('rollNext begins a new file and counts anew; the old one is finished', () => {
  const { disk, log } = setUp();
  append(log, 5);
  log.flush();
  disk.run();
  assert.equal(log.bytesSinceRoll, 73);
  append(log, 6);
  log.flush();
  disk.run();
  const middle = read(disk, `${DIRECTORY}/log.5`).end;
  assert.equal(middle.header?.mark, 16 + 73, 'the mark says what was durable before the last batch');
  log.rollNext();
  assert.equal(log.bytesSinceRoll, 0);
  append(log, 7);
  log.flush();
  disk.run();
  assert.deepEqual(disk.paths(), [`${DIRECTORY}/log.5`, `${DIRECTORY}/log.7`]);
  const first = read(disk, `${DIRECTORY}/log.5`);
  assert.deepEqual(first.zxids, [5, 6]);
  assert.equal(first.end.header?.dbidHigh, 0);
  assert.equal(first.end.header?.dbidLow, 0);
  assert.deepEqual(read(disk, `${DIRECTORY}/log.7`).zxids, [7]);
});

test('records go into a new file behind its header and the end of the old one, and are durable no sooner than its name', () => {
  const { disk, log, events } = setUp();
  append(log, 5);
  log.flush();
  disk.run();
  const before = disk.journal.length;
  log.rollNext();
  append(log, 6);
  log.flush();
  while (events.durable.length < 2) assert.ok(disk.step(), 'the batch never became durable');
  const journal = disk.journal.slice(before);
  const header = journal.indexOf(`write ${DIRECTORY}/log.6`);
  const oldEnd = journal.indexOf(`write ${DIRECTORY}/log.5`);
  const records = journal.indexOf(`write ${DIRECTORY}/log.6`, header + 1);
  assert.ok(header >= 0 && oldEnd >= 0 && records > header && records > oldEnd, journal.join('\n'));
  assert.ok(journal.includes(`syncDirectory ${DIRECTORY}`), journal.join('\n'));
});

test('a new file whose name or whose forerunner fails to become durable ends the log', () => {
  for (const [operation, path] of [
    ['syncDirectory', DIRECTORY],
    ['write', 'log.5'],
    ['sync', 'log.5'],
  ] as const) {
    const { disk, log, events } = setUp();
    append(log, 5);
    log.flush();
    disk.run();
    disk.failNext(operation, path, 'io');
    log.rollNext();
    append(log, 6);
    log.flush();
    disk.run();
    assert.equal(events.durable.length, 1, `${operation} ${path}`);
    assert.equal(events.failures.length, 1, `${operation} ${path}`);
    let isClosed = false;
    log.close(() => {
      isClosed = true;
    });
    disk.run();
    assert.ok(isClosed);
    const openCount = disk.journal.filter((entry) => entry.startsWith('open')).length;
    assert.equal(disk.journal.filter((entry) => entry.startsWith('close')).length, openCount, disk.journal.join('\n'));
  }
});

test('a file over the size limit is followed by a new one, and the count since the snapshot goes on', () => {
  const { disk, log } = setUp({ sizeLimitBytes: 200, preallocateBytes: 0 });
  for (let zxid = 1; zxid <= 7; zxid++) {
    append(log, zxid);
    log.flush();
    disk.run();
  }
  assert.deepEqual(
    disk.paths().map((path) => read(disk, path).zxids),
    [[1, 2, 3], [4, 5, 6], [7]],
  );
  assert.equal(log.bytesSinceRoll, 7 * 73);
});

test('without forceSync nothing is synced', () => {
  const { disk, log, events } = setUp({ forceSync: false });
  disk.failNext('sync', 'log', 'io');
  disk.failNext('syncDirectory', '', 'io');
  append(log, 1);
  log.flush();
  disk.run();
  assert.deepEqual(events.failures, []);
  assert.deepEqual(events.durable, [[1, 1, 1]]);
  assert.equal(read(disk, `${DIRECTORY}/log.1`).end.header?.mark, 0);
});

test('an abandoned entry leaves no trace', () => {
  const { disk, log } = setUp();
  append(log, 1);
  log.batch.openEntry().raw(entryOf(2, 100));
  log.batch.abandonEntry();
  append(log, 2);
  assert.equal(log.batch.recordCount, 2);
  log.flush();
  disk.run();
  assert.deepEqual(read(disk, `${DIRECTORY}/log.1`).zxids, [1, 2]);
});

test('any disk error ends the log: reported once, nothing durable, nothing written any more', () => {
  const places: [MemoryOperation, number][] = [
    ['open', 0],
    ['write', 0],
    ['sync', 0],
    ['syncDirectory', 0],
    ['truncate', 0],
    ['write', 1],
    ['sync', 1],
  ];
  for (const [operation, skip] of places) {
    const { disk, log, events } = setUp();
    disk.failNext(operation, DIRECTORY, 'no-space', skip);
    append(log, 1);
    assert.ok(log.flush());
    disk.run();
    assert.equal(events.failures.length, 1, `${operation} ${skip}`);
    assert.equal(events.failures[0]?.code, 'no-space');
    assert.deepEqual(events.durable, []);
    append(log, 2);
    assert.equal(log.flush(), false);
    const before = disk.journal.length;
    let closed: DiskError | null = null;
    log.close((error) => {
      closed = error;
    });
    disk.run();
    assert.equal((closed as DiskError | null)?.code, 'no-space');
    assert.ok(disk.journal.slice(before).every((entry) => entry.startsWith('close')));
  }
});

test('a failed sync of a later batch ends the log as well', () => {
  const { disk, log, events } = setUp();
  append(log, 1);
  log.flush();
  disk.run();
  disk.failNext('sync', 'log.1', 'io');
  append(log, 2);
  log.flush();
  disk.run();
  assert.deepEqual(events.durable, [[1, 1, 1]]);
  assert.equal(events.failures.length, 1);
  assert.equal(log.isFlushing, false);
});

test('close writes what is left, clears the mark, and closes', () => {
  const { disk, log, events } = setUp();
  append(log, 1);
  log.flush();
  append(log, 2);
  let isClosed = false;
  log.close((error) => {
    assert.equal(error, null);
    isClosed = true;
  });
  disk.run();
  assert.ok(isClosed);
  assert.deepEqual(events.durable, [
    [1, 1, 1],
    [2, 2, 1],
  ]);
  const { zxids, end } = read(disk, `${DIRECTORY}/log.1`);
  assert.deepEqual(zxids, [1, 2]);
  assert.equal(end.header?.mark, 0);
  assert.equal(disk.journal.filter((entry) => entry.startsWith('close')).length, 2);
});

test('closing a log that never wrote touches no file', () => {
  const { disk, log } = setUp();
  let isClosed = false;
  log.close(() => {
    isClosed = true;
  });
  disk.run();
  assert.ok(isClosed);
  assert.deepEqual(disk.journal, []);
});

test('batches are reused, but no huge ones', () => {
  const { disk, log, events } = setUp();
  const first = log.batch;
  append(log, 1);
  log.flush();
  disk.run();
  append(log, 2);
  log.flush();
  assert.equal(log.batch, first);
  disk.run();
  const second = log.batch;
  append(log, 3, entryOf(3, 5 << 20));
  log.flush();
  disk.run();
  append(log, 4);
  log.flush();
  assert.notEqual(log.batch, second);
  disk.run();
  assert.equal(events.durable.length, 4);
});

test('a tool sees damaged records too', () => {
  const { disk, log } = setUp({ preallocateBytes: 0 });
  for (let zxid = 1; zxid <= 3; zxid++) append(log, zxid);
  log.flush();
  log.close(() => {});
  disk.run();
  const path = `${DIRECTORY}/log.1`;
  const bytes = disk.get(path) as Uint8Array;
  bytes[16 + 73 + 50] ^= 1;
  disk.put(path, bytes);
  const seen: string[] = [];
  let end: LogEnd | null = null;
  readLogFile(
    disk,
    path,
    (offset, zxid, crcOk) => seen.push(`${offset} ${zxid} ${crcOk}`),
    (_error, found) => {
      end = found;
    },
    (header) => seen.push(`v${header.version}`),
  );
  disk.run();
  assert.deepEqual(seen, ['v2', '16 1 true', '89 2 false', '162 3 true']);
  assert.equal((end as LogEnd | null)?.kind, 'clean');
});
