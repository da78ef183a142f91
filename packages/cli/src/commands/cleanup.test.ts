import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runTool } from '../data-tools/run-tool.js';
import { sampleSnapshot } from '../data-tools/sample-files.js';

const directory = mkdtempSync(join(tmpdir(), 'zoots-cleanup-'));
after(() => rmSync(directory, { recursive: true }));

/** A data directory with these files. */
function dataDirectory(name: string, files: Readonly<Record<string, Uint8Array>>): string {
  const path = join(directory, name);
  mkdirSync(join(path, 'version-2'), { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, 'version-2', file), bytes);
  return path;
}

function filesOf(path: string): string[] {
  return readdirSync(join(path, 'version-2')).sort();
}

const whole = sampleSnapshot([]);
const log = new Uint8Array(16);
const files = {
  'snapshot.0': whole,
  'snapshot.5': whole,
  'snapshot.9': whole,
  'snapshot.c.gz': gzipSync(whole),
  'snapshot.20': whole,
  // Looks at no time like a whole one: not counted, and newer than what is kept.
  'snapshot.30': Buffer.from('rubbish'),
  'log.1': log,
  'log.6': log,
  'log.8': log,
  'log.a': log,
  'log.21': log,
};

test('keeps the newest snapshots that look whole, and the logs they need', () => {
  const path = dataDirectory('one', files);
  const { lines, exitCode, error } = runTool(['cleanup', path, '-n', '3']);
  assert.deepEqual([exitCode, error], [0, '']);
  assert.deepEqual(filesOf(path), [
    'log.21',
    'log.8',
    'log.a',
    'snapshot.20',
    'snapshot.30',
    'snapshot.9',
    'snapshot.c.gz',
  ]);
  assert.equal(lines.length, 5);
  const form = /^Removing file: [A-Z][a-z]{2} \d+, \d{4}, \d+:\d\d:\d\d [AP]M\t(.*)$/;
  const removed = lines.slice(0, 4).map((line) => form.exec(line)?.[1]);
  assert.deepEqual(
    removed,
    ['log.1', 'log.6', 'snapshot.0', 'snapshot.5'].map((name) => join(path, 'version-2', name)),
  );
});

test('logs and snapshots may lie apart; too few snapshots: nothing goes', () => {
  const logs = dataDirectory('logs', { 'log.1': log, 'log.6': log, 'log.8': log });
  const few = dataDirectory('few', { 'snapshot.5': whole, 'snapshot.9': whole });
  assert.equal(runTool(['cleanup', logs, few, '-n', '3']).out, '');
  const snapshots = dataDirectory('snapshots', { 'snapshot.7': whole, 'snapshot.9': whole, 'snapshot.b': whole });
  assert.equal(runTool(['cleanup', logs, snapshots, '-n', '3']).lines.length, 2);
  assert.deepEqual(filesOf(logs), ['log.6', 'log.8']);
});

test('bad invocations', () => {
  const path = dataDirectory('bad', files);
  const cases: readonly (readonly [words: string[], error: string])[] = [
    [[], ''],
    [[path, '3'], ''],
    [[path, '-m', '3'], ''],
    [[path, '-n', '2'], 'count should be greater than or equal to 3\n'],
    [[path, '-n', 'x'], "'x' can not be parsed to integer.\n"],
    [[join(directory, 'none'), '-n', '3'], `Path '${join(directory, 'none')}' does not exist. \n`],
  ];
  for (const [words, error] of cases) {
    const result = runTool(['cleanup', ...words]);
    assert.deepEqual([result.exitCode, result.error], [1, error]);
    assert.match(result.out, /^Usage:\nPurgeTxnLog dataLogDir \[snapDir\] -n count\n/);
  }
  assert.equal(filesOf(path).length, Object.keys(files).length);
});

test('initialize makes empty directories, once, or again with --force', () => {
  const [data, logs] = [join(directory, 'new'), join(directory, 'new-logs')];
  const config = join(directory, 'zoo.cfg');
  writeFileSync(config, `dataDir=${data}\n dataLogDir=${logs}\n`);
  const first = runTool(['initialize', '--configfile', config, '--myid=3']);
  assert.deepEqual([first.exitCode, first.out], [0, 'Using myid of 3\n']);
  assert.equal(readFileSync(join(data, 'myid'), 'utf8'), '3\n');
  assert.equal(existsSync(join(logs, 'version-2')), true);
  assert.equal(existsSync(join(logs, 'initialize')), true);
  const again = runTool(['initialize', `--configfile=${config}`]);
  assert.equal(again.exitCode, 1);
  assert.match(
    again.out,
    /^ZooKeeper data directory already exists at .* \(or use --force to force re-initialization\)$/m,
  );
  writeFileSync(join(data, 'version-2', 'snapshot.0'), '');
  const forced = runTool(['initialize', `--configfile=${config}`, '--force']);
  assert.equal(forced.exitCode, 0);
  assert.match(forced.out, /^Force enabled, .*\nNo myid provided, be sure to specify it in /);
  assert.deepEqual(filesOf(data), []);
  assert.equal(existsSync(join(data, 'myid')), false);
});

test('initialize --force leaves the directory of a running server alone', async () => {
  const data = dataDirectory('running', { 'snapshot.0': whole });
  const config = join(directory, 'running.cfg');
  writeFileSync(config, `dataDir=${data}\n`);
  const { openDataDirectories } = await import('@zoots/server');
  const lock = await openDataDirectories({ dataDir: data, dataLogDir: data, datadirAutocreate: false });
  try {
    const result = runTool(['initialize', `--configfile=${config}`, '--force']);
    assert.equal(result.exitCode, 1);
    assert.match(result.out, /is in use by a running server/);
    assert.deepEqual(filesOf(data), ['snapshot.0']);
  } finally {
    lock.release();
  }
});

test('initialize refuses what it cannot work with', () => {
  assert.match(
    runTool(['initialize', '--configfile=/none/zoo.cfg']).out,
    /^Unable to find config file at \/none\/zoo\.cfg/,
  );
  const config = join(directory, 'empty.cfg');
  writeFileSync(config, 'tickTime=2000\n');
  assert.match(runTool(['initialize', `--configfile=${config}`]).out, /^Unable to determine dataDir from /);
  const unknown = runTool(['initialize', '--bla']);
  assert.equal(unknown.exitCode, 1);
  assert.match(unknown.out, /^Unknown option: --bla\nusage: /);
});
