import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Stat } from './records.js';
import { treeDifferences, treeLines } from './tree-dump.js';

const stat: Stat = {
  czxid: 1n,
  mzxid: 2n,
  ctime: 3n,
  mtime: 4n,
  version: 5,
  cversion: 6,
  aversion: 7,
  ephemeralOwner: 8n,
  dataLength: 9,
  numChildren: 10,
  pzxid: 11n,
};
const node = { path: '/a', data: Buffer.from('x'), stat, acl: '31:world:anyone' };

test('every field of a node shows in its line', () => {
  const line = treeLines([node])[0];
  for (const [name, value] of Object.entries(stat)) {
    const other = { ...stat, [name]: typeof value === 'bigint' ? value + 1n : value + 1 };
    assert.notEqual(treeLines([{ ...node, stat: other }])[0], line, name);
  }
  assert.notEqual(treeLines([{ ...node, data: null }])[0], line);
  assert.notEqual(treeLines([{ ...node, data: Buffer.alloc(0) }])[0], treeLines([{ ...node, data: null }])[0]);
  assert.notEqual(treeLines([{ ...node, acl: '1:world:anyone' }])[0], line);
});

test('times can be left out, nothing else', () => {
  const later = { ...node, stat: { ...stat, ctime: 99n, mtime: 99n } };
  assert.deepEqual(treeLines([later], { times: false }), treeLines([node], { times: false }));
});

test('differences name both sides, and a missing node', () => {
  assert.deepEqual(treeDifferences(['/a 1', '/b'], ['/a 2', '/b']), ['- /a 1', '+ /a 2']);
  assert.deepEqual(treeDifferences(['/a', '/b'], ['/a']), ['- /b']);
  assert.deepEqual(treeDifferences(['/a'], ['/a']), []);
});
