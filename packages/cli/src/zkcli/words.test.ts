import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitLine } from './words.js';

test('a line is split at blanks, and quotes hold words together', () => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['ls /', ['ls', '/']],
    ['  ls \t /  ', ['ls', '/']],
    ['', []],
    ['   ', []],
    ["set /a 'two words'", ['set', '/a', 'two words']],
    ['set /a "it\'s"', ['set', '/a', "it's"]],
    ["set /a ''", ['set', '/a', '']],
    ["set /a mid'quote", ['set', '/a', "mid'quote"]],
    ['set /a "unclosed', ['set', '/a', 'unclosed']],
    ['set /a "x"y', ['set', '/a', 'x', 'y']],
    ['"ls" \'/\'', ['ls', '/']],
    ["'", []],
  ];
  for (const [line, words] of rows) assert.deepEqual(splitLine(line), words, line);
});
