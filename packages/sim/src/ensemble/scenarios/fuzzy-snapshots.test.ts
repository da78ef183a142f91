/**
 * Group 23: snapshots that are written while transactions apply. Ours show the tree of one moment, so the bugs cannot be made in the same
 * way; the stories put every kind of change at every place of the walk, and restart from what was written.
 */
import assert from 'node:assert/strict';
import { OP } from '@zoots/protocol';
import { Host } from '../../host.js';
import { patch } from '../../mutant.js';
import { MUTANTS } from '../../mutants.js';
import { makeRequest, type Request } from '../../request.js';
import { ScriptedWorld } from '../../scenarios/scripted-world.js';
import { scenario } from './scenario.js';

const EPHEMERAL = 1;
const SEQUENTIAL = 2;

const create = (path: string, flags = 0): Request => makeRequest(OP.create, { path, data: `of ${path}`, flags });
const remove = (path: string): Request => makeRequest(OP.delete, { path });
const set = (path: string): Request => makeRequest(OP.setData, { path, data: 'changed' });
const protect = (path: string): Request =>
  makeRequest(OP.setACL, { path, acls: [{ perms: 3, scheme: 'world', id: 'anyone' }] });
const multi = (...parts: readonly Request[]): Request => makeRequest(OP.multi, { parts });

/** Client 1 makes the tree and its changes; client 2 owns the ephemerals. */
const TREE: readonly Request[] = [
  ...['/a', '/a/x', '/a/y', '/b', '/b/x', '/c', '/d'].map((path) => create(path)),
  protect('/d'),
];

const CHANGES: readonly (readonly [string, readonly Request[], readonly Request[]])[] = [
  ['ZOOKEEPER-3145: a child comes and its parent’s counters move', [create('/a/z'), remove('/a/z')], []],
  [
    'ZOOKEEPER-3127: a parent goes with its children, and comes back empty',
    [remove('/b/x'), remove('/b'), create('/b')],
    [],
  ],
  ['ZOOKEEPER-3306: an ACL that the snapshot did not know', [protect('/a/x'), protect('/c')], []],
  ['ZOOKEEPER-3125: sequential children, one removed', [create('/c/s', SEQUENTIAL), remove('/a/y')], []],
  ['a multi over both ends of the tree', [multi(set('/a'), remove('/c'), create('/e'), set('/d'))], []],
  ['ZOOKEEPER-3249: a session closes between two of its znodes', [], [makeRequest(OP.closeSession)]],
];

/** Steps of the walk that come before the change; further ones than the tree has rows. */
const PLACES = 18;

function changeAmidSnapshot(changes: readonly Request[], ofOwner: readonly Request[], place: number): void {
  const world = new ScriptedWorld({ clientCount: 2, core: { snapshotSliceBytes: 1 } });
  world.client(1).ask(...TREE);
  world.pass(20);
  world.client(2).ask(create('/a/mine', EPHEMERAL), create('/d/mine', EPHEMERAL));
  world.pass(20);
  const { snapshotter } = world.server;
  snapshotter.start(null, null);
  for (let step = 0; step < place && snapshotter.isWalking; step++) snapshotter.step();
  // The walk stands still there until the changes are applied.
  snapshotter.step = () => {};
  world.client(1).ask(...changes);
  world.client(2).ask(...ofOwner);
  world.pass(3);
  Reflect.deleteProperty(snapshotter, 'step');
  world.pass(30);
  assert.equal(snapshotter.completedCount > 0 && !snapshotter.isRunning, true, 'the snapshot was not written');
  const { digest, lastProcessedZxid } = world.server.tree;
  const before = [digest.high, digest.low, lastProcessedZxid];
  // The snapshot's content was compared with the model when it was written; the restart is compared by the run's oracle.
  world.run.host.powerCut(true);
  world.awaitServer();
  const { tree } = world.server;
  assert.deepEqual([tree.digest.high, tree.digest.low, tree.lastProcessedZxid], before, 'restarted into another tree');
}

for (const [title, changes, ofOwner] of CHANGES) {
  scenario(
    23,
    `${title}, at every place of a snapshot’s walk`,
    () => {
      for (let place = 0; place < PLACES; place += 3) changeAmidSnapshot(changes, ofOwner, place);
    },
    {
      bug: 'rows that change while a snapshot runs are written as they are then',
      plant: () => {
        const blur = MUTANTS.find(({ name }) => name === 'blurred-snapshot')?.onServer;
        assert.ok(blur !== undefined);
        return patch(Host.prototype, 'start', (original) => {
          return function (this: Host) {
            this.onServerMade = blur;
            original.call(this);
          };
        });
      },
      caughtBy: /digest mismatch|snapshot: /,
    },
  );
}
