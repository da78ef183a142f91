/**
 * A tree on its way to a learner: whatever changes while the walk goes on, and however slowly the learner reads, it receives
 * the tree of the zxid at which the walk began.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ByteWriter, encodeUtf8, nullLogger, Prng } from '@zoots/base';
import { SnapshotStreamReader, SnapshotStreamWriter } from '@zoots/storage';
import { Loader } from '../loader.js';
import { Applier } from '../request/apply.js';
import { SessionTable } from '../session/session-table.js';
import { WatchTable } from '../watch/watch-table.js';
import { ACL_OPEN } from './acl-table.js';
import { SnapshotWalk } from './snapshot-walk.js';
import { Tree } from './tree.js';
import { F } from './znode-store.js';

function emptyTree(seed: number): Tree {
  return new Tree({ hashSeed: seed, digestEnabled: true, extendedTypesEnabled: false, emulate353TtlNodes: false });
}

/** [{ world anyone READ }] */
const readAcl = Uint8Array.from([
  ...[0, 0, 0, 1, 0, 0, 0, 1],
  ...[0, 0, 0, 5, ...encodeUtf8('world')],
  ...[0, 0, 0, 6, ...encodeUtf8('anyone')],
]);

/** Random writes, as txns would make them. */
class Writer {
  readonly tree: Tree;
  readonly #prng: Prng;
  readonly #acl: number;
  zxid = 0x500000000;

  constructor(tree: Tree, prng: Prng) {
    this.tree = tree;
    this.#prng = prng;
    this.#acl = tree.acls.intern(readAcl, 0, readAcl.length);
  }

  write(): void {
    const { tree } = this;
    const prng = this.#prng;
    const zxid = ++this.zxid;
    const depth = 1 + prng.below(3);
    let path = '';
    for (let i = 0; i < depth; i++) path += `/n${prng.below(9)}`;
    const data = 'd'.repeat(prng.below(400));
    const bytes = encodeUtf8(path + data);
    const end = path.length;
    const id = tree.find(bytes, 0, end);
    if (id < 0) {
      const acl = prng.below(2) === 0 ? ACL_OPEN : this.#acl;
      tree.create(
        bytes,
        0,
        end,
        end,
        bytes.length,
        acl,
        0,
        prng.below(4) === 0 ? 9 : 0,
        zxid & 0xffff,
        zxid,
        0,
        zxid | 0,
      );
    } else if (prng.below(3) === 0 && tree.store.get(id, F.childCount) === 0) tree.delete(id, zxid);
    else if (prng.below(2) === 0) tree.setData(id, bytes, end, bytes.length, zxid & 0xffff, zxid, 0, zxid | 0);
    else tree.setAcl(id, this.#someAcl(), zxid & 0xff);
    tree.lastProcessedZxid = zxid;
  }

  /** With a reference, which setAcl takes over. */
  #someAcl(): number {
    return this.#prng.below(2) === 0 ? ACL_OPEN : this.tree.acls.intern(readAcl, 0, readAcl.length);
  }
}

test('a learner receives the tree of the zxid at which the walk began', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const prng = new Prng(seed);
    const tree = emptyTree(seed);
    tree.addSystemNodes();
    const sessions = new SessionTable(1, 2000, 0);
    sessions.add(0, 9, 4000, 0).isApplied = true;
    sessions.add(0, 10, 4000, 0);
    const writer = new Writer(tree, prng);
    for (let i = 0; i < 500; i++) writer.write();

    const stream = new SnapshotStreamWriter();
    const walk = new SnapshotWalk(tree, sessions, stream, 1);
    const expected = { ...walk.digest };
    const count = tree.nodeCount;
    const received = new ByteWriter();
    for (let isComplete = false; !isComplete; ) {
      for (let i = prng.below(6); i > 0; i--) writer.write();
      if (stream.backlogBytes < 2000) isComplete = walk.step(500);
      stream.takeInto(received, prng.below(900));
    }
    walk.end();
    stream.finish();
    while (!stream.isEnded) stream.takeInto(received, 1 + prng.below(3000));
    received.int32(5);

    const learner = emptyTree(seed + 1000);
    const learnerSessions = new SessionTable(2, 2000, 0);
    const applier = new Applier(learner, learnerSessions, new WatchTable(learner.store, () => {}));
    const loader = new Loader(learner, learnerSessions, applier, nullLogger);
    loader.reset();
    const reader = new SnapshotStreamReader(loader, walk.zxid);
    let end = -1;
    for (let at = 0; at < received.length && end < 0; ) {
      const next = Math.min(received.length, at + 1 + prng.below(2000));
      end = reader.push(received.bytes, at, next);
      at = next;
    }
    assert.equal(reader.error, null);
    assert.equal(end, received.length - 4);
    assert.equal(learner.lastProcessedZxid, walk.zxid);
    assert.deepEqual({ zxid: learner.lastProcessedZxid, high: learner.digest.high, low: learner.digest.low }, expected);
    assert.equal(learner.nodeCount, count);
    assert.equal(learnerSessions.count, 1, 'only the session that is applied');
    assert.notEqual(tree.digest.low, expected.low, 'the tree went on meanwhile');
  }
});
