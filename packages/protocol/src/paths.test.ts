import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { decodeUtf8, encodeUtf8, Prng } from '@zoots/base';
import { formatSequence, hasSlashAndNoNul, isValidPath, lastSlash } from './paths.js';

/** The rule as it is written down, over UTF-16 units. */
function isValidByRule(path: string): boolean {
  if (!path.startsWith('/')) return false;
  if (path === '/') return true;
  if (path.endsWith('/')) return false;
  if (
    path
      .slice(1)
      .split('/')
      .some((part) => part === '' || part === '.' || part === '..')
  )
    return false;
  for (let i = 0; i < path.length; i++) {
    const unit = path.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f) || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0)
      return false;
  }
  return true;
}

test('random paths, well-formed and malformed, are judged as the rule does', () => {
  const prng = new Prng(5);
  const pieces = [
    '/',
    '/',
    'a',
    '.',
    '..',
    'é',
    '\u0001',
    '\u007f',
    '\u0085',
    '\u00a0',
    '\ud7ff',
    '\uf900',
    '\ufff0',
    '\uffef',
    '\u{1f600}',
  ];
  let valid = 0;
  for (let round = 0; round < 50_000; round++) {
    const text = `${prng.chance(0.9) ? '/' : ''}${Array.from({ length: prng.below(6) }, () => prng.pick(pieces)).join('')}`;
    const bytes = prng.chance(0.8) ? Uint8Array.from(Buffer.from(text)) : encodeUtf8(text);
    if (prng.chance(0.1) && bytes.length > 1) bytes[prng.below(bytes.length)] = prng.below(256);
    const expected = isValidByRule(decodeUtf8(bytes, 0, bytes.length));
    assert.equal(isValidPath(bytes, 0, bytes.length), expected, JSON.stringify(text));
    if (expected) valid++;
  }
  assert.ok(valid > 1000, `${valid} valid paths`);
});

test('the checks before the others', () => {
  const check = (text: string): boolean => hasSlashAndNoNul(Buffer.from(text), 0, text.length);
  assert.ok(check('a/b'));
  assert.ok(!check('ab'));
  assert.ok(!check('/a\0'));
  assert.equal(lastSlash(Buffer.from('/a/b'), 0, 4), 2);
  assert.equal(lastSlash(Buffer.from('ab'), 0, 2), -1);
});

test('sequence numbers wrap as a signed int does', () => {
  assert.equal(formatSequence(0), '0000000000');
  assert.equal(formatSequence(2147483647), '2147483647');
  assert.equal(formatSequence(-2147483648), '-2147483648');
  assert.equal(formatSequence(-1), '-000000001');
});
