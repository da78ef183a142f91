import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ByteWriter, decodeUtf8, encodeUtf8, Prng } from '@zoots/base';
import { Slab } from './slab.js';
import { S, STAT_INTS } from './stat-rows.js';
import { F, NONE, PIN, ROOT, ZnodeStore } from './znode-store.js';

function pathOf(store: ZnodeStore, id: number): string {
  const start = store.pathStart(id);
  return decodeUtf8(store.pathChunk(id), start, start + store.pathLength(id));
}

function dataOf(store: ZnodeStore, id: number): string | null {
  const length = store.dataLength(id);
  if (length < 0) return null;
  const start = store.dataStart(id);
  return decodeUtf8(store.dataChunk(id), start, start + length);
}

test('a random history of attach, detach, data and pins equals a Map', () => {
  const prng = new Prng(21);
  const store = new ZnodeStore(prng.uint32());
  store.attach(ROOT, NONE);
  const model = new Map<string, string | null>([['/', null]]);
  const pinned = new Set<string>();
  const find = (path: string): number => {
    const bytes = encodeUtf8(path);
    return store.find(bytes, 0, bytes.length);
  };
  for (let step = 0; step < 60_000; step++) {
    const paths = [...model.keys()];
    const parent = prng.pick(paths.slice(0, 50));
    const path = `${parent === '/' ? '' : parent}/${prng.below(400)}`;
    const id = find(path);
    const isPresent = id !== NONE && store.isPresent(id);
    assert.equal(isPresent, model.has(path), path);
    if (prng.chance(0.3)) {
      const bytes = encodeUtf8(path);
      const watched = store.intern(bytes, 0, bytes.length);
      if (pinned.delete(path)) store.unpin(watched, PIN.dataWatch);
      else {
        store.pin(watched, PIN.dataWatch);
        pinned.add(path);
      }
      continue;
    }
    const hasChildren = isPresent && store.get(id, F.childCount) > 0;
    if (isPresent && !hasChildren && prng.chance(0.6)) {
      store.detach(id);
      model.delete(path);
    } else if (isPresent) {
      const data = prng.chance(0.2) ? null : 'x'.repeat(prng.chance(0.05) ? prng.below(200_000) : prng.below(300));
      const bytes = encodeUtf8(data ?? '');
      store.setData(id, bytes, data === null ? -1 : 0, bytes.length);
      model.set(path, data);
    } else if (model.size < 3000) {
      const bytes = encodeUtf8(path);
      const made = store.intern(bytes, 0, bytes.length);
      store.attach(made, find(parent));
      store.setData(made, bytes, -1, -1);
      model.set(path, null);
    }
  }
  assert.equal(store.presentCount, model.size);
  let bytes = 0;
  for (const [path, data] of model) {
    const id = find(path);
    assert.equal(pathOf(store, id), path);
    assert.equal(dataOf(store, id), data);
    bytes += data?.length ?? 0;
  }
  assert.equal(store.dataBytes, bytes);
  const reached = new Set<string>();
  const walk = (id: number): void => {
    reached.add(pathOf(store, id));
    let count = 0;
    for (let child = store.get(id, F.firstChild); child !== NONE; child = store.get(child, F.nextSibling)) {
      assert.equal(store.get(child, F.parent), id);
      count++;
      walk(child);
    }
    assert.equal(store.get(id, F.childCount), count);
  };
  walk(ROOT);
  assert.deepEqual([...reached].sort(), [...model.keys()].sort());
});

/** As a create leaves it, in the order of the wire. */
function freshStat(zxid: number, time: number): number[] {
  return [0, zxid, 0, zxid, 7, time, 7, time, 0, 0, 0, 0, 0, 0, zxid];
}

test('stats: fresh, changed, loaded and gone, in any order, equal a Map', () => {
  const prng = new Prng(22);
  const store = new ZnodeStore(1);
  store.attach(ROOT, NONE);
  const model = new Map<number, number[]>();
  const view = new DataView(new ArrayBuffer(4 + STAT_INTS * 4));
  for (let step = 0; step < 50_000; step++) {
    const bytes = encodeUtf8(`/${prng.below(20_000)}`);
    const id = store.intern(bytes, 0, bytes.length);
    const stat = model.get(id);
    if (stat === undefined) {
      store.attach(id, ROOT);
      const made = freshStat(step, prng.below(1_000_000));
      // Some come from a snapshot; half of those were changed before.
      const isLoaded = prng.chance(0.3);
      if (isLoaded && prng.chance(0.5)) made[prng.below(STAT_INTS)] = prng.uint32() | 0;
      if (isLoaded) {
        for (const [i, value] of made.entries()) view.setInt32(4 + i * 4, value);
        store.loadStat(id, view, 4);
      } else store.setFreshStat(id, 0, step, 7, made[S.ctime + 1] as number);
      model.set(id, made);
    } else if (prng.chance(0.3)) {
      store.detach(id);
      model.delete(id);
    } else {
      const field = prng.below(STAT_INTS);
      stat[field] = prng.uint32() | 0;
      store.setStat(id, field, stat[field] as number);
    }
  }
  assert.ok(model.size > 8192, 'more than a page of them');
  for (const [id, expected] of model) {
    const stat = store.statOf(id);
    assert.deepEqual([...stat.subarray(store.statStart, store.statStart + STAT_INTS)], expected);
    const field = prng.below(STAT_INTS);
    assert.equal(store.stat(id, field), expected[field]);
  }
});

