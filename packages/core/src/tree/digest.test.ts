import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { encodeUtf8, Prng, pairToBigint } from '@zoots/base';
import { ACL_OPEN } from './acl-table.js';
import { DigestSum } from './digest.js';
import { Tree } from './tree.js';

function freshTree(): Tree {
  const tree = new Tree({ hashSeed: 1, digestEnabled: true, extendedTypesEnabled: false, emulate353TtlNodes: false });
  tree.addSystemNodes();
  return tree;
}

function digestOf(tree: Tree): string {
  return BigInt.asUintN(64, pairToBigint(tree.digest.high, tree.digest.low)).toString(16);
}

/** path and data in one array, as a txn has them. */
function create(tree: Tree, path: string, data: string, cversion: number, zxid: number, timeMs: number): number {
  const bytes = encodeUtf8(path + data);
  return tree.create(
    bytes,
    0,
    path.length,
    path.length,
    bytes.length,
    ACL_OPEN,
    0,
    0,
    cversion,
    zxid,
    Math.floor(timeMs / 2 ** 32),
    timeMs | 0,
  );
}

test('the vectors of a real 3.8.0: a fresh tree, and after create /foo', () => {
  const tree = freshTree();
  assert.equal(digestOf(tree), '51c6d660');
  assert.equal(create(tree, '/foo', 'bar', 1, 0x100000002, 0x18bcfe56803), 0);
  assert.equal(digestOf(tree), '1e2f97d94');
});

test('the running digest equals one summed afresh over all znodes', () => {
  const prng = new Prng(4);
  const tree = freshTree();
  const paths = ['/a', '/b', '/a/x', '/a/y', '/b/z', '/zookeeper/quota/q', '/a/x/deep'];
  for (let zxid = 1; zxid < 3000; zxid++) {
    const path = prng.pick(paths);
    const bytes = encodeUtf8(path);
    const id = tree.find(bytes, 0, bytes.length);
    const data = new Uint8Array(prng.chance(0.1) ? 5000 : prng.below(20)).fill(zxid & 0xff);
    if (id < 0) create(tree, path, 'd', zxid, zxid, zxid);
    else if (prng.chance(0.4)) tree.delete(id, zxid);
    else if (prng.chance(0.5)) tree.setData(id, data, prng.chance(0.1) ? -1 : 0, data.length, zxid, zxid, 0, zxid);
    else tree.setAcl(id, ACL_OPEN, zxid);
    const sum = new DigestSum();
    for (let row = 0; row < tree.store.idEnd; row++) {
      if (tree.store.isPresent(row)) sum.add(tree.nodeDigest.ofRow(tree.store, row));
    }
    assert.ok(tree.digest.equals(sum.high, sum.low), `after zxid ${zxid}, ${path}`);
  }
});

test('64-bit sums carry and borrow', () => {
  const sum = new DigestSum();
  sum.add(0xffffffff);
  sum.add(1);
  assert.ok(sum.equals(1, 0));
  sum.subtract(1);
  assert.ok(sum.equals(0, -1));
  sum.subtract(0xffffffff);
  sum.subtract(1);
  assert.ok(sum.equals(-1, -1));
});
