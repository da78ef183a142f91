import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { encodeUtf8 } from '@zoots/base';
import { Connection } from '../session/connection.js';
import { ACL_OPEN } from '../tree/acl-table.js';
import { Tree } from '../tree/tree.js';
import { F } from '../tree/znode-store.js';
import { MODE, WATCHER_TYPE, WatchTable } from './watch-table.js';

const NAMES = ['', 'created', 'deleted', 'changed', 'children'];

function setUp(): {
  tree: Tree;
  watches: WatchTable;
  events: string[];
  connect: () => Connection;
  id: (path: string) => number;
  create: (path: string) => void;
  remove: (path: string) => void;
  change: (path: string) => void;
} {
  const tree = new Tree({ hashSeed: 3, digestEnabled: false, extendedTypesEnabled: false, emulate353TtlNodes: false });
  tree.addSystemNodes();
  const events: string[] = [];
  const pathOf = (id: number): string => {
    const start = tree.store.pathStart(id);
    return Buffer.from(tree.store.pathChunk(id).subarray(start, start + tree.store.pathLength(id))).toString();
  };
  const watches = new WatchTable(tree.store, (connection, type, path) =>
    events.push(`${connection.number} ${NAMES[type]} ${pathOf(path)}`),
  );
  let zxid = 0;
  let connections = 0;
  const id = (path: string): number => {
    const bytes = encodeUtf8(path);
    return tree.store.intern(bytes, 0, bytes.length);
  };
  return {
    tree,
    watches,
    events,
    connect: () => new Connection(++connections, '1.1.1.1', 1, false, 0, 0),
    id,
    create: (path) => {
      const bytes = encodeUtf8(path);
      tree.create(bytes, 0, bytes.length, -1, -1, ACL_OPEN, 0, 0, -1, ++zxid, 0, 0);
      watches.onCreated(tree.lastId, tree.store.get(tree.lastId, F.parent), zxid);
    },
    remove: (path) => {
      watches.onDeleting(id(path), tree.store.get(id(path), F.parent), ++zxid);
      tree.delete(id(path), zxid);
    },
    change: (path) => {
      tree.setData(id(path), new Uint8Array(1), 0, 1, 1, ++zxid, 0, 0);
      watches.onDataChanged(id(path), zxid);
    },
  };
}

test('a one-shot watch fires once; on a missing path it waits for the creation', () => {
  const { watches, events, connect, id, create, change } = setUp();
  const one = connect();
  watches.add('data', id('/a'), one, MODE.standard);
  watches.add('data', id('/a'), one, MODE.standard);
  assert.equal(watches.dataCount, 1);
  create('/a');
  change('/a');
  assert.deepEqual(events, ['1 created /a']);
  assert.equal(watches.dataCount, 0);
});

test('a deletion reaches data and child watches of a connection as one event, and the parent as another', () => {
  const { watches, events, connect, id, create, remove } = setUp();
  create('/a');
  const one = connect();
  const two = connect();
  watches.add('data', id('/a'), one, MODE.standard);
  watches.add('child', id('/a'), one, MODE.standard);
  watches.add('child', id('/a'), two, MODE.standard);
  watches.add('child', id('/'), one, MODE.standard);
  remove('/a');
  assert.deepEqual(events, ['1 deleted /a', '2 deleted /a', '1 children /']);
  assert.equal(watches.dataCount + watches.childCount, 0);
});

test('a recursive watch sees every descendant and no children events; a persistent one all four kinds', () => {
  const { watches, events, connect, id, create, change, remove } = setUp();
  const recursive = connect();
  const persistent = connect();
  watches.add('data', id('/a'), recursive, MODE.recursive);
  watches.add('data', id('/a'), persistent, MODE.persistent);
  watches.add('child', id('/a'), persistent, MODE.persistent);
  create('/a');
  create('/a/b');
  change('/a/b');
  remove('/a/b');
  change('/a');
  remove('/a');
  assert.deepEqual(events, [
    '1 created /a',
    '2 created /a',
    '1 created /a/b',
    '2 children /a',
    '1 changed /a/b',
    '1 deleted /a/b',
    '2 children /a',
    '1 changed /a',
    '2 changed /a',
    '1 deleted /a',
    '2 deleted /a',
  ]);
});

test('modes on one path coexist: a one-shot watch leaves the persistent one, and each is removed by its type', () => {
  const { watches, events, connect, id, create, change } = setUp();
  create('/a');
  const one = connect();
  watches.add('data', id('/a'), one, MODE.persistent);
  watches.add('child', id('/a'), one, MODE.persistent);
  watches.add('data', id('/a'), one, MODE.standard);
  change('/a');
  assert.deepEqual(events, ['1 changed /a']);
  assert.ok(!watches.remove(id('/a'), one, WATCHER_TYPE.data), 'the one-shot watch is spent');
  assert.ok(watches.remove(id('/a'), one, WATCHER_TYPE.persistent));
  assert.ok(!watches.has(id('/a'), one, WATCHER_TYPE.any));
  change('/a');
  assert.equal(events.length, 1);
});

test('a connection takes its watches with it, and ids of paths that nobody wants are free again', () => {
  const { tree, watches, events, connect, id, create } = setUp();
  const one = connect();
  const before = tree.store.idEnd;
  for (let round = 0; round < 100; round++) {
    watches.add('data', id(`/missing-${round}`), one, MODE.standard);
    watches.add('child', id(`/missing-${round}`), one, MODE.persistent);
    watches.removeConnection(one);
  }
  assert.ok(tree.store.idEnd <= before + 1, 'one row served them all');
  create('/missing-1');
  assert.deepEqual(events, []);
});
