import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParkingLot } from './parking.js';

/** A frame that tells its number and length. */
function frameOf(number: number): Uint8Array {
  return new Uint8Array(1 + (number % 200)).fill(number % 251);
}

function checkHead(lot: ParkingLot, number: number): void {
  assert.equal(lot.afterWrites, number * 2);
  assert.equal(lot.receivedMs, number * 3);
  assert.deepEqual(lot.bytes.slice(lot.start, lot.end), frameOf(number));
}

test('requests leave a parking lot as they came, also when it is never empty', () => {
  const lot = new ParkingLot();
  let next = 0;
  let served = 0;
  for (let round = 0; round < 400; round++) {
    const count = 1 + ((round * 7) % 13);
    for (let i = 0; i < count; i++, next++) {
      const frame = frameOf(next);
      lot.push(frame, 0, frame.length, next * 2, next * 3);
      frame.fill(255);
    }
    for (; next - served > 1 + (round % 5); served++) {
      checkHead(lot, served);
      lot.shift();
    }
    assert.equal(lot.length, next - served);
  }
  assert.ok(lot.bytes.length < 64 * 1024, `frames of ${next} requests were kept: ${lot.bytes.length} bytes`);
  for (; served < next; served++) {
    checkHead(lot, served);
    lot.shift();
  }
  assert.equal(lot.length, 0);
});

test('a frame stays readable after it has left, until the next one comes', () => {
  const lot = new ParkingLot();
  const chunk = Buffer.from('a read');
  lot.push(chunk, 0, chunk.length, 1, 0);
  chunk.fill(0);
  const { bytes, start, end } = lot;
  lot.shift();
  assert.equal(lot.length, 0);
  assert.equal(Buffer.from(bytes.subarray(start, end)).toString(), 'a read');
});
