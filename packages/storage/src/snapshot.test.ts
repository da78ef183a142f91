import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import {
  type Codec,
  type DiskError,
  type GzipPort,
  hexOf,
  MemoryDisk,
  type MemoryOperation,
  type OnOutput,
  RecordingSink,
  readSnapshotFile,
  type SnapshotCompression,
  type SnapshotDamage,
  SnapshotParser,
  SnapshotWriter,
} from './index.js';

const DIRECTORY = '/data/version-2';
const TEMPORARY = `${DIRECTORY}/snapshot-100000004.tmp`;

/** gzip on a plate: gathers everything and works on the last push. */
class GatheringCodec implements Codec {
  #parts: Uint8Array[] = [];
  readonly #work: (bytes: Uint8Array) => Uint8Array;
  readonly #onOutput: OnOutput;
  constructor(work: (bytes: Uint8Array) => Uint8Array, onOutput: OnOutput) {
    this.#work = work;
    this.#onOutput = onOutput;
  }
  push(bytes: Uint8Array, start: number, end: number, isLast: boolean, done: (error: string | null) => void): void {
    this.#parts.push(bytes.slice(start, end));
    done(isLast ? this.#finish() : null);
  }
  #finish(): string | null {
    try {
      const output = this.#work(Buffer.concat(this.#parts));
      this.#onOutput(output, 0, output.length);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }
  close(): void {}
}

const gzip: GzipPort = {
  compressor: (onOutput) => new GatheringCodec((bytes) => zlib.gzipSync(bytes), onOutput),
  decompressor: (onOutput) => new GatheringCodec((bytes) => zlib.gunzipSync(bytes), onOutput),
};

function bytesOfHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replace(/[^0-9a-f]/g, ''), 'hex'));
}

const vectors = readFileSync(new URL('../src/fixtures/apache-3.8.0-vectors.txt', import.meta.url), 'utf8').split('\n');
/** snapshot.0 of the fresh tree, and snapshot.100000004, as Apache 3.8.0 wrote them. */
const [freshBytes, laterBytes] = ['snapshot.0 fresh', 'snapshot.100000004'].map((name) =>
  bytesOfHex((vectors.find((line) => line.startsWith(name)) as string).replace(/^.*\]/, '')),
) as [Uint8Array, Uint8Array];

function parse(
  bytes: Uint8Array,
  pieceBytes = bytes.length,
): { lines: string[]; parser: SnapshotParser; isWhole: boolean } {
  const sink = new RecordingSink();
  const parser = new SnapshotParser(sink, 4294967300);
  for (let at = 0; at < bytes.length; at += pieceBytes) parser.push(bytes, at, Math.min(at + pieceBytes, bytes.length));
  return { lines: sink.lines, parser, isWhole: parser.end() };
}

interface Content {
  readonly nodeCount: number;
  readonly dataBytes: number;
}

/** Neither noise nor all the same. */
function dataOf(i: number, length: number): Uint8Array {
  const data = new Uint8Array(length).fill(11);
  for (let k = 0; k < length; k += 7) data[k] = k * i;
  return data;
}

/** Feeds a writer with two sessions, one ACL and a root with children. */
function fill(writer: SnapshotWriter, { nodeCount, dataBytes }: Content): void {
  writer.beginSessions(2);
  writer.session(0x018bcfe5, 0x68000000, 30000);
  writer.session(-1, 7, 4000);
  writer.beginAcls(1);
  const acl = bytesOfHex('000000010000001f00000005776f726c6400000006616e796f6e65');
  writer.acl(1, acl, 0, acl.length);
  for (let i = 0; i < nodeCount; i++) {
    const { out } = writer;
    out.string(i === 0 ? '' : `/node-${i}`);
    if (i % 3 === 0) out.buffer(null);
    else out.buffer(dataOf(i, dataBytes));
    out.long(i % 2 === 0 ? -1 : 1);
    for (let field = 0; field < 15; field++) out.int32(i * field);
    writer.pump();
  }
}

interface WriteOptions {
  readonly compression?: SnapshotCompression;
  readonly hasDigest?: boolean;
  readonly hasZxidTrailer?: boolean;
  readonly gzip?: GzipPort | null;
}

