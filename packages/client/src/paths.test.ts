import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '@zoots/base';
import { isValidPath } from '@zoots/protocol';
import fc from 'fast-check';
import { ArgumentError } from './errors.js';
import { checkPath, childOf, joinBase, nameOf, parentOf, stripBase } from './paths.js';

function isAccepted(path: string): boolean {
  try {
    checkPath(path, 'get');
    return true;
  } catch {
    return false;
  }
}

test('the rules are the servers own, on any text', () => {
  const names = fc.array(fc.constantFrom('a', '.', '..', '', 'b.c', 'é', '\u0000', '\ue000', ' ', '~', '\u007f', '😀'));
  fc.assert(
    fc.property(names, (parts) => {
      const path = `/${parts.join('/')}`;
      const bytes = encodeUtf8(path);
      assert.equal(isAccepted(path), isValidPath(bytes, 0, bytes.length), JSON.stringify(path));
    }),
  );
});

test('errors say what to do', () => {
  assert.throws(() => checkPath('a', 'get'), /get a: a path begins with \//);
  assert.throws(() => checkPath('/a/', 'get'), /does not end with/);
  assert.throws(() => checkPath('/a//b', 'get'), /empty names/);
  assert.throws(() => checkPath('/a/../b', 'get'), /\. or \.\./);
  assert.throws(() => checkPath('/a\u0001', 'get'), /does not allow/);
  assert.throws(() => checkPath(7 as unknown as string, 'get'), ArgumentError);
});

test('joining and stripping a base undo each other', () => {
  for (const base of ['', '/app', '/app/b']) {
    for (const path of ['/', '/a', '/a/b']) assert.equal(stripBase(base, joinBase(base, path)), path);
  }
  assert.equal(joinBase('/app', '/'), '/app');
  assert.equal(stripBase('/app', '/application/x'), '/application/x');
});

test('parents and names', () => {
  assert.deepEqual([parentOf('/a/b'), parentOf('/a'), nameOf('/a/b')], ['/a', '/', 'b']);
  assert.deepEqual([childOf('/', 'a'), childOf('/a', 'b')], ['/a', '/a/b']);
});
