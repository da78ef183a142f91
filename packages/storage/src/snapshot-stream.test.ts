import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ByteWriter } from '@zoots/base';
import {
  MemoryDisk,
  RecordingSink,
  readSnapshotFile,
  type SnapshotSections,
  SnapshotStreamReader,
  SnapshotStreamWriter,
  SnapshotWriter,
} from './index.js';

const SNAP_ZXID = 0x1_0000_0002;

/** The parts of a recording: see the fixture's first lines. */
function recorded(): { packet: Uint8Array; stream: Uint8Array; after: Uint8Array } {
  const url = new URL('../src/fixtures/apache-3.8.0-snap-stream.txt', import.meta.url);
  const parts = readFileSync(url, 'utf8')
    .split(/^(?:snap packet|stream|after)$/m)
    .slice(1);
  const [packet, stream, after] = parts.map((hex) => new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex')));
  return { packet: packet as Uint8Array, stream: stream as Uint8Array, after: after as Uint8Array };
}

const { packet, stream, after } = recorded();

interface Outcome {
  readonly lines: string[];
  /** Where in the whole input the next packet begins; -1 if the stream did not end. */
  readonly end: number;
  readonly error: string | null;
  readonly offset: number;
}

/** Pushes `bytes` in pieces that end at `cuts`. */
function read(bytes: Uint8Array, cuts: Iterable<number>): Outcome {
  const sink = new RecordingSink();
  const reader = new SnapshotStreamReader(sink, SNAP_ZXID);
  let start = 0;
  let end = -1;
  for (const cut of [...cuts, bytes.length]) {
    // Each piece in a buffer of its own, which is overwritten afterwards: nobody may keep it.
    const piece = new Uint8Array(cut - start + 5).fill(0xee);
    piece.set(bytes.subarray(start, cut), 3);
    const at = reader.push(piece, 3, 3 + cut - start);
    piece.fill(0xdd);
    if (at >= 0) end = start + at - 3;
    if (at >= 0 || reader.error !== null) break;
    start = cut;
  }
  return { lines: sink.lines, end, error: reader.error, offset: reader.offset };
}

function* everyNth(length: number, step: number): Generator<number> {
  for (let at = step; at < length; at += step) yield at;
}

const hex = (text: string): string => Buffer.from(text).toString('hex');

test('the stream that Apache 3.8.0 sent: sessions, ACLs, nodes, and where the next packet begins', () => {
  assert.deepEqual([...packet.subarray(0, 12)], [0, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0, 2]);
  const { lines, end, error } = read(Buffer.concat([stream, after]), []);
  assert.equal(error, null);
  assert.equal(end, stream.length);
  assert.equal(Buffer.from(after).readInt32BE(0), 10, 'NEWLEADER');
  assert.equal(lines.length, 1 + 2 + 5 + 1);
  assert.equal(lines[0], 'session 100001886b10000 8000');
  assert.deepEqual(
    lines.slice(1, 3).map((line) => line.split(' ').slice(0, 2)),
    [
      ['acl', '1'],
      ['acl', '2'],
    ],
  );
  const nodes = lines.slice(3, 8).map((line) => line.split(' ').slice(1));
  assert.deepEqual(
    nodes.map(([path]) => path),
    ['', hex('/zookeeper'), hex('/zookeeper/config'), hex('/zookeeper/quota'), hex('/foo')],
  );
  assert.match(Buffer.from(nodes[2]?.[1] as string, 'hex').toString(), /^server\.1=.*version=0$/s);
  assert.deepEqual(nodes[4]?.slice(1, 3), [hex('bar'), '2']);
  assert.equal(lines[8], 'end 100000002 0 v0 0');
});

test('in pieces of any size, and cut at every place, it is the same', () => {
  const all = Buffer.concat([stream, after]);
  const whole = read(all, []);
  for (let size = 1; size <= 200; size++) {
    const outcome = read(all, everyNth(all.length, size));
    assert.deepEqual(outcome.lines, whole.lines, `pieces of ${size}`);
    assert.equal(outcome.end, stream.length);
  }
  for (let cut = 0; cut <= all.length; cut++) assert.deepEqual(read(all, [cut]), whole, `cut at ${cut}`);
  assert.equal(read(stream, []).end, stream.length, 'nothing behind');
});

test('a stream that breaks off anywhere has not ended', () => {
  for (let length = 0; length < stream.length; length++) {
    const { end, error, lines } = read(stream.subarray(0, length), everyNth(length, 97));
    assert.deepEqual([end, error], [-1, null], `${length} bytes`);
    assert.ok(!lines.some((line) => line.startsWith('end')));
  }
});

test('a bad signature, a bad length and a bad count are told, with the place', () => {
  for (let at = stream.length - 14; at < stream.length; at++) {
    const bytes = stream.slice();
    bytes[at] ^= 1;
    const outcome = read(bytes, everyNth(bytes.length, 50));
    assert.match(outcome.error ?? '', /signature/);
    assert.deepEqual([outcome.end, outcome.offset], [-1, stream.length - 14]);
    assert.ok(!outcome.lines.some((line) => line.startsWith('end')));
  }
  const cases: [number, number[], RegExp][] = [
    [0, [0xff, 0xff, 0xff, 0xff], /negative session count/],
    [16, [0x80, 0, 0, 0], /negative acl count/],
    [28, [0xff, 0xff, 0xff, 0xfe], /negative/],
    [36, [0xff, 0xff, 0xff, 0xff], /impossible length/],
    [36, [0x7f, 0xff, 0xff, 0xff], /impossible length/],
  ];
  for (const [at, four, pattern] of cases) {
    const bytes = stream.slice();
    bytes.set(four, at);
    assert.match(read(bytes, []).error ?? '', pattern, `at ${at}`);
  }
});

test('any flipped bit is read, refused, or waited for, and never read beyond what came', () => {
  let counts = { ended: 0, refused: 0, waiting: 0 };
  for (let at = 0; at < stream.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const bytes = stream.slice();
      bytes[at] ^= 1 << bit;
      const { end, error } = read(bytes, everyNth(bytes.length, 333));
      if (error !== null) counts = { ...counts, refused: counts.refused + 1 };
      else if (end >= 0) counts = { ...counts, ended: counts.ended + 1 };
      else counts = { ...counts, waiting: counts.waiting + 1 };
      assert.ok(end <= bytes.length);
    }
  }
  // There is no checksum: a flip in data, stats or ids passes.
  assert.ok(counts.ended > 1000 && counts.refused > 100 && counts.waiting > 100, JSON.stringify(counts));
});

