import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PropertiesSyntaxError, parseProperties } from './properties-file.js';

function pairs(text: string): [string, string][] {
  return parseProperties(text).map(({ key, value }) => [key, value]);
}

test('separators: equals, colon, blank, with blanks around', () => {
  assert.deepEqual(pairs('a=1\nb:2\nc 3\n  d \t = \t 4  \ne\t:5\nf==6\ng =: 7\nh'), [
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
    ['d', '4'],
    ['e', '5'],
    ['f', '=6'],
    ['g', ': 7'],
    ['h', ''],
  ]);
});

test('comments and empty lines are skipped, also after a carriage return', () => {
  assert.deepEqual(parseProperties('# a\r\n! b\r\n\r\n \t# c\rkey=1#not a comment\n'), [
    { key: 'key', value: '1#not a comment', line: 5 },
  ]);
});

test('continuation joins lines, drops leading blanks, and a comment does not continue', () => {
  assert.deepEqual(parseProperties('a=1,\\\n   2,\\\n\t3\n# x\\\nb=4\nc=5\\\\\nd=6\\'), [
    { key: 'a', value: '1,2,3', line: 1 },
    { key: 'b', value: '4', line: 5 },
    { key: 'c', value: '5\\', line: 6 },
    { key: 'd', value: '6', line: 7 },
  ]);
});

test('a continued line may begin with a comment sign', () => {
  assert.deepEqual(pairs('a=1\\\n#2'), [['a', '1#2']]);
});

test('escapes in keys and values', () => {
  assert.deepEqual(pairs('a\\=b\\ c=x\\ty\\u00e9\\q\\\\'), [['a=b c', 'x\tyéq\\']]);
});

test('a broken unicode escape names its line', () => {
  assert.throws(
    () => parseProperties('a=1\n\nb=\\u12x4'),
    (error: unknown) => error instanceof PropertiesSyntaxError && error.line === 3,
  );
});

test('duplicates are all there, in order; a byte order mark is not a part of a key', () => {
  assert.deepEqual(pairs('\ufeffa=1\na=2'), [
    ['a', '1'],
    ['a', '2'],
  ]);
});

test('what is written with escapes is read back', () => {
  const escaped = (text: string): string =>
    [...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  const word = fc.string({
    unit: fc.integer({ min: 33, max: 0xd7ff }).map((code) => String.fromCharCode(code)),
    minLength: 1,
  });
  fc.assert(
    fc.property(word, word, (key, value) => {
      assert.deepEqual(pairs(`${escaped(key)}=${escaped(value)}`), [[key.trim(), value.trim()]]);
    }),
  );
});

test('any text is entries or a syntax error, with line numbers that rise', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '=', ':', ' ', '\\', '\n', '\r', '#', 'u', '0') }), (text) => {
      try {
        const lines = parseProperties(text).map((entry) => entry.line);
        for (let i = 1; i < lines.length; i++) assert.ok((lines[i] as number) > (lines[i - 1] as number));
      } catch (error) {
        assert.ok(error instanceof PropertiesSyntaxError);
      }
    }),
  );
});
