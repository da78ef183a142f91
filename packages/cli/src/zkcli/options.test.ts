import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliError } from './errors.js';
import { type OptionTable, optionLines, parseOptions } from './options.js';

const table: OptionTable = {
  rows: [
    { name: 's', text: 'stats' },
    { name: 'w', text: 'watch' },
    { name: 'v', hasValue: true, text: 'version' },
    { name: 'file', hasValue: true, text: 'a file' },
  ],
};

function read(line: string, from = table): string {
  const parsed = parseOptions(from, line.split(' '));
  const options = from.rows.filter(({ name }) => parsed.has(name)).map(({ name }) => `${name}:${parsed.value(name)}`);
  return [...options, ...parsed.words].join(' ');
}

function refusal(line: string, from = table): string {
  try {
    read(line, from);
  } catch (error) {
    assert.ok(error instanceof CliError);
    assert.equal(error.exitCode, 1);
    return error.message.replace('org.apache.commons.cli.', '');
  }
  return assert.fail(`accepted: ${line}`);
}

test('options stand anywhere, joined or with values, until two dashes', () => {
  const rows = {
    'get /a': 'get /a',
    'get -s /a': 's: get /a',
    'get /a -s': 's: get /a',
    'get -sw /a': 's: w: get /a',
    'get -v 3 /a': 'v:3 get /a',
    'get -v3 /a': 'v:3 get /a',
    'get -v=3 /a': 'v:3 get /a',
    'get -sv3 /a': 's: v:3 get /a',
    'get -v -3 /a': 'v:-3 get /a',
    'get -v -x /a': 'v:-x get /a',
    'get -v "3" /a': 'v:3 get /a',
    'get -v 1 -v 2 /a': 'v:1 get /a',
    'get -file x /a': 'file:x get /a',
    'get -file=x /a': 'file:x get /a',
    'get - /a': 'get - /a',
    'get -- -s': 'get -s',
  };
  for (const [line, expected] of Object.entries(rows)) assert.equal(read(line), expected, line);
});

test('refusals are those of the library that Apache uses', () => {
  assert.equal(refusal('get -z'), 'UnrecognizedOptionException: Unrecognized option: -z');
  assert.equal(refusal('get -sz'), 'UnrecognizedOptionException: Unrecognized option: -sz');
  assert.equal(refusal('get --s'), 'UnrecognizedOptionException: Unrecognized option: --s');
  assert.equal(refusal('get -s=1'), 'UnrecognizedOptionException: Unrecognized option: -s=1');
  assert.equal(refusal('get /a -v'), 'MissingArgumentException: Missing argument for option: v');
  assert.equal(refusal('get -v -s /a'), 'MissingArgumentException: Missing argument for option: v');
});

test('options of a choice exclude each other', () => {
  const rows = [
    { name: 'n', text: 'number' },
    { name: 'b', text: 'bytes' },
  ];
  assert.equal(read('x -n', { rows, choice: 'optional' }), 'n: x');
  assert.equal(read('x -n -n', { rows, choice: 'required' }), 'n: x');
  assert.equal(
    refusal('x', { rows, choice: 'required' }),
    'MissingOptionException: Missing required option: [-n number, -b bytes]',
  );
  assert.match(refusal('x -n -b', { rows, choice: 'optional' }), /^AlreadySelectedException: The option 'b' .*: 'n'$/);
});

test('the help has a line for each option, sorted', () => {
  const lines = [' -file <arg>   a file', ' -s            stats', ' -v <arg>      version', ' -w            watch'];
  assert.equal(optionLines(table), `${lines.join('\n')}\n`);
});
