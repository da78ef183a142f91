/** Words, options, help: what every modern command has in common. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCommand, sections } from '../command-table.js';
import { type CommandLineRules, commandHelp, parseCommandLine, UsageError } from './command-line.js';
import { parseAuth } from './invocation.js';
import { runInProcess } from './run-in-process.js';

const rules: CommandLineRules = {
  name: 'ls',
  operands: { min: 1, max: 2 },
  options: [
    { long: 'long', short: 'l', text: 'more' },
    { long: 'depth', short: 'd', value: 'N', text: 'levels' },
  ],
  notes: '',
};

test('options anywhere, short ones together, values behind a blank or =', () => {
  const line = parseCommandLine(rules, [
    '/a',
    '-ld',
    '3',
    '--server=h:1',
    '--auth',
    'x:1',
    '--auth',
    'x:2',
    '--',
    '-b',
  ]);
  assert.deepEqual(line.operands, ['/a', '-b']);
  assert.equal(line.has('long'), true);
  assert.equal(line.has('json'), false);
  assert.equal(line.value('depth'), '3');
  assert.equal(line.value('server'), 'h:1');
  assert.deepEqual(line.values('auth'), ['x:1', 'x:2']);
  assert.equal(line.value('timeout'), undefined);
});

test('the words of a command of its own are nobody else’s', () => {
  const line = parseCommandLine({ ...rules, hasChildCommand: true }, [
    '/a',
    '-l',
    '--',
    'sh',
    '-c',
    '--json',
    '--',
    'x',
  ]);
  assert.deepEqual(line.operands, ['/a']);
  assert.deepEqual(line.childCommand, ['sh', '-c', '--json', '--', 'x']);
  assert.equal(line.has('json'), false);
});

test('what is refused, and how', () => {
  const cases: readonly (readonly [words: string[], message: RegExp])[] = [
    [[], /^something is missing: zoots ls \[PATH\]/],
    [['a', 'b', 'c'], /^"c" is too much/],
    [['a', '--bogus'], /^there is no option --bogus$/],
    [['a', '--dep', '3'], /^there is no option --dep; did you mean --depth\?$/],
    [['a', '-x'], /^there is no option -x$/],
    [['a', '--depth'], /^--depth needs a value: --depth N$/],
    [['a', '-d', '1', '-d', '2'], /^--depth was given more than once$/],
    [['a', '--long=yes'], /^--long takes no value$/],
  ];
  for (const [words, message] of cases) {
    assert.throws(
      () => parseCommandLine(rules, words),
      (error: Error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, message);
        return true;
      },
    );
  }
  const noChild = { ...rules, hasChildCommand: true };
  assert.throws(() => parseCommandLine(noChild, ['/a', '--']), /the command to run is missing; it stands behind --/);
});

test('help says everything, and asks for nothing', () => {
  assert.equal(parseCommandLine(rules, ['--help']).has('help'), true);
  const help = commandHelp({ ...rules, notes: 'A note.' });
  for (const part of ['Usage: zoots ls', '-l, --long', '--depth N', '--server HOSTS', '--json', 'A note.']) {
    assert.ok(help.includes(part), part);
  }
});

test('an identity is a scheme, a colon, and whatever follows', () => {
  assert.deepEqual(parseAuth('digest:me:a:b'), { scheme: 'digest', auth: Buffer.from('me:a:b') });
  for (const text of ['digest', ':x', '']) assert.throws(() => parseAuth(text), UsageError);
});

const modernTitles: ReadonlySet<string> = new Set(['Znodes', 'Subtrees', 'Coordination']);
const modern = [
  ...sections.filter(({ title }) => modernTitles.has(title)).flatMap(({ commands }) => Object.keys(commands)),
  'top',
].filter((name) => name !== 'cli');

test('each command has help with JSON and an example, and refuses unknown options', async () => {
  assert.equal(modern.length, 18);
  for (const name of modern) {
    const help = await runInProcess([name, '--help']);
    assert.deepEqual([help.exitCode, help.err], [0, ''], name);
    assert.ok(help.out.startsWith(`Usage: zoots ${name} ${findCommand(name)?.usage}`.trimEnd()), name);
    assert.match(help.out, /JSON/, name);
    assert.match(help.out, new RegExp(`\n {2}zoots (get|${name}) `), name);
    for (const line of help.out.split('\n')) assert.ok(line.length <= 130, `${name}: ${line.length}: ${line}`);
    const bogus = await runInProcess([name, '--bogus']);
    assert.deepEqual([bogus.exitCode, bogus.out], [2, ''], name);
    assert.equal(bogus.err, `zoots ${name}: there is no option --bogus\nzoots ${name} --help says more\n`);
  }
});
