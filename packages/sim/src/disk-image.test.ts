import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '@zoots/base';
import { DiskImage, Inode, SECTOR_BYTES } from './disk-image.js';

const sector = (value: number): Uint8Array => new Uint8Array(SECTOR_BYTES).fill(value);

function firstBytes(inode: Inode, count: number): number[] {
  return Array.from({ length: count }, (_, i) => inode.cached[i * SECTOR_BYTES] as number);
}

test('what was synced survives every power cut; of the rest any subset of sectors does', () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const inode = new Inode(1);
    inode.write(0, sector(1), 0, SECTOR_BYTES);
    inode.endSync(inode.beginSync());
    inode.write(SECTOR_BYTES, sector(2), 0, SECTOR_BYTES);
    inode.write(2 * SECTOR_BYTES, sector(3), 0, SECTOR_BYTES);
    inode.powerCut(new Prng(seed), 0.5, false);
    const bytes = firstBytes(inode, 3).map((byte) => byte ?? 0);
    assert.equal(bytes[0], 1);
    outcomes.add(`${bytes} of ${inode.cachedLength / SECTOR_BYTES}`);
  }
  // The last sector without the one before it, both, none; the length old or new.
  for (const outcome of ['1,0,0 of 1', '1,0,3 of 3', '1,2,3 of 3', '1,2,0 of 3'])
    assert.ok(outcomes.has(outcome), outcome);
});

test('a torn write arrives up to some byte, and never changes what was there before it', () => {
  const lengths = new Set<number>();
  for (let seed = 0; seed < 300; seed++) {
    const inode = new Inode(1);
    inode.write(0, sector(1), 0, 100);
    inode.endSync(inode.beginSync());
    inode.write(100, sector(2), 0, 300);
    inode.powerCut(new Prng(seed), 1, true);
    const bytes = [...inode.cached.subarray(0, inode.cachedLength)];
    assert.ok(bytes.slice(0, 100).every((byte) => byte === 1));
    const arrived = bytes.filter((byte) => byte === 2).length;
    assert.ok(bytes.slice(100, 100 + arrived).every((byte) => byte === 2));
    lengths.add(arrived);
  }
  assert.ok(lengths.size > 50, 'cuts fall everywhere');
});

test('a sync covers what was written before it began', () => {
  const inode = new Inode(1);
  inode.write(0, sector(1), 0, SECTOR_BYTES);
  const capture = inode.beginSync();
  inode.write(0, sector(2), 0, SECTOR_BYTES);
  inode.endSync(capture);
  assert.ok(!inode.isClean);
  inode.powerCut(new Prng(1), 0, false);
  assert.equal(inode.cached[0], 1);
});

test('a failed sync loses something, and the cache may go on showing it', () => {
  let shownAndLost = 0;
  for (let seed = 0; seed < 50; seed++) {
    const inode = new Inode(1);
    inode.write(0, sector(1), 0, SECTOR_BYTES);
    inode.failSync(inode.beginSync(), new Prng(seed), true);
    const shown = inode.cached.slice(0, inode.cachedLength);
    assert.ok(shown.every((byte) => byte === 1));
    inode.powerCut(new Prng(seed), 1, false);
    if (inode.cached.subarray(0, inode.cachedLength).every((byte) => byte === 0)) shownAndLost++;
  }
  assert.ok(shownAndLost > 5);
});

test('names are durable only after their directory is synced', () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const image = new DiskImage();
    image.create('/d/kept').write(0, sector(1), 0, 4);
    image.syncDirectory('/d');
    assert.ok(image.isNameDurable('/d/kept'));
    image.create('/d/new');
    assert.ok(!image.isNameDurable('/d/new'));
    image.rename('/d/kept', '/d/moved');
    image.powerCut(new Prng(seed), false);
    outcomes.add([...image.names.keys()].sort().join(' '));
  }
  for (const outcome of ['/d/kept', '/d/moved', '/d/kept /d/new', '/d/moved /d/new'])
    assert.ok(outcomes.has(outcome), outcome);
  assert.equal(outcomes.size, 4);
});

test('a flipped bit is flipped on both sides, and back', () => {
  const inode = new Inode(1);
  inode.write(0, sector(1), 0, SECTOR_BYTES);
  inode.endSync(inode.beginSync());
  inode.flipBit(5, 3);
  assert.equal(inode.cached[5], 9);
  assert.ok(inode.isDurable(0, SECTOR_BYTES));
  inode.flipBit(5, 3);
  assert.equal(inode.durable[5], 1);
});