test('a sink that refuses a node or the whole ends the reading', () => {
  const sink = new RecordingSink();
  let nodeCount = 0;
  sink.onNode = () => ++nodeCount < 3;
  const reader = new SnapshotStreamReader(sink, SNAP_ZXID);
  assert.equal(reader.push(stream, 0, stream.length), -1);
  assert.match(reader.error ?? '', /refused/);
  assert.equal(nodeCount, 3);
  assert.equal(reader.push(stream, 0, stream.length), -1);
  const atEnd = new RecordingSink();
  atEnd.onSnapshotEnd = () => false;
  const last = new SnapshotStreamReader(atEnd, SNAP_ZXID);
  assert.equal(last.push(stream, 0, stream.length), -1);
  assert.match(last.error ?? '', /refused/);
  assert.equal(last.isEnded, false);
});

test('lengths are not believed: memory grows with what arrives, up to a bound', () => {
  // A node whose data claims 200 MiB, of which a little comes.
  const head = new ByteWriter();
  head.int32(0);
  head.int32(0);
  head.string('');
  head.int32(200 * 1024 * 1024);
  const before = process.memoryUsage().arrayBuffers;
  const reader = new SnapshotStreamReader(new RecordingSink(), SNAP_ZXID);
  assert.equal(reader.push(head.bytes, 0, head.length), -1);
  for (let i = 0; i < 20; i++) reader.push(new Uint8Array(1000), 0, 1000);
  assert.equal(reader.error, null);
  assert.ok(process.memoryUsage().arrayBuffers - before < 20_000_000);
  // An ACL list that never ends.
  const endless = new ByteWriter();
  endless.int32(0);
  endless.int32(1);
  endless.long(1);
  endless.int32(0x7fffffff);
  const second = new SnapshotStreamReader(new RecordingSink(), SNAP_ZXID, 1_000_000);
  second.push(endless.bytes, 0, endless.length);
  const zeros = new Uint8Array(600_000);
  second.push(zeros, 0, zeros.length);
  assert.equal(second.error, null);
  second.push(zeros, 0, zeros.length);
  assert.match(second.error ?? '', /impossible length/);
});

