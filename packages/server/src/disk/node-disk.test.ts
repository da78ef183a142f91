import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { DiskEntry, DiskError, DiskFile, OpenMode } from '@zoots/storage';
import { NodeDisk } from './node-disk.js';

const root = mkdtempSync(join(tmpdir(), 'zoots-node-disk-'));
after(() => rmSync(root, { recursive: true, force: true }));

const disk = new NodeDisk();

/** Calls an operation, checks that `done` comes once and not before the call returns, and gives what it was given. */
function call<T extends unknown[]>(operation: (done: (...results: T) => void) => void): Promise<T> {
  return new Promise((resolve) => {
    let hasReturned = false;
    let count = 0;
    operation((...results: T) => {
      assert.ok(hasReturned, 'done came before the call returned');
      assert.equal(++count, 1);
      resolve(results);
    });
    hasReturned = true;
  });
}

async function open(path: string, mode: OpenMode): Promise<DiskFile> {
  const [error, file] = await call<[DiskError | null, DiskFile | null]>((done) => disk.open(path, mode, done));
  assert.equal(error, null);
  assert.ok(file !== null);
  return file;
}

async function ok(operation: (done: (error: DiskError | null) => void) => void): Promise<void> {
  const [error] = await call<[DiskError | null]>(operation);
  assert.equal(error, null);
}

test('what is written is read, short and long, synced and not', async () => {
  const path = join(root, 'content');
  const file = await open(path, 'create');
  assert.equal(file.sizeBytes, 0);
  const expected = new Uint8Array(600_000);
  let position = 0;
  for (const [length, sync] of [
    [1, true],
    [1000, false],
    [64 * 1024, true],
    [64 * 1024 + 1, true],
    [300_000, false],
  ] as const) {
    const bytes = Uint8Array.from({ length: length + 20 }, (_, i) => (i * 7 + length) & 0xff);
    await ok((done) => file.write(position, bytes, 10, 10 + length, sync, done));
    expected.set(bytes.subarray(10, 10 + length), position);
    position += length;
  }
  await ok((done) => file.sync(done));
  await ok((done) => file.close(done));
  assert.deepEqual(new Uint8Array(readFileSync(path)), expected.slice(0, position));
  const again = await open(path, 'read');
  assert.equal(again.sizeBytes, position);
  const target = new Uint8Array(position + 100);
  const [error, count] = await call<[DiskError | null, number]>((done) =>
    again.read(5, target, 3, target.length, done),
  );
  assert.equal(error, null);
  assert.equal(count, position - 5);
  assert.deepEqual(target.slice(3, 3 + count), expected.slice(5, position));
  const [, none] = await call<[DiskError | null, number]>((done) => again.read(position + 9, target, 0, 10, done));
  assert.equal(none, 0);
  await ok((done) => again.close(done));
});

test('the length can be set both ways; what is added is zero', async () => {
  const path = join(root, 'length');
  const file = await open(path, 'create');
  await ok((done) => file.write(0, Uint8Array.of(1, 2, 3, 4), 0, 4, true, done));
  await ok((done) => file.truncate(2, done));
  await ok((done) => file.truncate(70_000, done));
  await ok((done) => file.close(done));
  const bytes = readFileSync(path);
  assert.equal(bytes.length, 70_000);
  assert.deepEqual([...bytes.subarray(0, 5)], [1, 2, 0, 0, 0]);
});

test('modes: create cuts, write keeps, read refuses to write', async () => {
  const path = join(root, 'modes');
  writeFileSync(path, 'hello');
  const writing = await open(path, 'write');
  assert.equal(writing.sizeBytes, 5);
  await ok((done) => writing.write(0, Uint8Array.of(74), 0, 1, true, done));
  await ok((done) => writing.close(done));
  assert.equal(readFileSync(path, 'utf8'), 'Jello');
  const reading = await open(path, 'read');
  const [error] = await call<[DiskError | null]>((done) => reading.write(0, Uint8Array.of(1), 0, 1, false, done));
  assert.equal(error?.code, 'io');
  assert.match(error?.message ?? '', /write .*modes failed/);
  await ok((done) => reading.close(done));
  const creating = await open(path, 'create');
  await ok((done) => creating.close(done));
  assert.equal(statSync(path).size, 0);
});

test('directories: made with parents, listed with sizes, synced', async () => {
  const directory = join(root, 'a', 'b', 'version-2');
  await ok((done) => disk.makeDirectory(directory, done));
  await ok((done) => disk.makeDirectory(directory, done));
  writeFileSync(join(directory, 'log.1'), 'xyz');
  mkdirSync(join(directory, 'sub'));
  symlinkSync(join(directory, 'nowhere'), join(directory, 'dangling'));
  const [error, entries] = await call<[DiskError | null, readonly DiskEntry[]]>((done) => disk.list(directory, done));
  assert.equal(error, null);
  const found = [...entries].sort((x, y) => (x.name < y.name ? -1 : 1));
  assert.deepEqual(
    found.map(({ name, isDirectory }) => [name, isDirectory]),
    [
      ['log.1', false],
      ['sub', true],
    ],
  );
  assert.equal(found[0]?.sizeBytes, 3);
  await ok((done) => disk.rename(join(directory, 'log.1'), join(directory, 'log.2'), done));
  await ok((done) => disk.remove(join(directory, 'log.2'), done));
  await ok((done) => disk.syncDirectory(directory, done));
});

test('errors have the code that callers decide by, and name the path', async () => {
  const missing = join(root, 'missing');
  const file = join(root, 'file');
  writeFileSync(file, '');
  const [openError] = await call<[DiskError | null, DiskFile | null]>((done) => disk.open(missing, 'read', done));
  const [writeError] = await call<[DiskError | null, DiskFile | null]>((done) => disk.open(missing, 'write', done));
  const [listError] = await call<[DiskError | null, readonly DiskEntry[]]>((done) => disk.list(missing, done));
  const [removeError] = await call<[DiskError | null]>((done) => disk.remove(missing, done));
  const [syncError] = await call<[DiskError | null]>((done) => disk.syncDirectory(missing, done));
  const errors = [openError, writeError, listError, removeError, syncError];
  assert.deepEqual(
    errors.map((error) => error?.code),
    errors.map(() => 'not-found'),
  );
  assert.ok(errors.every((error) => error?.path === missing && error.message.includes(missing)));
  const [notDirectory] = await call<[DiskError | null, readonly DiskEntry[]]>((done) => disk.list(file, done));
  assert.equal(notDirectory?.code, 'not-a-directory');
  const [below] = await call<[DiskError | null]>((done) => disk.makeDirectory(join(file, 'x'), done));
  assert.equal(below?.code, 'not-a-directory');
});

test('a full disk is told apart', { skip: !isDevFullThere() }, async () => {
  const file = await open('/dev/full', 'write');
  for (const length of [10, 100_000]) {
    const bytes = new Uint8Array(length);
    const [error] = await call<[DiskError | null]>((done) => file.write(0, bytes, 0, length, true, done));
    assert.equal(error?.code, 'no-space');
  }
  await ok((done) => file.close(done));
});

function isDevFullThere(): boolean {
  try {
    return statSync('/dev/full').isCharacterDevice();
  } catch {
    return false;
  }
}

test('a directory that may not be written to', { skip: process.getuid?.() === 0 }, async () => {
  const directory = join(root, 'locked');
  mkdirSync(directory);
  chmodSync(directory, 0o500);
  const [error] = await call<[DiskError | null, DiskFile | null]>((done) =>
    disk.open(join(directory, 'x'), 'create', done),
  );
  assert.equal(error?.code, 'not-permitted');
});