function start(disk: MemoryDisk, options: WriteOptions = {}): SnapshotWriter {
  return new SnapshotWriter(
    disk,
    { directory: DIRECTORY, compression: 'none', gzip, hasDigest: true, hasZxidTrailer: true, ...options },
    0x1_0000_0004,
  );
}

function write(disk: MemoryDisk, content: Content, options: WriteOptions = {}): DiskError | null {
  const writer = start(disk, options);
  disk.run();
  fill(writer, content);
  let outcome: DiskError | null | undefined;
  writer.finish(0x1_0000_0004, 2, 0x789f7bba2 | 0, (error) => {
    outcome = error;
  });
  disk.run();
  assert.notEqual(outcome, undefined);
  return outcome as DiskError | null;
}

function readBack(
  disk: MemoryDisk,
  path: string,
): { lines: string[]; error: DiskError | null; damage: SnapshotDamage | null } {
  const sink = new RecordingSink();
  const found: { error: DiskError | null; damage: SnapshotDamage | null }[] = [];
  readSnapshotFile(disk, path, sink, (error, damage) => found.push({ error, damage }), gzip);
  disk.run();
  assert.equal(found.length, 1);
  return { lines: sink.lines, ...(found[0] as { error: DiskError | null; damage: SnapshotDamage | null }) };
}

test("Apache's snapshots are read, in pieces of any size", () => {
  for (const bytes of [freshBytes, laterBytes]) {
    const whole = parse(bytes);
    assert.equal(whole.parser.error, null);
    assert.ok(whole.isWhole);
    for (let size = 1; size <= bytes.length; size += size < 80 ? 1 : 37) {
      const pieces = parse(bytes, size);
      assert.ok(pieces.isWhole);
      assert.deepEqual(pieces.lines, whole.lines);
    }
  }
  const { lines } = parse(laterBytes);
  assert.ok(lines.includes('session 18bcfe568000000 30000'));
  assert.ok(lines.some((line) => line.startsWith('node 2f666f6f 62617a 2 ')));
  assert.ok(lines.some((line) => line.startsWith('node 2f65 null 2 ')));
  assert.equal(lines.at(-1), 'end 100000004 100000004 v2 289f7bba2');
  assert.equal(lines.filter((line) => line.startsWith('node')).length, 6);
});

test("the same content is written to Apache's bytes", () => {
  const disk = new MemoryDisk();
  const writer = start(disk, { hasZxidTrailer: false });
  writer.beginSessions(1);
  writer.session(0x018bcfe5, 0x68000000, 30000);
  writer.beginAcls(2);
  const { lines } = parse(laterBytes);
  for (const line of lines) {
    const [kind, id, content, acl, stat] = line.split(' ') as [string, string, string, string, string];
    if (kind === 'acl') writer.acl(Number(id), bytesOfHex(content), 0, content.length / 2);
    if (kind !== 'node') continue;
    writer.out.buffer(bytesOfHex(id));
    writer.out.buffer(content === 'null' ? null : bytesOfHex(content));
    writer.out.long(Number(acl));
    writer.out.raw(bytesOfHex(stat));
  }
  writer.finish(0x100000004, 2, 0x89f7bba2, (error) => assert.equal(error, null));
  disk.run();
  const written = disk.get(`${DIRECTORY}/snapshot.100000004`) as Uint8Array;
  assert.equal(hexOf(written, 0, written.length), hexOf(laterBytes, 0, laterBytes.length));
});

test('every compression, with and without sections 7 and 8, comes back as it was', () => {
  const small = { nodeCount: 3, dataBytes: 10 };
  const many = { nodeCount: 400, dataBytes: 3000 };
  const long = { nodeCount: 3, dataBytes: 700_000 };
  for (const compression of ['none', 'gz', 'snappy'] as const) {
    for (const [content, hasDigest, hasZxidTrailer] of [
      [small, true, true],
      [many, true, true],
      [long, true, true],
      [small, true, false],
      [many, true, false],
      [small, false, false],
      [long, false, false],
    ] as const) {
      const disk = new MemoryDisk();
      assert.equal(write(disk, content, { compression, hasDigest, hasZxidTrailer }), null);
      const path = `${DIRECTORY}/snapshot.100000004${compression === 'none' ? '' : `.${compression}`}`;
      assert.deepEqual(disk.paths(), [path]);
      const { lines, error, damage } = readBack(disk, path);
      assert.equal(error, null);
      assert.equal(damage, null);
      assert.equal(lines.length, 2 + 1 + content.nodeCount + 1);
      const digest = hasDigest ? '100000004 v2' : '0 v0';
      assert.ok(lines.at(-1)?.startsWith(`end 100000004 ${digest}`));
      assert.equal(lines[1], 'session ffffffff00000007 4000');
    }
  }
});

