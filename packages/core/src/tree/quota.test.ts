import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { encodeUtf8 } from '@zoots/base';
import { ERROR } from '@zoots/protocol';
import { ACL_OPEN } from './acl-table.js';
import { QuotaNumbers } from './quota.js';
import { Tree } from './tree.js';
import { NONE } from './znode-store.js';

function setUp(): {
  tree: Tree;
  create: (path: string, data?: string) => void;
  find: (path: string) => number;
  text: (path: string) => string;
  remove: (path: string) => void;
} {
  const tree = new Tree({ hashSeed: 3, digestEnabled: true, extendedTypesEnabled: false, emulate353TtlNodes: false });
  tree.addSystemNodes();
  let zxid = 0;
  const find = (path: string): number => {
    const bytes = encodeUtf8(path);
    return tree.find(bytes, 0, bytes.length);
  };
  return {
    tree,
    find,
    create: (path, data = '') => {
      const bytes = encodeUtf8(path + data);
      const code = tree.create(bytes, 0, path.length, path.length, bytes.length, ACL_OPEN, 0, 0, -1, ++zxid, 0, 0);
      assert.equal(code, ERROR.ok, path);
    },
    remove: (path) => assert.equal(tree.delete(find(path), ++zxid), ERROR.ok),
    text: (path) => {
      const id = find(path);
      const start = tree.store.dataStart(id);
      return Buffer.from(tree.store.dataChunk(id).subarray(start, start + tree.store.dataLength(id))).toString();
    },
  };
}

test('limits read and print as Apache has them', () => {
  for (const text of ['count=5,bytes=10', 'count=-1,bytes=-1=;byteHardLimit=7;countHardLimit=8']) {
    assert.equal(QuotaNumbers.parse(text)?.toString(), text);
  }
  assert.equal(QuotaNumbers.parse('count=5;bytes=')?.toString(), 'count=5,bytes=-1');
  for (const garbage of ['count', 'count=x', 'count=1.5']) assert.equal(QuotaNumbers.parse(garbage), null, garbage);
});

test('usage is counted at first, then kept up; only the deepest quota counts', () => {
  const { tree, create, remove, text, find } = setUp();
  create('/app', 'abc');
  create('/app/x', '12345');
  create('/zookeeper/quota/app');
  create('/zookeeper/quota/app/zookeeper_limits', 'count=3,bytes=100=;byteHardLimit=20;countHardLimit=3');
  create('/zookeeper/quota/app/zookeeper_stats', 'count=0,bytes=0');
  const stats = '/zookeeper/quota/app/zookeeper_stats';
  assert.equal(text(stats), 'count=2,bytes=8');
  create('/app/y', '1');
  assert.equal(text(stats), 'count=3,bytes=9');
  assert.equal(tree.quotas.check(NONE, find('/app'), 1, 1), ERROR.quotaExceeded);
  remove('/app/y');
  assert.equal(text(stats), 'count=2,bytes=8');
  assert.equal(tree.quotas.check(NONE, find('/app'), 1, 1), ERROR.ok);
  assert.equal(tree.quotas.check(find('/app/x'), find('/app'), 13, 0), ERROR.quotaExceeded);
  assert.equal(tree.quotas.check(find('/app/x'), find('/app'), 12, 0), ERROR.ok);
  remove('/zookeeper/quota/app/zookeeper_limits');
  create('/app/z', 'zz');
  assert.equal(text(stats), 'count=2,bytes=8', 'without limits nothing is counted');
});

test('garbage in the usage znode is counted afresh instead of stopping the server', () => {
  const { tree, create, text, find } = setUp();
  create('/app', 'abc');
  create('/zookeeper/quota/app');
  create('/zookeeper/quota/app/zookeeper_limits', 'count=3,bytes=100');
  create('/zookeeper/quota/app/zookeeper_stats', '');
  const garbage = encodeUtf8('not=a=number,,');
  tree.setData(find('/zookeeper/quota/app/zookeeper_stats'), garbage, 0, garbage.length, 1, 99, 0, 0);
  create('/app/x', '12');
  assert.equal(text('/zookeeper/quota/app/zookeeper_stats'), 'count=2,bytes=5');
});

test('a quota on a path that does not exist yet counts from its creation', () => {
  const { create, text } = setUp();
  create('/zookeeper/quota/later');
  create('/zookeeper/quota/later/zookeeper_limits', 'count=3,bytes=100');
  create('/zookeeper/quota/later/zookeeper_stats', 'count=0,bytes=0');
  create('/later', 'abc');
  assert.equal(text('/zookeeper/quota/later/zookeeper_stats'), 'count=1,bytes=3');
});