/** Some content with nodes of very different sizes; calls `pump` after each. */
function fill(sections: SnapshotSections, pump: () => void): void {
  sections.beginSessions(2);
  sections.session(0x01000018, 0x86b10000, 8000);
  sections.session(-1, 7, 4000);
  sections.beginAcls(1);
  const acl = Buffer.from('000000010000001f00000005776f726c6400000006616e796f6e65', 'hex');
  sections.acl(1, acl, 0, acl.length);
  for (let i = 0; i < 300; i++) {
    const { out } = sections;
    out.string(i === 0 ? '' : `/node-${i}`);
    if (i % 3 === 0) out.buffer(null);
    else out.buffer(new Uint8Array(i === 100 ? 900_000 : (i * 37) % 5000).fill(i));
    out.long(i % 2 === 0 ? -1 : 1);
    for (let field = 0; field < 15; field++) out.int32(i * field);
    pump();
  }
}

test('what is written to a stream is what a file of the same state holds', () => {
  const disk = new MemoryDisk();
  const options = { directory: '/d', compression: 'none', gzip: null, hasDigest: true, hasZxidTrailer: true } as const;
  const file = new SnapshotWriter(disk, options, SNAP_ZXID);
  disk.run();
  fill(file, () => file.pump());
  file.finish(0, 0, 0, (error) => assert.equal(error, null));
  disk.run();
  const fromFile = new RecordingSink();
  readSnapshotFile(disk, '/d/snapshot.100000002', fromFile, (error, damage) =>
    assert.deepEqual([error, damage], [null, null]),
  );
  disk.run();

  const writer = new SnapshotStreamWriter();
  const received = new ByteWriter();
  fill(writer, () => {
    // The learner takes a little at a time, sometimes nothing.
    if (writer.backlogBytes > 20_000) writer.takeInto(received, 9_000);
  });
  assert.equal(writer.isEnded, false);
  writer.finish();
  while (writer.backlogBytes > 0) assert.ok(writer.takeInto(received, 7_777) > 0);
  assert.ok(writer.isEnded);
  assert.equal(writer.takeInto(received, 100), 0);
  assert.equal(writer.takenBytes, received.length);
  assert.ok(writer.out.bytes.length < 400_000, 'the large buffer is let go');
  received.raw(Uint8Array.of(1, 2, 3));
  const outcome = read(received.toBytes(), everyNth(received.length, 10_007));
  assert.equal(outcome.error, null);
  assert.equal(outcome.end, received.length - 3);
  assert.deepEqual(outcome.lines.slice(0, -1), fromFile.lines.slice(0, -1));
  assert.throws(() => writer.finish(), /finished already/);
  const bytes = (disk.get('/d/snapshot.100000002') as Uint8Array).subarray(16);
  assert.deepEqual(received.toBytes().subarray(0, outcome.end - 14), bytes.slice(0, outcome.end - 14));
});