test('section 8 without section 7, as Apache 3.9 writes it with digests off, is understood', () => {
  const disk = new MemoryDisk();
  write(disk, { nodeCount: 2, dataBytes: 5 });
  const both = disk.get(`${DIRECTORY}/snapshot.100000004`) as Uint8Array;
  // Without section 7 (33 bytes) the seal of section 8 covers other bytes: make it anew.
  const body = both.slice(0, both.length - 33 - 21);
  const alone = Buffer.concat([body, both.slice(both.length - 21, both.length - 13), Buffer.alloc(4)]);
  let low = 1;
  let high = 0;
  for (const byte of alone.subarray(0, alone.length - 4)) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  const seal = Buffer.alloc(9);
  seal.writeUInt32BE((high * 65536 + low) >>> 0, 0);
  seal.writeInt32BE(1, 4);
  seal.writeUInt8(0x2f, 8);
  const { isWhole, lines, parser } = parse(Buffer.concat([alone, seal]));
  assert.ok(isWhole, parser.error ?? '');
  assert.equal(lines.at(-1), 'end 100000004 0 v0 0');
});

test('any bit flipped in a plain snapshot is found, and so is any cut and any zeroed end', (t) => {
  const disk = new MemoryDisk();
  write(disk, { nodeCount: 6, dataBytes: 30 });
  const ours = disk.get(`${DIRECTORY}/snapshot.100000004`) as Uint8Array;
  let flips = 0;
  let cuts = 0;
  for (const bytes of [freshBytes, laterBytes, ours]) {
    const { lines } = parse(bytes);
    const damaged = bytes.slice();
    for (let offset = 0; offset < bytes.length; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        damaged[offset] ^= 1 << bit;
        assert.equal(parse(damaged).isWhole, false, `bit ${bit} at ${offset}`);
        damaged[offset] ^= 1 << bit;
        flips++;
      }
      // Cut exactly behind a seal it is the snapshot of an older version: whole, without the later sections.
      const cut = parse(bytes.slice(0, offset));
      if (cut.isWhole) assert.deepEqual(cut.lines.slice(0, -1), lines.slice(0, -1));
      const zeroed = bytes.slice();
      zeroed.fill(0, offset);
      const isChanged = zeroed.some((byte, i) => byte !== bytes[i]);
      assert.equal(parse(zeroed).isWhole, !isChanged);
      cuts++;
    }
  }
  t.diagnostic(`${flips} flips, ${cuts} cuts and zeroed ends`);
});

test('any bit flipped in a compressed snapshot is found, or changes nothing', (t) => {
  for (const compression of ['gz', 'snappy'] as const) {
    const disk = new MemoryDisk();
    write(disk, { nodeCount: 12, dataBytes: 50 }, { compression });
    const path = `${DIRECTORY}/snapshot.100000004.${compression}`;
    const bytes = disk.get(path) as Uint8Array;
    const { lines } = readBack(disk, path);
    let same = 0;
    let found = 0;
    for (let offset = 0; offset < bytes.length; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = bytes.slice();
        damaged[offset] ^= 1 << bit;
        disk.put(path, damaged);
        const outcome = readBack(disk, path);
        assert.equal(outcome.error, null);
        if (outcome.damage !== null) found++;
        else {
          assert.deepEqual(outcome.lines, lines);
          same++;
        }
      }
      disk.put(path, bytes.slice(0, offset));
      assert.notEqual(readBack(disk, path).damage, null, `${compression} cut at ${offset}`);
    }
    assert.ok(found > 10 * same);
    t.diagnostic(
      `${compression}: ${found} flips found, ${same} without effect (header fields, copies of equal bytes), ${bytes.length} cuts found`,
    );
  }
});

