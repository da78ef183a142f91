import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Prng } from '@zoots/base';
import { FrameReader } from './frame.js';

function framesOf(prng: Prng, count: number): { stream: Uint8Array; frames: string[] } {
  const frames: Buffer[] = [];
  const parts: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const body = Buffer.alloc(prng.chance(0.1) ? prng.below(3000) : prng.below(40));
    for (let j = 0; j < body.length; j++) body[j] = prng.below(256);
    const head = Buffer.alloc(4);
    head.writeInt32BE(body.length);
    frames.push(body);
    parts.push(head, body);
  }
  return { stream: Buffer.concat(parts), frames: frames.map((frame) => frame.toString('hex')) };
}

test('any chunking yields the same frames, also when the reader is paused and the chunk reused', () => {
  for (let seed = 0; seed < 300; seed++) {
    const prng = new Prng(seed);
    const { stream, frames } = framesOf(prng, 30);
    const reader = new FrameReader();
    const seen: string[] = [];
    const chunk = new Uint8Array(4096);
    let paused = false;
    const drain = (): void => {
      for (;;) {
        if (prng.chance(0.05)) {
          reader.keepRest();
          paused = true;
          return;
        }
        const result = reader.next(10_000);
        if (result === 'more') return;
        assert.equal(result, 'frame');
        seen.push(Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString('hex'));
      }
    };
    for (let at = 0; at < stream.length; ) {
      const size = Math.min(stream.length - at, prng.chance(0.5) ? 1 + prng.below(6) : 1 + prng.below(4000));
      chunk.fill(0xee);
      chunk.set(stream.subarray(at, at + size));
      at += size;
      reader.push(chunk, 0, size);
      drain();
    }
    while (paused) {
      paused = false;
      drain();
    }
    assert.deepEqual(seen, frames, `seed ${seed}`);
    assert.equal(reader.carriedBytes, 0);
  }
});

test('lengths below zero or above the limit are bad, also when the head comes byte by byte', () => {
  for (const length of [-1, -2147483648, 101, 0x72756f6b]) {
    for (const step of [1, 4]) {
      const head = Buffer.alloc(4);
      head.writeInt32BE(length);
      const reader = new FrameReader();
      let result = 'more';
      for (let at = 0; at < 4; at += step) {
        reader.push(head.subarray(at, at + step));
        result = reader.next(100);
      }
      assert.equal(result, 'bad-length');
      assert.equal(reader.lengthField, length);
    }
  }
  const exact = Buffer.alloc(104);
  exact.writeInt32BE(100);
  const reader = new FrameReader();
  reader.push(exact);
  assert.equal(reader.next(100), 'frame');
});

test('a lying length reserves nothing', () => {
  const reader = new FrameReader();
  const head = Buffer.alloc(8);
  head.writeInt32BE(1_000_000_000);
  reader.push(head);
  assert.equal(reader.next(2_000_000_000), 'more');
  assert.equal(reader.carriedBytes, 8);
});
