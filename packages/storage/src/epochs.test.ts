import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRecoveryError, type Epochs, loadEpochs, MemoryDisk, type RecoveryError } from './index.js';

const DIRECTORY = '/data/version-2';
const EPOCH = 4294967296;

type Files = Readonly<Record<string, string>>;

function diskWith(files: Files): MemoryDisk {
  const disk = new MemoryDisk();
  for (const [name, text] of Object.entries(files)) disk.put(`${DIRECTORY}/${name}`, new TextEncoder().encode(text));
  return disk;
}

function load(disk: MemoryDisk, lastZxid: number): { error: RecoveryError | null; epochs: Epochs | null } {
  const outcomes: { error: RecoveryError | null; epochs: Epochs | null }[] = [];
  loadEpochs(disk, DIRECTORY, lastZxid, (error, epochs) => outcomes.push({ error, epochs }));
  disk.run();
  assert.equal(outcomes.length, 1);
  return outcomes[0] as { error: RecoveryError | null; epochs: Epochs | null };
}

function loaded(disk: MemoryDisk, lastZxid: number): Epochs {
  const { error, epochs } = load(disk, lastZxid);
  assert.equal(error === null ? '' : describeRecoveryError(error), '');
  return epochs as Epochs;
}

function textOf(disk: MemoryDisk, name: string): string | null {
  const bytes = disk.get(`${DIRECTORY}/${name}`);
  return bytes === null ? null : Buffer.from(bytes).toString();
}

function refused(files: Files, lastZxid: number, file: string, pattern: RegExp): void {
  const disk = diskWith(files);
  const { error } = load(disk, lastZxid);
  assert.ok(error !== null, 'should have been refused');
  assert.equal(error.file, `${DIRECTORY}/${file}`);
  assert.match(error.message, pattern);
  assert.match(error.remedy, /copy/);
  for (const [name, text] of Object.entries(files)) assert.equal(textOf(disk, name), text, 'nothing was changed');
}

test('both are read; nothing is written', () => {
  const disk = diskWith({ acceptedEpoch: '7', currentEpoch: '5\n' });
  const epochs = loaded(disk, 5 * EPOCH + 3);
  assert.deepEqual([epochs.accepted, epochs.current, epochs.repairs], [7, 5, []]);
  assert.ok(disk.journal.every((entry) => !/^(write|rename)/.test(entry)));
});

test('a missing one is the epoch of the last transaction, and is written', () => {
  const fresh = diskWith({});
  assert.deepEqual([loaded(fresh, 0).accepted, loaded(fresh, 0).current], [0, 0]);
  assert.deepEqual([textOf(fresh, 'acceptedEpoch'), textOf(fresh, 'currentEpoch')], ['0', '0']);
  const none = diskWith({});
  assert.equal(loaded(none, -1).current, 0, 'no database at all');
  const moved = diskWith({});
  assert.equal(loaded(moved, 6 * EPOCH + 1).accepted, 6);
  assert.deepEqual([textOf(moved, 'acceptedEpoch'), textOf(moved, 'currentEpoch')], ['6', '6']);
  const half = diskWith({ acceptedEpoch: '9' });
  const epochs = loaded(half, 6 * EPOCH + 1);
  assert.deepEqual([epochs.accepted, epochs.current, textOf(half, 'currentEpoch')], [9, 6, '6']);
});

test('an accepted epoch below the current one is refused, with file and remedy', () => {
  refused({ acceptedEpoch: '4', currentEpoch: '5' }, 4 * EPOCH, 'acceptedEpoch', /accepted epoch 4, is below .* 5/);
  refused({ currentEpoch: '5' }, 4 * EPOCH, 'acceptedEpoch', /4, taken from the last transaction.*missing.* 5/);
});

