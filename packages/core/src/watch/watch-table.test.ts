import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { encodeUtf8, Prng } from '@zoots/base';
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

/** The rules as they are written down, on a list of watches. */
class Model {
  watches: { table: string; path: string; connection: Connection; bits: number }[] = [];

  add(table: string, path: string, connection: Connection, mode: number): void {
    const known = this.watches.find((w) => w.table === table && w.path === path && w.connection === connection);
    if (known === undefined) this.watches.push({ table, path, connection, bits: mode });
    else known.bits |= mode;
  }

  /** Who hears of it, each once; one-shot watches that fire are gone. */
  #fire(event: string, path: string, sources: readonly (readonly [string, string, number])[]): string[] {
    const heard = new Set<number>();
    for (const [table, at, modes] of sources) {
      for (const watch of this.watches) {
        if (watch.table !== table || watch.path !== at || (watch.bits & modes) === 0) continue;
        heard.add(watch.connection.number);
        if ((modes & MODE.standard) !== 0) watch.bits &= ~MODE.standard;
      }
    }
    this.watches = this.watches.filter(({ bits }) => bits !== 0);
    return [...heard].map((number) => `${number} ${event} ${path}`);
  }

  event(event: 'created' | 'changed' | 'deleted', path: string): string[] {
    const sources: [string, string, number][] = [['data', path, ~0]];
    for (let at = parentOf(path); ; at = parentOf(at)) {
      sources.push(['data', at, MODE.recursive]);
      if (at === '/') break;
    }
    if (event === 'deleted') sources.push(['child', path, ~0]);
    const heard = this.#fire(event, path, sources);
    const parent = parentOf(path);
    return event === 'changed' ? heard : [...heard, ...this.#fire('children', parent, [['child', parent, ~0]])];
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

test('a random history of watches and changes sends what a list of watches would, each event once per connection', () => {
  for (const seed of [1, 2, 3]) {
    const prng = new Prng(seed);
    const { tree, watches, events, connect, id, create, change, remove } = setUp();
    const model = new Model();
    const connections = Array.from({ length: 5 }, connect);
    const there = new Set<string>();
    const paths = ['/a', '/a/b', '/a/b/c', '/a/d', '/e', '/e/f'];
    // Seed 1 has no watch that outlasts its event.
    const modes = seed === 1 ? [MODE.standard] : [MODE.standard, MODE.standard, MODE.persistent, MODE.recursive];
    for (let step = 0; step < 5_000; step++) {
      const path = prng.pick(paths);
      const connection = prng.pick(connections);
      let expected: string[] = [];
      if (prng.chance(0.5)) {
        const mode = prng.pick(modes);
        for (const table of mode === MODE.persistent
          ? (['data', 'child'] as const)
          : [prng.pick(['data', 'child'] as const)]) {
          if (mode === MODE.recursive && table === 'child') continue;
          watches.add(table, id(path), connection, mode);
          model.add(table, path, connection, mode);
        }
        if (!tree.store.hasPin(id(path), ~0)) tree.store.releaseUnpinned(id(path));
      } else if (prng.chance(0.05)) {
        watches.removeConnection(connection);
        model.watches = model.watches.filter((watch) => watch.connection !== connection);
      } else if (!there.has(path)) {
        if (parentOf(path) !== '/' && !there.has(parentOf(path))) continue;
        expected = model.event('created', path);
        create(path);
        there.add(path);
      } else if (prng.chance(0.5) || [...there].some((other) => other.startsWith(`${path}/`))) {
        expected = model.event('changed', path);
        change(path);
      } else {
        expected = model.event('deleted', path);
        remove(path);
        there.delete(path);
      }
      assert.deepEqual(events.splice(0).sort(), expected.sort());
      assert.equal(watches.dataCount, model.watches.filter(({ table }) => table === 'data').length);
      assert.equal(watches.childCount, model.watches.filter(({ table }) => table === 'child').length);
    }
    for (const connection of connections) watches.removeConnection(connection);
    assert.deepEqual([watches.dataCount, watches.childCount, watches.dataPathCount], [0, 0, 0]);
    for (const path of paths.filter((each) => !there.has(each))) {
      const bytes = encodeUtf8(path);
      assert.equal(tree.store.find(bytes, 0, bytes.length), -1, `${path} is pinned by nobody`);
    }
  }
});
