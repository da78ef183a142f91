import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Prng } from '@zoots/base';
import { NOT_FOUND, PathIndex } from './path-index.js';

/** Paths are one byte pair, the number of their id, so that any of them may have any hash. */
const rows = {
  hasPath: (id: number, bytes: Uint8Array, start: number, length: number): boolean =>
    length === 2 && bytes[start] === id >>> 8 && bytes[start + 1] === (id & 0xff),
  haveSamePath: (one: number, other: number): boolean => one === other,
};

function pathOf(id: number): Uint8Array {
  return Uint8Array.of(id >>> 8, id & 0xff);
}

test('a random history equals a Map, however the hashes collide', () => {
  // All different; few, so that many paths share each; crowded at the end of a table, so that probing goes round.
  const kinds = [(n: number) => n, (n: number) => (n & 15) * 0x2000001, (n: number) => 0x3fffff - (n & 7)];
  for (const [seed, hashOf] of kinds.entries()) {
    const prng = new Prng(seed + 1);
    const index = new PathIndex(rows);
    const model = new Map<number, number>();
    for (let step = 0; step < 20_000; step++) {
      const id = prng.below(700);
      const hash = model.get(id);
      assert.equal(
        index.find(hash ?? hashOf(prng.uint32()) | 0, pathOf(id), 0, 2),
        hash === undefined ? NOT_FOUND : id,
      );
      if (hash !== undefined && prng.chance(step % 4000 < 2000 ? 0.3 : 0.9)) {
        index.remove(hash, id);
        model.delete(id);
      } else if (hash === undefined) {
        const fresh = hashOf(prng.uint32()) | 0;
        index.add(fresh, id);
        model.set(id, fresh);
      }
    }
    for (const [id, hash] of model) assert.equal(index.find(hash, pathOf(id), 0, 2), id);
    index.clear();
    for (const [id, hash] of model) assert.equal(index.find(hash, pathOf(id), 0, 2), NOT_FOUND);
  }
});

test('what was not put in cannot be removed', () => {
  const index = new PathIndex(rows);
  index.add(5, 1);
  assert.throws(() => index.remove(5, 2), /was in the index/);
});

test('what a load appends is found at any time, and can be removed', () => {
  // Of each table nothing, little, or more than is held back; the hashes of the last kind collide.
  const kinds = [(n: number) => n, (n: number) => n & 0x7fffff, (n: number) => (n & 3) * 0x40000001];
  for (const [seed, hashOf] of kinds.entries()) {
    const prng = new Prng(seed + 1);
    const index = new PathIndex(rows);
    const model = new Map<number, number>();
    for (let id = 0; id < 5000; id++) {
      const hash = hashOf(prng.uint32()) | 0;
      index.append(hash, id);
      model.set(id, hash);
      const known = prng.below(id + 1);
      if (prng.chance(0.01)) assert.equal(index.find(model.get(known) ?? 0, pathOf(known), 0, 2), known);
    }
    const [[first, hash]] = [...model] as [[number, number]];
    index.remove(hash, first);
    model.delete(first);
    assert.equal(index.find(hash, pathOf(first), 0, 2), NOT_FOUND);
    assert.equal(index.finishLoad(), NOT_FOUND);
    for (const [id, hash] of model) assert.equal(index.find(hash, pathOf(id), 0, 2), id);
  }
});

test('a path that is appended twice is noticed at the end', () => {
  for (const count of [10, 1000, 3000]) {
    for (const twice of [0, count >> 1, count - 1]) {
      const index = new PathIndex(rows);
      const hashOf = (id: number): number => Math.imul(id, 0x9e3779b1) & 0xffffff;
      for (let id = 0; id < count; id++) index.append(hashOf(id), id);
      index.append(hashOf(twice), twice);
      assert.equal(index.finishLoad(), twice);
      index.clear();
      index.append(hashOf(twice), twice);
      assert.equal(index.finishLoad(), NOT_FOUND);
    }
  }
});
