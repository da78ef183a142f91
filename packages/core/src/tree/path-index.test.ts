import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Prng } from '@zoots/base';
import { NOT_FOUND, PathIndex } from './path-index.js';

/** Paths are one byte pair, the number of their id, so that any of them may have any hash. */
const rows = {
  hasPath: (id: number, bytes: Uint8Array, start: number, length: number): boolean =>
    length === 2 && bytes[start] === id >>> 8 && bytes[start + 1] === (id & 0xff),
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
