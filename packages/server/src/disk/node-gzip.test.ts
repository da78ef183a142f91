import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import type { Codec } from '@zoots/storage';
import { nodeGzip } from './node-gzip.js';

/** Pushes `input` in pieces; resolves with the output, or rejects with the codec's error. */
async function through(kind: 'compressor' | 'decompressor', input: Uint8Array, pieceBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const codec = nodeGzip[kind]((bytes, start, end) => parts.push(Buffer.from(bytes.slice(start, end))));
  for (let at = 0, isLast = false; !isLast; at += pieceBytes) {
    isLast = at + pieceBytes >= input.length;
    await push(codec, input, at, Math.min(at + pieceBytes, input.length), isLast);
  }
  codec.close();
  return Buffer.concat(parts);
}

function push(codec: Codec, bytes: Uint8Array, start: number, end: number, isLast: boolean): Promise<void> {
  return new Promise((resolve, reject) =>
    codec.push(bytes, start, end, isLast, (error) => (error === null ? resolve() : reject(new Error(error)))),
  );
}

const content = Buffer.from(Array.from({ length: 500_000 }, (_, i) => (i * i) >> 7));

test('both ways, in pieces of any size', async () => {
  for (const input of [content, content.subarray(0, 1), content.subarray(0, 0), Buffer.alloc(3_000_000)]) {
    for (const pieceBytes of [1000, 65536, 1 << 20]) {
      const packed = await through('compressor', input, pieceBytes);
      assert.deepEqual(zlib.gunzipSync(packed), Buffer.from(input));
      assert.deepEqual(await through('decompressor', packed, pieceBytes), Buffer.from(input));
    }
  }
});

test('all output of a push has come when its callback comes', async () => {
  const packed = zlib.gzipSync(content);
  let received = 0;
  const codec = nodeGzip.decompressor((_bytes, start, end) => {
    received += end - start;
  });
  await push(codec, packed, 0, packed.length - 100, false);
  const early = received;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(received, early);
  await push(codec, packed, packed.length - 100, packed.length, true);
  assert.equal(received, content.length);
  codec.close();
});

test('damage, an early end, and a stream that goes on are errors', async () => {
  const packed = zlib.gzipSync(content);
  const damaged = Buffer.from(packed);
  damaged[1000] = (damaged[1000] as number) ^ 0x55;
  await assert.rejects(through('decompressor', damaged, 4096), /gzip/);
  await assert.rejects(through('decompressor', packed.subarray(0, packed.length - 3), 4096), /gzip/);
  await assert.rejects(through('decompressor', Buffer.concat([packed, Buffer.from('more')]), 4096), /gzip/);
  await assert.rejects(through('decompressor', Buffer.concat([packed, Buffer.alloc(10_000)]), 4096), /gzip/);
  await assert.rejects(through('decompressor', Buffer.from('nothing of the sort'), 4096), /gzip/);
});

test('closing in the middle calls nobody back', async () => {
  const codec = nodeGzip.compressor(() => {});
  codec.push(content, 0, content.length, true, () => assert.fail('called back after close'));
  codec.close();
  await new Promise((resolve) => setTimeout(resolve, 30));
});
