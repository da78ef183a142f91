import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runTool } from '../data-tools/run-tool.js';
import { sampleSnapshot } from '../data-tools/sample-files.js';

const directory = mkdtempSync(join(tmpdir(), 'zoots-snapshot-'));
after(() => rmSync(directory, { recursive: true }));

const nodes = [
  { path: '/b', data: 'one' },
  { path: '/b/"q"', data: null, owner: 7 },
  { path: '/a', data: '' },
  { path: '/b/x', data: '1234567' },
  { path: '/b/x/y', data: 'z', owner: 7 },
];
const bytes = sampleSnapshot(nodes);
const snapshot = join(directory, 'snapshot.20');
writeFileSync(snapshot, bytes);
const grown = join(directory, 'snapshot.30.gz');
writeFileSync(grown, gzipSync(sampleSnapshot([...nodes, { path: '/c', data: 'longer than ten' }])));

test('every node with its stat, sessions, and the last zxid', () => {
  const { lines, exitCode } = runTool(['snapshot', snapshot]);
  assert.equal(exitCode, 0);
  assert.deepEqual(lines.slice(0, 14), [
    'ZNode Details (count=7):',
    '----',
    '/',
    '  cZxid = 0x00000000000010',
    '  ctime = Tue Nov 14 22:13:20 UTC 2023',
    '  mZxid = 0x0000000000002a',
    '  mtime = Tue Nov 14 22:14:20 UTC 2023',
    '  pZxid = 0x00000000000029',
    '  cversion = 2',
    '  dataVersion = 1',
    '  aclVersion = 3',
    '  ephemeralOwner = 0x00000000000000',
    '  dataLength = 0',
    '----',
  ]);
  const paths = lines.filter((line) => line.startsWith('/'));
  assert.deepEqual(paths, ['/', '/a', '/b', '/b/x', '/b/x/y', '/b/"q"']);
  // Sessions 0x17 and 7 share a bucket: the first to come stays the first.
  assert.deepEqual(lines.slice(-7), [
    '----',
    'Session Details (sid, timeout, ephemeralCount):',
    '0x00000000000017, 4000, 0',
    '0x00000000000007, 4000, 2',
    '----',
    'Last zxid: 0x2a',
    '',
  ]);
});

test('-d prints data in base64, and the zxid of the name counts', () => {
  const { out } = runTool(['snapshot', '-d', grown]);
  assert.match(out, /\n {2}data = MTIzNDU2Nw==\n/);
  assert.match(out, /\n {2}data = \n/);
  assert.match(out, /Last zxid: 0x30\n$/);
});

test('-json nests children behind their parent', () => {
  const result = JSON.parse(runTool(['snapshot', '-json', snapshot]).out);
  const [version, , origin, tree] = result;
  assert.equal(version, 1);
  assert.equal(origin.progname, 'SnapshotFormatter.java');
  assert.deepEqual(tree[0], { name: '/', asize: 0, dsize: 0, dev: 0, ino: 1001 });
  assert.deepEqual(tree[2][0], { name: 'b', asize: 3, dsize: 3, dev: 0, ino: 1003 });
  assert.deepEqual(tree[2][2], { name: '"q"', asize: 0, dsize: 0, dev: 0, ino: 1006 });
});

test('bad invocations and damaged files', () => {
  assert.equal(runTool(['snapshot']).exitCode, 2);
  assert.equal(runTool(['snapshot', '-json']).exitCode, 2);
  assert.equal(runTool(['snapshot', snapshot, '-d']).exitCode, 2);
  assert.match(runTool(['snapshot', '-d', '-json', snapshot]).error, /^Cannot specify both/);
  assert.equal(runTool(['snapshot', directory]).error, `'${directory}' is a directory. it must be a file.\n`);
  const missing = runTool(['snapshot', join(directory, 'none')]);
  assert.deepEqual([missing.exitCode, missing.error], [2, `File '${join(directory, 'none')}' does not exist.\n`]);
  const broken = join(directory, 'snapshot.21');
  const flipped = Buffer.from(bytes);
  flipped[60] ^= 1;
  writeFileSync(broken, flipped);
  const result = runTool(['snapshot', broken]);
  assert.deepEqual([result.exitCode, result.out], [1, '']);
  assert.match(result.error, /snapshot\.21 is damaged at offset \d+ of its content: /);
});

test('the summary counts all, and shows levels down to a depth', () => {
  const whole = runTool(['snapshot-summary', snapshot, '/', '0']).out;
  assert.equal(
    whole,
    ' /\n   children: 5\n   data: 11\n-- /b\n--   children: 3\n--   data: 11\n---- /b/x\n----   children: 1\n----   data: 8\n\n',
  );
  const short = runTool(['snapshot-summary', snapshot, '/b', '0']).lines;
  assert.deepEqual(short.slice(0, 3), [' /b', '   children: 3', '   data: 11']);
  assert.equal(runTool(['snapshot-summary', snapshot, '/', '1']).lines.length, 8);
  assert.equal(runTool(['snapshot-summary', snapshot, '/']).exitCode, 2);
  assert.equal(runTool(['snapshot-summary', snapshot, '/', 'x']).exitCode, 2);
  assert.match(runTool(['snapshot-summary', snapshot, '/none', '0']).error, /has no node \/none/);
});

test('the comparison prints what differs by more than the thresholds', () => {
  const { lines, exitCode } = runTool(['snapshot-compare', '-l', snapshot, '--right', grown, '-b', '14', '-n', '1']);
  assert.equal(exitCode, 0);
  assert.match(lines[1] as string, /^Deserialized snapshot in snapshot\.20 in \d+\.\d{6} seconds$/);
  assert.deepEqual(lines.slice(5, 12), [
    'Node count: 6',
    'Total size: 11',
    'Max depth: 4',
    'Count of nodes at depth 0: 1',
    'Count of nodes at depth 1: 2',
    'Count of nodes at depth 2: 2',
    'Count of nodes at depth 3: 1',
  ]);
  assert.deepEqual(lines.slice(-10), [
    '',
    'Printing analysis for nodes difference larger than 14 bytes or node count difference larger than 1.',
    'Analysis for depth 0',
    'Node  found in both trees. Delta: 15 bytes, 1 descendants',
    'Analysis for depth 1',
    'Node /c found only in right tree. Descendant size: 15. Descendant count: 0',
    'Analysis for depth 2',
    'Analysis for depth 3',
    'All layers compared.',
    '',
  ]);
});

test('the interactive comparison answers paths and depths', () => {
  const words = ['snapshot-compare', '-i', '-l', snapshot, '-r', snapshot, '-b', '0', '-n', '0'];
  const { out } = runTool(words, '/b\n/none\n9\nsoon\n3\n\n\n\n\n');
  assert.match(out, /\nFiltered node \/b\/x of left size 8, right size 8\n/);
  assert.match(out, /\nPath \/none is neither found in left tree nor right tree\.\n/);
  assert.match(out, /\nDepth must be in range \[0, 3\]\nCurrent depth is 0\n/);
  assert.match(out, /\nInput soon is not valid\. /);
  assert.match(out, /\nAll layers compared\.\n$/);
  assert.equal(runTool(words, '1\n').exitCode, 1);
});

test('the comparison wants its four options', () => {
  const result = runTool(['snapshot-compare', '-l', 'x', '-b', '1']);
  assert.deepEqual([result.exitCode, result.error], [2, 'Missing required options: r, n\n']);
  assert.equal(runTool(['snapshot-compare', '-l', 'x', '-r', 'y', '-b', 'a', '-n', '1']).exitCode, 1);
});
