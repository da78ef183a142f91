import assert from 'node:assert/strict';
import test from 'node:test';
import { ERROR, EVENT } from '@zoots/protocol';
import { type WatchAsk, type Watcher, type WatchList, WatchRegistry } from './watch-registry.js';

const { nodeCreated: CREATED, nodeDeleted: DELETED, nodeDataChanged: CHANGED, nodeChildrenChanged: CHILDREN } = EVENT;

class Ear implements Watcher {
  heard: string[] = [];
  onHear: () => void = () => {};

  onEvent(type: number, path: string, zxid: number): void {
    this.heard.push(`${type} ${path} ${zxid}`);
    this.onHear();
  }
  onGap(path: string): void {
    this.heard.push(`gap ${path}`);
  }
  onRemoved(path: string): void {
    this.heard.push(`removed ${path}`);
  }
}

/** Which lists of a path an event of each type is for, and whether it ends them. */
const RULES: readonly { readonly type: number; readonly lists: readonly WatchList[] }[] = [
  { type: CREATED, lists: ['data', 'exist'] },
  { type: DELETED, lists: ['data', 'exist', 'child'] },
  { type: CHANGED, lists: ['data', 'exist'] },
  { type: CHILDREN, lists: ['child'] },
];

for (const { type, lists } of RULES) {
  test(`event ${type} ends ${lists.join(', ')}, once, and leaves other lists and paths`, () => {
    for (const list of ['data', 'exist', 'child'] as const) {
      const registry = new WatchRegistry();
      const ear = new Ear();
      const elsewhere = new Ear();
      registry.add(list, '/a', ear);
      registry.add(list, '/b', elsewhere);
      registry.dispatch(type, '/a', 9);
      registry.dispatch(type, '/a', 10);
      assert.deepEqual(ear.heard, lists.includes(list) ? [`${type} /a 9`] : []);
      assert.equal(registry.has(list, '/a'), !lists.includes(list));
      assert.deepEqual(elsewhere.heard, []);
    }
  });
}

test('a persistent watch hears every event of its path, and stays', () => {
  const registry = new WatchRegistry();
  const ear = new Ear();
  registry.add('persistent', '/a', ear);
  for (const { type } of RULES) registry.dispatch(type, '/a', 1);
  registry.dispatch(CHANGED, '/a/b', 1);
  assert.deepEqual(
    ear.heard,
    RULES.map(({ type }) => `${type} /a 1`),
  );
  assert.ok(registry.has('persistent', '/a'));
});

test('a recursive watch hears of everything below, but not of lists of children', () => {
  const registry = new WatchRegistry();
  const ear = new Ear();
  const root = new Ear();
  registry.add('recursive', '/a', ear);
  registry.add('recursive', '/', root);
  registry.dispatch(CREATED, '/a/b/c', 1);
  registry.dispatch(CHILDREN, '/a/b', 1);
  registry.dispatch(CHANGED, '/a', 2);
  registry.dispatch(DELETED, '/ab', 3);
  assert.deepEqual(ear.heard, [`${CREATED} /a/b/c 1`, `${CHANGED} /a 2`]);
  assert.deepEqual(root.heard, [`${CREATED} /a/b/c 1`, `${CHANGED} /a 2`, `${DELETED} /ab 3`]);
});

test('one watcher in several lists hears an event once', () => {
  const registry = new WatchRegistry();
  const ear = new Ear();
  for (const list of ['data', 'exist', 'child', 'persistent', 'recursive'] as const) registry.add(list, '/a', ear);
  registry.dispatch(DELETED, '/a', 4);
  assert.deepEqual(ear.heard, [`${DELETED} /a 4`]);
  assert.equal(registry.size, 2);
});

test('a watcher that watches again from within the event is not told of it a second time', () => {
  const registry = new WatchRegistry();
  const ear = new Ear();
  ear.onHear = () => registry.add('data', '/a', ear);
  registry.add('data', '/a', ear);
  registry.dispatch(CHANGED, '/a', 1);
  assert.equal(ear.heard.length, 1);
  registry.dispatch(CHANGED, '/a', 2);
  assert.equal(ear.heard.length, 2);
});

test('what the answer registers', () => {
  const ear = new Ear();
  const exists: WatchAsk = { path: '/a', watcher: ear, list: 'data', listIfMissing: 'exist' };
  const read: WatchAsk = { path: '/a', watcher: ear, list: 'child', listIfMissing: null };
  const cases: readonly [WatchAsk, number, WatchList | null][] = [
    [exists, ERROR.ok, 'data'],
    [exists, ERROR.noNode, 'exist'],
    [exists, ERROR.noAuth, null],
    [read, ERROR.ok, 'child'],
    [read, ERROR.noNode, null],
  ];
  for (const [ask, code, list] of cases) {
    const registry = new WatchRegistry();
    registry.onReply(ask, code);
    assert.equal(registry.size, list === null ? 0 : 1);
    if (list !== null) assert.ok(registry.has(list, '/a'));
  }
});

test('forget says whether anybody is left or has asked; remove tells everybody', () => {
  const registry = new WatchRegistry();
  const [first, second] = [new Ear(), new Ear()];
  registry.add('persistent', '/a', first);
  registry.add('persistent', '/a', second);
  assert.equal(registry.forget('persistent', '/a', new Ear()), false);
  assert.equal(registry.forget('persistent', '/a', first), false);
  assert.equal(registry.forget('persistent', '/a', second), true);
  assert.equal(registry.forget('persistent', '/a', second), false);
  const ask: WatchAsk = { path: '/a', watcher: first, list: 'persistent', listIfMissing: null };
  registry.expect(ask);
  registry.add('persistent', '/a', second);
  assert.equal(registry.forget('persistent', '/a', second), false, 'another is about to watch it');
  assert.ok(registry.has('persistent', '/a'));
  registry.settle(ask);
  assert.equal(registry.has('persistent', '/a'), false);
  registry.add('data', '/a', first);
  registry.add('exist', '/a', first);
  registry.add('child', '/a', second);
  registry.remove(['data', 'exist'], '/a');
  assert.deepEqual([first.heard, second.heard], [['removed /a'], []]);
  assert.equal(registry.size, 1);
});

test('the gap is for lasting watches, the paths are for all', () => {
  const registry = new WatchRegistry();
  assert.deepEqual(registry.paths(), []);
  const [once, lasting] = [new Ear(), new Ear()];
  registry.add('data', '/d', once);
  registry.add('child', '/c', once);
  registry.add('exist', '/e', once);
  registry.add('persistent', '/p', lasting);
  registry.add('recursive', '/r', lasting);
  registry.announceGap();
  assert.deepEqual(once.heard, []);
  assert.deepEqual(lasting.heard, ['gap /p', 'gap /r']);
  assert.deepEqual(registry.paths(), [['/d'], ['/e'], ['/c'], ['/p'], ['/r']]);
});
