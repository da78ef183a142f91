import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ByteReader, ByteWriter, encodeUtf8, Prng } from '@zoots/base';
import { CHILD_LIST_COUNT_MIN, CHILD_LIST_LOAN_BYTES_MIN } from '../limits.js';
import { ChildLists } from './child-lists.js';
import { F, NONE, ROOT, ZnodeStore } from './znode-store.js';

class Stage {
  readonly store = new ZnodeStore(7);
  readonly lists: ChildLists;

  constructor(bytesMax?: number) {
    this.lists = new ChildLists(this.store, bytesMax);
    this.store.attach(ROOT, NONE);
  }

  add(path: string, parent: number): number {
    const bytes = encodeUtf8(path);
    const id = this.store.intern(bytes, 0, bytes.length);
    this.store.attach(id, parent);
    return id;
  }

  remove(path: string): void {
    const bytes = encodeUtf8(path);
    this.store.detach(this.store.find(bytes, 0, bytes.length));
  }

  /** Also checks that the frame holds the names and nothing else. */
  names(parent: number): string[] {
    const out = new ByteWriter();
    this.lists.write(out, parent);
    return namesIn(out);
  }

  fill(parentPath: string, count: number): number {
    const parent = parentPath === '/' ? ROOT : this.add(parentPath, ROOT);
    const prefix = parentPath === '/' ? '/' : `${parentPath}/`;
    for (let i = 0; i < count; i++) this.add(`${prefix}n${i}`, parent);
    return parent;
  }
}

test('a random history of children and reads equals a Set, whatever the bound on memory', () => {
  for (const bytesMax of [undefined, 20_000, 3_000]) {
    const prng = new Prng(5);
    const stage = new Stage(bytesMax);
    const parents = ['', '/a', '/bb', '/ccc'].map((path) => ({
      path,
      id: path === '' ? ROOT : stage.add(path, ROOT),
      names: new Set<string>(),
    }));
    for (const { path } of parents.slice(1)) parents[0]?.names.add(path.slice(1));
    let listed = 0;
    for (let step = 0; step < 40_000; step++) {
      const { path, id, names } = prng.pick(parents);
      // Names of many lengths, few enough that they go and come again.
      const name = 'x'.repeat(prng.below(30)) + prng.below(12);
      // It swings between few children and hundreds.
      if (names.has(name) && prng.chance(step % 10_000 < 5_000 ? 0.2 : 0.9)) {
        stage.remove(`${path}/${name}`);
        names.delete(name);
      } else if (!names.has(name) && prng.chance(step % 10_000 < 5_000 ? 0.9 : 0.4)) {
        stage.add(`${path}/${name}`, id);
        names.add(name);
      }
      if (prng.chance(0.03)) assert.deepEqual(stage.names(id).sort(), [...names].sort());
      listed = Math.max(listed, stage.lists.count);
      assert.ok(stage.lists.heldBytes <= (bytesMax ?? Infinity));
    }
    assert.equal(listed, bytesMax === undefined ? 4 : bytesMax === 20_000 ? 4 : 1);
  }
});

test('a child that went and came again between two reads is in the list once', () => {
  const stage = new Stage();
  const parent = stage.fill('/p', 100);
  assert.equal(stage.names(parent).length, 100);
  for (let i = 0; i < 3; i++) {
    stage.remove('/p/n7');
    stage.add('/p/n7', parent);
  }
  const names = stage.names(parent);
  assert.deepEqual([names.length, new Set(names).size, names.at(-1)], [100, 100, 'n7']);
});

test('few children have no list; a list goes when they become few, and with the parent nothing is left', () => {
  const stage = new Stage();
  const parent = stage.fill('/p', CHILD_LIST_COUNT_MIN - 1);
  stage.names(parent);
  assert.equal(stage.lists.count, 0);
  stage.add('/p/more', parent);
  stage.names(parent);
  assert.equal(stage.lists.count, 1);
  stage.remove('/p/more');
  assert.deepEqual([stage.lists.count, stage.lists.heldBytes], [0, 0]);
  for (let i = 0; i < CHILD_LIST_COUNT_MIN - 1; i++) stage.remove(`/p/n${i}`);
  assert.deepEqual(stage.names(parent), []);
  stage.remove('/p');
  // The row of the parent serves another znode.
  assert.equal(stage.fill('/q', 40), parent);
  assert.equal(stage.names(parent).length, 40);
});

test('a list that changes and is not read goes', () => {
  const stage = new Stage();
  const parent = stage.fill('/p', 100);
  stage.names(parent);
  for (let i = 100; i < 190; i++) stage.add(`/p/n${i}`, parent);
  assert.equal(stage.lists.count, 1);
  for (let i = 190; i < 400; i++) stage.add(`/p/n${i}`, parent);
  assert.deepEqual([stage.lists.count, stage.lists.heldBytes], [0, 0]);
  assert.equal(stage.names(parent).length, 400);
});

test('of too many lists, the one read longest ago goes', () => {
  const stage = new Stage(8_000);
  const parents = ['/a', '/b', '/c', '/d'].map((path) => stage.fill(path, 100));
  const [a, b, c, d] = parents as [number, number, number, number];
  for (const parent of [a, b, c, a, d]) stage.names(parent);
  const isListed = (parent: number): boolean => (stage.store.get(parent, F.flags) & 0x40) !== 0;
  assert.deepEqual(parents.map(isListed), [true, false, true, true]);
});

test('what was lent stays as it was, whatever comes and goes; the list goes on', () => {
  const prng = new Prng(9);
  const stage = new Stage();
  const parent = stage.fill('/p', 4_000);
  const there = new Set(Array.from({ length: 4_000 }, (_, i) => `n${i}`));
  const loans: { bytes: Uint8Array; length: number; copy: Uint8Array }[] = [];
  const borrower = {
    borrow: (bytes: Uint8Array, length: number): void => {
      loans.push({ bytes, length, copy: bytes.slice(0, length) });
    },
  };
  let copied = 0;
  for (let step = 0; step < 400; step++) {
    const name = `n${prng.below(5_000)}`;
    if (prng.chance(0.3)) {
      // Nothing, so that some reads find the list as the read before left it.
    } else if (there.delete(name)) stage.remove(`/p/${name}`);
    else {
      there.add(name);
      stage.add(`/p/${name}`, parent);
    }
    const out = new ByteWriter();
    const loanCount = loans.length;
    stage.lists.writeOrLend(out, borrower, parent);
    const loan = loans[loanCount];
    if (loan === undefined) copied++;
    else out.raw(loan.bytes, 0, loan.length);
    assert.ok(out.length > CHILD_LIST_LOAN_BYTES_MIN);
    assert.deepEqual(namesIn(out).sort(), [...there].sort());
  }
  assert.ok(copied > 50 && loans.length > 50, `${copied} copied, ${loans.length} lent`);
  assert.ok(new Set(loans.map(({ bytes }) => bytes)).size > 10);
  for (const { bytes, length, copy } of loans) assert.deepEqual(bytes.subarray(0, length), copy);
});

function namesIn(out: ByteWriter): string[] {
  const reader = new ByteReader(out.bytes, 0, out.length);
  const names = Array.from({ length: reader.int32() }, () => reader.string() as string);
  assert.deepEqual([reader.failed, reader.remaining], [false, 0]);
  return names;
}