test('100,000 paths keep their ids while the index grows', () => {
  const store = new ZnodeStore(1);
  const ids: number[] = [];
  for (let i = 0; i < 100_000; i++) {
    const bytes = encodeUtf8(`/many/${i}`);
    const id = store.intern(bytes, 0, bytes.length);
    store.pin(id, PIN.quota);
    ids.push(id);
  }
  for (let i = 0; i < 100_000; i++) {
    const bytes = encodeUtf8(`/many/${i}`);
    assert.equal(store.find(bytes, 0, bytes.length), ids[i]);
  }
  const missing = encodeUtf8('/many/100000');
  assert.equal(store.find(missing, 0, missing.length), NONE);
});

test('the empty path is the root', () => {
  const store = new ZnodeStore(1);
  assert.equal(store.find(new Uint8Array(0), 0, 0), ROOT);
  assert.equal(store.intern(new Uint8Array(0), 0, 0), ROOT);
});

test('slab values survive each other, in every size class', () => {
  const prng = new Prng(2);
  const slab = new Slab();
  const kept: { handle: number; bytes: Uint8Array }[] = [];
  for (let step = 0; step < 5000; step++) {
    if (kept.length > 200) {
      const [gone] = kept.splice(prng.below(kept.length), 1);
      slab.release(gone!.handle, gone!.bytes.length);
    }
    const size = prng.chance(0.02) ? prng.below(300_000) : prng.below(2000);
    const bytes = new Uint8Array(size).fill(prng.below(256));
    kept.push({ handle: slab.store(bytes, 0, size), bytes });
  }
  for (const { handle, bytes } of kept) {
    const at = slab.offsetOf(handle);
    assert.deepEqual(slab.chunkOf(handle).subarray(at, at + bytes.length), bytes);
  }
});

test('a value comes out of the slab as it went in, whatever its length and wherever it lay', () => {
  const prng = new Prng(3);
  const slab = new Slab();
  for (let length = 0; length < 300; length++) {
    const source = Uint8Array.from({ length: length + 20 }, () => prng.below(256));
    // As a part of a larger buffer, as a chunk from a socket is.
    const view = new Uint8Array(source.buffer, 3, length + 9);
    const start = prng.below(9);
    const handle = slab.store(view, start, start + length);
    const out = new ByteWriter(1);
    out.int8(7);
    slab.writeTo(out, handle, length);
    assert.deepEqual(out.toBytes(), Uint8Array.of(7, ...view.subarray(start, start + length)));
  }
});

test('a child is interned only below a znode that is present', () => {
  const store = new ZnodeStore(1);
  const intern = (path: string): number => {
    const bytes = encodeUtf8(`..${path}`);
    return store.internChild(bytes, 2, bytes.length);
  };
  assert.equal(intern('/a'), NONE, 'the root is not there yet');
  store.attach(ROOT, NONE);
  const a = intern('/a');
  assert.deepEqual([store.lastParent, pathOf(store, a)], [ROOT, '/a']);
  assert.equal(intern('/a/b'), NONE, 'interned, but not present');
  assert.deepEqual([intern('/c/d'), store.lastParent], [NONE, NONE]);
  store.attach(a, ROOT);
  const b = intern('/a/b');
  assert.deepEqual([store.lastParent, pathOf(store, b), intern('/a/b')], [a, '/a/b', b]);
  const bytes = encodeUtf8('/a/b');
  assert.equal(store.find(bytes, 0, bytes.length), b);
});

test('a load finds parents among what it appended, also after another load, and what is there twice', () => {
  const store = new ZnodeStore(7);
  const append = (path: string): number => {
    const bytes = encodeUtf8(path);
    const id = store.appendChild(bytes, 0, bytes.length);
    if (id !== NONE) store.attach(id, store.lastParent);
    return id;
  };
  for (const directoryCount of [300, 3, 300]) {
    store.clear();
    store.attach(ROOT, NONE);
    const paths: string[] = [];
    for (let i = 0; i < directoryCount; i++) paths.push(`/d${i}`);
    // Siblings after one another, and not.
    for (let i = 0; i < 50_000; i++) paths.push(`/d${(i * 7919) % directoryCount}/n${i}`);
    for (let i = 0; i < 5000; i++) paths.push(`/d${i % directoryCount}/m${i}`, `/d${i % directoryCount}/m${i}/deep`);
    for (const path of paths) assert.notEqual(append(path), NONE, path);
    assert.equal(append('/nobody/x'), NONE);
    assert.ok(store.finishLoad());
    for (const path of paths) {
      const bytes = encodeUtf8(path);
      const id = store.find(bytes, 0, bytes.length);
      assert.equal(pathOf(store, id), path);
      assert.equal(pathOf(store, store.get(id, F.parent)), path.slice(0, path.lastIndexOf('/')) || '/');
    }
  }
  append('/d1/n7919');
  assert.equal(store.finishLoad(), true);
  append('/d1');
  assert.equal(store.finishLoad(), false);
});