test('a crash between the history and currentEpoch is put right, as far as the epoch was accepted', () => {
  const disk = diskWith({ acceptedEpoch: '6', currentEpoch: '5' });
  const epochs = loaded(disk, 6 * EPOCH + 2);
  assert.deepEqual([epochs.accepted, epochs.current, textOf(disk, 'currentEpoch')], [6, 6, '6']);
  assert.match(epochs.repairs[0] ?? '', /from 5 to 6/);
  // What Apache leaves: the number in the temporary file.
  const apache = diskWith({ acceptedEpoch: '8', currentEpoch: '5', 'currentEpoch.tmp': '7' });
  assert.equal(loaded(apache, 6 * EPOCH).current, 7);
  for (const rubbish of ['', 'x', '3', '9']) {
    const torn = diskWith({ acceptedEpoch: '8', currentEpoch: '5', 'currentEpoch.tmp': rubbish });
    assert.equal(loaded(torn, 6 * EPOCH).current, 6, `currentEpoch.tmp holds "${rubbish}"`);
  }
  // Without need nobody looks into it.
  const early = diskWith({ acceptedEpoch: '8', currentEpoch: '5', 'currentEpoch.tmp': '7' });
  assert.equal(loaded(early, 5 * EPOCH).current, 5);
  refused({ acceptedEpoch: '5', currentEpoch: '5' }, 6 * EPOCH + 1, 'currentEpoch', /older than .*0x600000001/);
});

test('content that is no epoch is refused', () => {
  refused({ acceptedEpoch: '1', currentEpoch: 'one' }, 0, 'currentEpoch', /decimal/);
  refused({ acceptedEpoch: '', currentEpoch: '1' }, 0, 'acceptedEpoch', /decimal/);
  refused({ acceptedEpoch: '2097152', currentEpoch: '1' }, 0, 'acceptedEpoch', /2097152/);
});

test('a disk error names the file', () => {
  const disk = diskWith({ currentEpoch: '1' });
  disk.failNext('open', 'acceptedEpoch.tmp', 'no-space');
  const { error } = load(disk, EPOCH);
  assert.match(error?.file ?? '', /acceptedEpoch\.tmp$/);
  assert.match(error?.remedy ?? '', /check the disk/);
});

test('a value counts once it is durable, one at a time, never back, the current one never past the accepted one', () => {
  const disk = diskWith({ acceptedEpoch: '3', currentEpoch: '3' });
  const epochs = loaded(disk, 3 * EPOCH);
  let doneCount = 0;
  const done = (error: unknown): void => {
    assert.equal(error, null);
    doneCount++;
  };
  epochs.setAccepted(5, done);
  assert.equal(epochs.isWriting, true);
  assert.equal(epochs.accepted, 3);
  assert.throws(() => epochs.setAccepted(6, done), /at once/);
  assert.throws(() => epochs.setCurrent(5, done), /pass acceptedEpoch/);
  disk.run();
  assert.deepEqual([epochs.accepted, epochs.isWriting, doneCount, textOf(disk, 'acceptedEpoch')], [5, false, 1, '5']);
  epochs.setCurrent(4, done);
  disk.run();
  assert.deepEqual([epochs.current, doneCount, textOf(disk, 'currentEpoch')], [4, 2, '4']);
  assert.throws(() => epochs.setAccepted(4, done), /go back/);
  assert.throws(() => epochs.setCurrent(3, done), /go back/);
  assert.throws(() => epochs.setAccepted(0x200000, done), /limit/);
});

test('after a failure the old value stands, here and on disk', () => {
  for (const operation of ['open', 'write', 'sync', 'rename'] as const) {
    const disk = diskWith({ acceptedEpoch: '3', currentEpoch: '3' });
    const epochs = loaded(disk, 0);
    disk.failNext(operation, 'acceptedEpoch.tmp', 'io');
    let code = '';
    epochs.setAccepted(4, (error) => {
      code = error?.code ?? '';
    });
    disk.run();
    assert.deepEqual([code, epochs.accepted, textOf(disk, 'acceptedEpoch')], ['io', 3, '3'], operation);
  }
});
