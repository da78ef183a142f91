/**
 * Damage to a log, everywhere: cut, zeroed from, one sector zeroed, one bit flipped, and batches of which a crash left
 * only some sectors. The outcome of recovery must be every record, or (where a crash explains the damage) all but the
 * last ones, or a refusal: never anything else.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '@zoots/base';
import { MemoryDisk, RecordingSink, type RecoveryError, type RecoveryResult, recover, TxnLog } from './index.js';

const DIRECTORY = '/data/version-2';
const LOG = `${DIRECTORY}/log.1`;

/** xorshift32: the same sweep every time. */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

/** How the bytes behind an entry's header look. */
type Content = 'noise' | 'zeros' | 'mixed';

function entryOf(zxid: number, length: number, content: Content, dice: Dice): Uint8Array {
  const writer = new ByteWriter(length);
  writer.longPair(0x18bcfe56, 0x08000000);
  writer.int32(zxid);
  writer.long(zxid);
  writer.long(1_700_000_000_000 + zxid);
  writer.int32(1);
  while (writer.length < length) {
    const isZero = content === 'zeros' || (content === 'mixed' && writer.length % 1400 > 100);
    writer.int8(isZero ? 0 : dice.below(256));
  }
  return writer.toBytes();
}

/** Batches of entry lengths. */
type Plan = readonly (readonly number[])[];

interface Built {
  /** The file after each batch, the last one finished (closed) or not. */
  readonly images: Uint8Array[];
  /** Where the records begin. */
  readonly offsets: number[];
  /** Behind the last record. */
  readonly end: number;
  readonly entries: string[];
  /** How many records each image holds. */
  readonly counts: number[];
}

function build(plan: Plan, content: Content, isFinished: boolean, preallocateBytes = 4096): Built {
  const disk = new MemoryDisk();
  const log = new TxnLog(
    disk,
    { directory: DIRECTORY, preallocateBytes, sizeLimitBytes: 0, forceSync: true },
    { onDurable: () => {}, onFailed: (error) => assert.fail(error.message) },
  );
  const dice = new Dice(7);
  const offsets: number[] = [];
  const entries: string[] = [];
  const images: Uint8Array[] = [];
  const counts: number[] = [];
  let end = 16;
  for (const batch of plan) {
    for (const length of batch) {
      const entry = entryOf(offsets.length + 1, length, content, dice);
      log.batch.openEntry().raw(entry);
      log.batch.closeEntry(offsets.length + 1);
      entries.push(Buffer.from(entry).toString('hex'));
      offsets.push(end);
      end += 13 + length;
    }
    log.flush();
    disk.run();
    images.push(disk.get(LOG) as Uint8Array);
    counts.push(entries.length);
  }
  if (isFinished) {
    log.close(() => {});
    disk.run();
    images[images.length - 1] = disk.get(LOG) as Uint8Array;
  }
  return { images, offsets, end, entries, counts };
}

interface Outcome {
  /** Records recovered; -1 for a refusal. */
  readonly count: number;
  readonly error: RecoveryError | null;
  readonly result: RecoveryResult | null;
  readonly disk: MemoryDisk;
}

function recoverDisk(disk: MemoryDisk, built: Built): Outcome {
  const sink = new RecordingSink();
  let error: RecoveryError | null = null;
  let result: RecoveryResult | null = null;
  let calls = 0;
  recover(
    disk,
    {
      snapshotDirectory: DIRECTORY,
      logDirectory: DIRECTORY,
      trustEmptySnapshot: true,
      autocreateDatabase: true,
      allowGaps: false,
      gzip: null,
    },
    sink,
    (e, r) => {
      error = e;
      result = r;
      calls++;
    },
  );
  disk.run();
  assert.equal(calls, 1);
  if (error !== null || result === null) return { count: -1, error, result: null, disk };
  const lines = sink.lines.map((line) => line.split(' ')[2]);
  assert.deepEqual(lines, built.entries.slice(0, lines.length), 'what is recovered is a prefix of what was written');
  assert.equal((result as RecoveryResult).txnCount, lines.length);
  assert.equal((result as RecoveryResult).lastZxid, lines.length);
  return { count: lines.length, error: null, result, disk };
}

function recoverImage(image: Uint8Array, built: Built): Outcome {
  const disk = new MemoryDisk();
  disk.put(LOG, image);
  return recoverDisk(disk, built);
}

/** There is no snapshot here, which recovery remarks on. */
function repairsOf(outcome: Outcome): string[] {
  return (outcome.result?.repairs ?? []).filter((text) => !text.startsWith('no snapshot'));
}

/** After a repair, a second recovery finds the same and has nothing to repair. */
function checkRepaired(outcome: Outcome, built: Built): void {
  const again = recoverDisk(outcome.disk, built);
  assert.equal(again.count, outcome.count);
  assert.deepEqual(repairsOf(again), []);
}

