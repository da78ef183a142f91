import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { nullLogger, Prng } from '@zoots/base';
import { MemoryDisk, TxnLog } from '@zoots/storage';
import { configOf, configurationOf } from './ensemble/stage-config.js';
import type { CoreConfig } from './ports.js';
import { SessionTable } from './session/session-table.js';
import { Snapshotter } from './snapshotter.js';
import { Tree } from './tree/tree.js';

const SNAP_COUNT = 1000;
const SNAP_BYTES = 50_000;

/** After how many txns of `txnBytes` each a snapshot begins. */
function txnsUntilSnapshot(seed: number, txnBytes: number, isAlone: boolean): number {
  const limits = { snapCount: SNAP_COUNT, snapSizeLimitBytes: SNAP_BYTES };
  const member = configOf(1, configurationOf({}), { config: limits });
  const config: CoreConfig = isAlone ? { ...member, ensemble: null } : member;
  const tree = new Tree({
    hashSeed: 1,
    digestEnabled: true,
    extendedTypesEnabled: false,
    emulate353TtlNodes: false,
  });
  tree.addSystemNodes();
  const disk = new MemoryDisk();
  const snapshotter = new Snapshotter(config, {
    disk,
    gzip: null,
    logger: nullLogger,
    prng: new Prng(seed),
    tree,
    sessions: new SessionTable(1, 100, 0),
  });
  const log = new TxnLog(
    disk,
    { directory: '/data/version-2', preallocateBytes: 0, sizeLimitBytes: 0, forceSync: true },
    { onDurable: () => {}, onFailed: () => {} },
  );
  for (let count = 1; ; count++) {
    snapshotter.onCommitted(1, txnBytes, log);
    if (snapshotter.isRunning) return count;
  }
}

test('a server that stands alone takes a snapshot after all of snapCount, or of the size limit', () => {
  for (let seed = 1; seed <= 20; seed++) {
    assert.equal(txnsUntilSnapshot(seed, 1, true), SNAP_COUNT);
    assert.equal(txnsUntilSnapshot(seed, 500, true), SNAP_BYTES / 500);
  }
});

test('the members of an ensemble do so after a random half to all of it, each at its own time', () => {
  const counts = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const byCount = txnsUntilSnapshot(seed, 1, false);
    const bySize = txnsUntilSnapshot(seed, 500, false);
    assert.ok(byCount >= SNAP_COUNT / 2 && byCount <= SNAP_COUNT, `${byCount}`);
    assert.ok(bySize >= SNAP_BYTES / 1000 && bySize <= SNAP_BYTES / 500, `${bySize}`);
    counts.add(byCount);
  }
  assert.ok(counts.size > 15);
});
