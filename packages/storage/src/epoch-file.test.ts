import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DiskError, MemoryDisk, readEpoch, writeEpoch } from './index.js';

const DIRECTORY = '/data/version-2';

function read(disk: MemoryDisk, name: 'currentEpoch' | 'acceptedEpoch' = 'currentEpoch'): number | null | DiskError {
  let outcome: number | null | DiskError | undefined;
  readEpoch(disk, DIRECTORY, name, (error, epoch) => {
    outcome = error ?? epoch;
  });
  disk.run();
  assert.notEqual(outcome, undefined);
  return outcome as number | null | DiskError;
}

test('an epoch comes back, as plain digits on disk, by temporary file, sync and rename', () => {
  const disk = new MemoryDisk();
  assert.equal(read(disk), null);
  for (const epoch of [0, 1, 9, 10, 2097151]) {
    writeEpoch(disk, DIRECTORY, 'currentEpoch', epoch, (error) => assert.equal(error, null));
    disk.run();
    assert.equal(read(disk), epoch);
    assert.equal(Buffer.from(disk.get(`${DIRECTORY}/currentEpoch`) as Uint8Array).toString(), String(epoch));
  }
  assert.equal(read(disk, 'acceptedEpoch'), null);
  const journal = disk.journal.filter((entry) => !entry.startsWith('read')).slice(1, 6);
  const path = `${DIRECTORY}/currentEpoch.tmp`;
  assert.deepEqual(journal, [
    `open ${path}`,
    `write ${path}`,
    `close ${path}`,
    `rename ${path}`,
    `syncDirectory ${DIRECTORY}`,
  ]);
});

test('only the first line counts, and it must be a number', () => {
  const disk = new MemoryDisk();
  for (const [text, expected] of [
    ['7\n8\n', 7],
    [' 12 \n', 12],
    ['', null],
    ['x', null],
    ['-1', null],
    ['1.5', null],
    ['99999999999999999999', null],
  ] as const) {
    disk.put(`${DIRECTORY}/currentEpoch`, new TextEncoder().encode(text));
    const epoch = read(disk);
    if (expected !== null) assert.equal(epoch, expected);
    else assert.match((epoch as DiskError).message, /currentEpoch/);
  }
});

test('a failure keeps the old epoch', () => {
  for (const operation of ['open', 'write', 'sync', 'close', 'rename'] as const) {
    const disk = new MemoryDisk();
    writeEpoch(disk, DIRECTORY, 'currentEpoch', 4, () => {});
    disk.run();
    disk.failNext(operation, 'currentEpoch.tmp', 'no-space');
    let failure: DiskError | null = null;
    writeEpoch(disk, DIRECTORY, 'currentEpoch', 5, (error) => {
      failure = error;
    });
    disk.run();
    assert.equal((failure as DiskError | null)?.code, 'no-space', operation);
    assert.equal(read(disk), 4);
  }
});
