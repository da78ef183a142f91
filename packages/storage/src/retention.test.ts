import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DiskError, findSuperfluous, MemoryDisk, type NamedFile, purge, zxidInName } from './index.js';

function files(kind: 'log' | 'snapshot', zxids: readonly number[]): NamedFile[] {
  return zxids.map((zxid) => ({ name: `${kind}.${zxid.toString(16)}`, zxid, sizeBytes: 100 }));
}

test('the newest snapshots stay, and every log that the oldest of them may need', () => {
  const snapshots = files('snapshot', [0, 10, 20, 30, 40]);
  const logs = files('log', [1, 11, 15, 21, 31, 41]);
  assert.deepEqual(findSuperfluous(snapshots, logs, 3), {
    snapshots: ['snapshot.0', 'snapshot.a'],
    logs: ['log.1', 'log.b'],
  });
  assert.deepEqual(findSuperfluous(snapshots, logs, 4), { snapshots: ['snapshot.0'], logs: [] });
  assert.deepEqual(findSuperfluous(snapshots, logs, 5), { snapshots: [], logs: [] });
  assert.deepEqual(findSuperfluous(snapshots, logs, 9), { snapshots: [], logs: [] });
  assert.deepEqual(findSuperfluous(snapshots, logs, 1), findSuperfluous(snapshots, logs, 3), 'never fewer than three');
});

test('a log that begins exactly at the oldest kept snapshot stays, the one before it goes', () => {
  const goes = findSuperfluous(files('snapshot', [5, 10, 20, 30]), files('log', [1, 10, 11]), 3);
  assert.deepEqual(goes.logs, ['log.1']);
});

test('an unusable snapshot does not count as kept', () => {
  const snapshots = files('snapshot', [0, 10, 20, 30, 40]);
  const goes = findSuperfluous(snapshots, [], 3, (file) => file.zxid !== 40);
  assert.deepEqual(goes.snapshots, ['snapshot.0']);
});

test('purge removes them, from one directory or two', () => {
  for (const [snapshotDirectory, logDirectory] of [
    ['/d', '/d'],
    ['/s', '/l'],
  ] as const) {
    const disk = new MemoryDisk();
    for (const zxid of [0, 16, 32, 48, 64])
      disk.put(`${snapshotDirectory}/snapshot.${zxid.toString(16)}`, new Uint8Array(50));
    disk.put(`${snapshotDirectory}/snapshot.50`, new Uint8Array(3));
    for (const zxid of [1, 17, 33, 49]) disk.put(`${logDirectory}/log.${zxid.toString(16)}`, new Uint8Array(50));
    disk.put(`${logDirectory}/other`, new Uint8Array(1));
    let removed: readonly string[] = [];
    purge(disk, { snapshotDirectory, logDirectory, keepCount: 3 }, (error, paths) => {
      assert.equal(error, null);
      removed = paths;
    });
    disk.run();
    assert.deepEqual(removed, [
      `${snapshotDirectory}/snapshot.0`,
      `${snapshotDirectory}/snapshot.10`,
      `${logDirectory}/log.1`,
    ]);
    assert.equal(disk.paths().length, 8);
  }
});

test('purge reports a failing disk, with what it had removed', () => {
  const disk = new MemoryDisk();
  for (const zxid of [0, 1, 2, 3, 4]) disk.put(`/d/snapshot.${zxid}`, new Uint8Array(50));
  disk.failNext('remove', 'snapshot.1', 'not-permitted');
  const outcomes: [DiskError | null, readonly string[]][] = [];
  purge(disk, { snapshotDirectory: '/d', logDirectory: '/d', keepCount: 3 }, (error, removed) =>
    outcomes.push([error, removed]),
  );
  disk.run();
  assert.equal(outcomes[0]?.[0]?.code, 'not-permitted');
  assert.deepEqual(outcomes[0]?.[1], ['/d/snapshot.0']);
});

test('names', () => {
  assert.equal(zxidInName('log.1a', 'log'), 26);
  assert.equal(zxidInName('snapshot.100000004.gz', 'snapshot'), 4294967300);
  for (const name of ['log', 'log.', 'log.x', 'log.-1', 'logs.1', 'snapshot.1', 'log.ffffffffffffffff']) {
    assert.equal(zxidInName(name, 'log'), null);
  }
});