/** Records that lie wholly before `offset`. */
function wholeBefore(built: Built, offset: number): number {
  const ends = [...built.offsets.slice(1), built.end];
  return ends.filter((end) => end <= offset).length;
}

const PLAN: Plan = [[48, 91], [86], [63, 700, 83], [48, 132, 54], [1500], [40, 33, 512]];
const TOTAL = PLAN.flat().length;
/** The finished file: 6 batches, 3.5 KB of records, zeros up to 8 KiB. */
const finished = new Map<Content, Built>();
for (const content of ['noise', 'zeros', 'mixed'] as const) finished.set(content, build(PLAN, content, true));

function lastImage(built: Built): Uint8Array {
  return built.images.at(-1) as Uint8Array;
}

const isFull = process.env.ZOOTS_SWEEP === 'full';

/**
 * The offsets to damage: every one within the records and around their end; of the padding behind, every 37th. With
 * ZOOTS_SWEEP=full, every single one.
 */
function offsetsOf(built: Built): number[] {
  const offsets: number[] = [];
  for (let offset = 0; offset < lastImage(built).length; offset++) {
    if (isFull || offset < built.end + 20 || offset % 37 === 0 || offset % 512 === 0) offsets.push(offset);
  }
  return offsets;
}

/** The bits to flip there: all of them in the file's header and in checksums, lengths and headers of records, elsewhere one. */
function bitsOf(built: Built, offset: number): number[] {
  const isField = offset < 16 || built.offsets.some((start) => offset >= start && offset < start + 48);
  return isFull || isField ? [0, 1, 2, 3, 4, 5, 6, 7] : [offset % 8];
}

function tally(): { all: number; prefix: number; refused: number } {
  return { all: 0, prefix: 0, refused: 0 };
}

function count(into: ReturnType<typeof tally>, outcome: Outcome): void {
  if (outcome.count === TOTAL) into.all++;
  else if (outcome.count < 0) into.refused++;
  else into.prefix++;
}

test('undamaged: every record, nothing to repair', () => {
  for (const built of finished.values()) {
    const outcome = recoverImage(lastImage(built), built);
    assert.equal(outcome.count, TOTAL);
    assert.deepEqual(repairsOf(outcome), []);
  }
});

test('cut at every offset: exactly the records before it, durably', (t) => {
  for (const [content, built] of finished) {
    const counts = tally();
    const image = lastImage(built);
    for (const offset of offsetsOf(built)) {
      const outcome = recoverImage(image.slice(0, offset), built);
      // A record that lacks only its end byte is whole.
      const complete = built.offsets.filter(
        (start, i) => offset === start + 12 + (built.entries[i] as string).length / 2,
      );
      assert.equal(outcome.count, wholeBefore(built, offset) + complete.length, `${content} cut at ${offset}`);
      checkRepaired(outcome, built);
      count(counts, outcome);
    }
    t.diagnostic(`${content}: ${JSON.stringify(counts)}`);
  }
});

test('zeroed from every offset: exactly the records before it, durably', (t) => {
  for (const [content, built] of finished) {
    const counts = tally();
    for (let offset = 0; offset < built.end; offset++) {
      const image = lastImage(built).slice();
      image.fill(0, offset);
      const outcome = recoverImage(image, built);
      const atLeast = wholeBefore(built, offset);
      // Zeroing bytes that are zero already may leave more.
      assert.ok(outcome.count >= atLeast && outcome.count <= atLeast + 1, `${content} zeroed from ${offset}`);
      if (content === 'noise' && outcome.count > atLeast)
        assert.ok(built.offsets.includes(offset + 1) || offset === built.end - 1);
      checkRepaired(outcome, built);
      count(counts, outcome);
    }
    t.diagnostic(`${content}: ${JSON.stringify(counts)}`);
  }
});

test('one bit flipped at every offset: every record, or a refusal that names the place', (t) => {
  for (const [content, built] of finished) {
    const counts = tally();
    const image = lastImage(built).slice();
    let flipCount = 0;
    for (const offset of offsetsOf(built)) {
      for (const bit of bitsOf(built, offset)) {
        if (offset >= 16 && offset < built.end) flipCount++;
        image[offset] ^= 1 << bit;
        const outcome = recoverImage(image, built);
        image[offset] ^= 1 << bit;
        count(counts, outcome);
        assert.ok(outcome.count === TOTAL || outcome.count < 0, `${content} bit ${bit} at ${offset}: ${outcome.count}`);
        if (outcome.error === null) continue;
        assert.equal(outcome.error.file, LOG);
        assert.ok(outcome.error.offset <= offset);
        assert.ok(outcome.error.remedy.length > 20);
      }
    }
    assert.equal(counts.prefix, 0);
    assert.ok(flipCount >= built.end - 16 && counts.refused >= flipCount, 'a flip within the records never passes');
    t.diagnostic(`${content}: ${JSON.stringify(counts)}`);
  }
});