test('what follows the end is damage', () => {
  for (const extra of [1, 12, 21, 33, 500]) {
    assert.equal(parse(Buffer.concat([laterBytes, Buffer.alloc(extra, 1)])).isWhole, false);
  }
});

test('a refusing sink makes it damaged', () => {
  const sink = new RecordingSink();
  sink.onNode = () => false;
  const parser = new SnapshotParser(sink, 0);
  assert.equal(parser.push(freshBytes, 0, freshBytes.length), false);
  assert.match(parser.error ?? '', /refused/);
});

test('the file appears under its name only when it is whole and synced', () => {
  const disk = new MemoryDisk();
  write(disk, { nodeCount: 2, dataBytes: 5 });
  assert.deepEqual(disk.journal, [
    `open ${TEMPORARY}`,
    `write ${TEMPORARY}`,
    `sync ${TEMPORARY}`,
    `close ${TEMPORARY}`,
    `rename ${TEMPORARY}`,
    `syncDirectory ${DIRECTORY}`,
  ]);
});

test('a large one is synced on its way, so that the last sync is short', () => {
  const disk = new MemoryDisk();
  write(disk, { nodeCount: 130, dataBytes: 200_000 });
  const bytes = disk.get(`${DIRECTORY}/snapshot.100000004`)?.length ?? 0;
  const syncCount = disk.journal.filter((line) => line.startsWith('sync ')).length;
  assert.equal(syncCount, Math.floor(bytes / (8 * 1024 * 1024)) + 1);
  assert.equal(syncCount, 3);
  disk.journal.length = 0;
  disk.failNext('sync', 'snapshot', 'io');
  assert.equal(write(disk, { nodeCount: 130, dataBytes: 200_000 })?.code, 'io');
  assert.deepEqual(disk.journal.slice(-2), [`close ${TEMPORARY}`, `remove ${TEMPORARY}`]);
});

test('the backlog counts what is handed over and not yet written', () => {
  const disk = new MemoryDisk();
  const writer = start(disk);
  fill(writer, { nodeCount: 900, dataBytes: 1000 });
  const handedOver = writer.backlogBytes;
  assert.ok(handedOver > 500_000);
  disk.run();
  assert.equal(writer.backlogBytes, 0);
  writer.finish(0, 0, 0, () => {});
  disk.run();
  assert.equal(writer.backlogBytes, 0);
  assert.equal(readBack(disk, `${DIRECTORY}/snapshot.100000004`).damage, null);
});

test('any disk error is reported by finish, and leaves no file', () => {
  const places: [MemoryOperation, number][] = [
    ['open', 0],
    ['write', 0],
    ['write', 2],
    ['sync', 0],
    ['rename', 0],
  ];
  for (const [operation, skip] of places) {
    for (const compression of ['none', 'snappy'] as const) {
      const disk = new MemoryDisk();
      disk.failNext(operation, 'snapshot', 'no-space', skip);
      const error = write(disk, { nodeCount: 1500, dataBytes: 1000 }, { compression });
      if (compression === 'snappy' && skip === 2) continue;
      assert.equal(error?.code, 'no-space', `${operation} ${skip}`);
      if (operation !== 'rename') assert.deepEqual(disk.paths(), []);
    }
  }
  const disk = new MemoryDisk();
  assert.match(write(disk, { nodeCount: 1, dataBytes: 1 }, { compression: 'gz', gzip: null })?.message ?? '', /gzip/);
  assert.deepEqual(disk.paths(), []);
});

test('abort removes the temporary file, whenever it comes', () => {
  for (let steps = 0; steps < 8; steps++) {
    const disk = new MemoryDisk();
    const writer = start(disk);
    fill(writer, { nodeCount: 900, dataBytes: 1000 });
    for (let i = 0; i < steps; i++) disk.step();
    let isDone = false;
    writer.abort(() => {
      isDone = true;
    });
    disk.run();
    assert.ok(isDone);
    assert.deepEqual(disk.paths(), []);
    assert.equal(writer.backlogBytes, 0);
  }
});
