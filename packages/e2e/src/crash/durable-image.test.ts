import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Prng } from '../differential/prng.js';
import { type CutKind, DurableImage, type NameRule } from './durable-image.js';
import { readJournal, recordKinds } from './journal.js';

/** A journal under construction, in the format of power-cut.c. */
class Script {
  readonly #parts: Buffer[] = [];
  length = 0;

  add(kind: number, inode: number, offset: number, payload: string | Buffer = ''): this {
    const bytes = Buffer.from(payload);
    const head = Buffer.alloc(24);
    head.writeUInt32LE(kind, 0);
    head.writeUInt32LE(bytes.length, 4);
    head.writeBigUInt64LE(BigInt(inode), 8);
    head.writeBigUInt64LE(BigInt(offset), 16);
    this.#parts.push(head, bytes);
    this.length += head.length + bytes.length;
    return this;
  }

  sync(inode: number): this {
    return this.add(recordKinds.sync, inode, this.length);
  }

  syncDirectory(path: string): this {
    return this.add(recordKinds.syncDirectory, 0, this.length, path);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function cut(
  build: (script: Script, root: string) => void,
  kind: CutKind,
  rule: NameRule,
  seed = 1,
): Map<string, string> {
  const directory = mkdtempSync(join(tmpdir(), 'zoots-image-'));
  try {
    const root = join(directory, 'data');
    const target = join(directory, 'target');
    mkdirSync(root);
    mkdirSync(target);
    writeFileSync(join(root, 'old'), 'before');
    const image = new DurableImage(root, rule);
    const script = new Script();
    build(script, root);
    for (const record of readJournal(script.finish())) image.apply(record);
    image.materialise(target, kind, new Prng(seed));
    const names = readdirSync(target, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return new Map(names.map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), 'latin1')]));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('a strict cut keeps what was synced, and only under a durable name', () => {
  const build = (script: Script, root: string): void => {
    script.add(recordKinds.create, 7, 0, `${root}/new`).add(recordKinds.write, 7, 0, 'synced').sync(7);
    script.add(recordKinds.write, 7, 6, ' and not');
  };
  assert.deepEqual([...cut(build, 'strict', 'posix')], [['old', 'before']]);
  assert.equal(cut(build, 'strict', 'journaled').get('new'), 'synced');
  const withDirectory = (script: Script, root: string): void => {
    build(script, root);
    script.syncDirectory(root);
  };
  assert.equal(cut(withDirectory, 'strict', 'posix').get('new'), 'synced');
});

test('what a sync began too early to cover is lost, and what a failed sync dropped never comes back', () => {
  const build = (script: Script, root: string): void => {
    script.add(recordKinds.create, 7, 0, `${root}/new`).syncDirectory(root);
    const began = script.length;
    script.add(recordKinds.write, 7, 0, 'late').add(recordKinds.sync, 7, began);
  };
  assert.equal(cut(build, 'strict', 'posix').get('new'), '');
  const failing = (script: Script, root: string): void => {
    script.add(recordKinds.create, 7, 0, `${root}/new`).syncDirectory(root);
    script.add(recordKinds.write, 7, 0, 'gone').add(recordKinds.lost, 7, script.length);
    script.add(recordKinds.write, 7, 4, 'kept').sync(7);
  };
  assert.equal(cut(failing, 'strict', 'posix').get('new'), '\0\0\0\0kept');
});

test('renames and unlinks without a directory sync are undone', () => {
  const build = (script: Script, root: string): void => {
    script
      .add(recordKinds.create, 7, 0, `${root}/new.tmp`)
      .add(recordKinds.write, 7, 0, 'x')
      .sync(7)
      .syncDirectory(root);
    script.add(recordKinds.rename, 0, 0, `${root}/new.tmp\0${root}/new`).add(recordKinds.unlink, 0, 0, `${root}/old`);
  };
  assert.deepEqual([...cut(build, 'strict', 'posix')].sort(), [
    ['new.tmp', 'x'],
    ['old', 'before'],
  ]);
  const synced = (script: Script, root: string): void => {
    build(script, root);
    script.syncDirectory(root);
  };
  assert.deepEqual([...cut(synced, 'strict', 'posix')], [['new', 'x']]);
});

test('a file in a directory that was never made durable is not there', () => {
  const build = (script: Script, root: string): void => {
    script.add(recordKinds.mkdir, 0, 0, `${root}/sub`).add(recordKinds.create, 7, 0, `${root}/sub/new`);
    script.add(recordKinds.write, 7, 0, 'x').sync(7).syncDirectory(`${root}/sub`);
  };
  assert.deepEqual([...cut(build, 'strict', 'posix')], [['old', 'before']]);
});

test('a torn cut keeps whole sectors of unsynced writes, and different seeds keep different ones', () => {
  const build = (script: Script, root: string): void => {
    script.add(recordKinds.create, 7, 0, `${root}/new`).sync(7).syncDirectory(root);
    script.add(recordKinds.write, 7, 0, Buffer.alloc(512 * 8, 'x'));
  };
  const shapes = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const content = cut(build, 'torn', 'posix', seed).get('new') as string;
    for (let at = 0; at < content.length; at += 512) assert.match(content.slice(at, at + 512), /^(x{512}|\0{512})$/);
    shapes.add(content.replace(/(.)\1{511}/gs, '$1'));
  }
  assert.ok(shapes.size > 8, `only ${shapes.size} shapes`);
});