test('one sector zeroed, aligned or not: every record, a refusal, or all but the last record', (t) => {
  for (const [content, built] of finished) {
    const aligned = tally();
    const unaligned = tally();
    for (const offset of offsetsOf(built)) {
      const image = lastImage(built).slice();
      image.fill(0, offset, offset + 512);
      const outcome = recoverImage(image, built);
      count(offset % 512 === 0 ? aligned : unaligned, outcome);
      const isLastHit = offset + 512 > (built.offsets.at(-1) as number);
      // The batch in flight at a crash could look just so: nothing valid lies behind the hole.
      const floor = isLastHit ? wholeBefore(built, offset) : TOTAL;
      assert.ok(outcome.count < 0 || outcome.count >= floor, `${content} sector at ${offset}: ${outcome.count}`);
    }
    t.diagnostic(`${content}: aligned ${JSON.stringify(aligned)}, unaligned ${JSON.stringify(unaligned)}`);
  }
});

test('a crash during a batch, whatever sectors of it arrived: all of the batches before, never a refusal', (t) => {
  const plans: [Plan, number][] = [
    [PLAN, 4096],
    [[[60], [400, 400, 400, 400, 400, 400]], 8192],
    [
      [
        [33, 440],
        [2000, 40, 40, 40, 3000, 40],
      ],
      8192,
    ],
    [[[484], [60, 600, 60, 600]], 8192],
    [[[478], [600, 60, 600, 60]], 8192],
  ];
  const dice = new Dice(99);
  let runs = 0;
  let kept = 0;
  for (const content of ['noise', 'zeros', 'mixed'] as const) {
    for (const [plan, room] of plans) {
      const built = build(plan, content, false, room);
      for (let i = 1; i < built.images.length; i++) {
        const before = built.images[i - 1] as Uint8Array;
        const after = built.images[i] as Uint8Array;
        for (let run = 0; run < 150; run++) {
          const image = new Uint8Array(dice.below(2) === 0 ? after.length : Math.max(before.length, 512));
          image.set(before);
          const share = 1 + dice.below(4);
          for (let sector = 0; sector < image.length; sector += 512) {
            if (dice.below(4) < share) image.set(after.subarray(sector, Math.min(sector + 512, image.length)), sector);
          }
          const outcome = recoverImage(image, built);
          const why = `${content} batch ${i} of ${JSON.stringify(plan)}: ${JSON.stringify(outcome.error)}`;
          assert.ok(outcome.count >= (built.counts[i - 1] as number), why);
          assert.ok(outcome.count <= (built.counts[i] as number), why);
          checkRepaired(outcome, built);
          if (outcome.count > (built.counts[i - 1] as number)) kept++;
          runs++;
        }
      }
    }
  }
  t.diagnostic(`${runs} crashes, ${kept} of them kept unacknowledged records`);
});

test('a crash that tears a batch at any byte: all of the batches before, then a prefix', (t) => {
  let runs = 0;
  for (const content of ['noise', 'zeros'] as const) {
    const built = build(PLAN, content, false);
    for (let i = 1; i < built.images.length; i++) {
      const before = built.images[i - 1] as Uint8Array;
      const after = built.images[i] as Uint8Array;
      const from = built.offsets[built.counts[i - 1] as number] as number;
      const to = built.offsets[built.counts[i] as number] ?? built.end;
      for (let tear = from; tear <= to; tear++) {
        const image = after.slice();
        image.fill(0, tear);
        // The mark may or may not have arrived.
        if (tear % 2 === 0) image.set(before.subarray(8, 16), 8);
        const outcome = recoverImage(image, built);
        assert.ok(outcome.count >= (built.counts[i - 1] as number), `${tear}: ${JSON.stringify(outcome.error)}`);
        runs++;
      }
    }
  }
  t.diagnostic(`${runs} tears`);
});

test('a sector that vanishes from what was durable before the last batch is refused, in an unfinished file too', (t) => {
  const counts = tally();
  for (const content of ['noise', 'zeros', 'mixed'] as const) {
    const built = build(PLAN, content, false);
    const image = lastImage(built);
    const durable = built.offsets[built.counts.at(-2) as number] as number;
    for (let sector = 512; sector + 512 <= durable; sector += 512) {
      const damaged = image.slice();
      damaged.fill(0, sector, sector + 512);
      const outcome = recoverImage(damaged, built);
      count(counts, outcome);
      assert.ok(outcome.count < 0 || outcome.count === TOTAL, `${content} ${sector}`);
    }
    for (let offset = 17; offset < durable; offset++) {
      const damaged = image.slice();
      damaged.fill(0, offset);
      const isAtRecord = built.offsets.includes(offset);
      const outcome = recoverImage(damaged, built);
      count(counts, outcome);
      assert.ok(
        outcome.count < 0 || (!isAtRecord && content === 'zeros'),
        `${content} zeroed from ${offset}: ${outcome.count}`,
      );
    }
  }
  t.diagnostic(JSON.stringify(counts));
});
