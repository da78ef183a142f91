/** export, import, cp, diff: between paths, servers, files and snapshots. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { CREATOR_ALL_ACL, connect, type ZooKeeper } from '@zoots/client';
import { startServer, type TestServer } from '@zoots/testing';
import { sampleSnapshot } from '../data-tools/sample-files.js';
import { type CommandResult, runInProcess } from './run-in-process.js';

const directory = mkdtempSync(join(tmpdir(), 'zoots-subtrees-'));
const dump = join(directory, 'dump.jsonl');
let here: TestServer;
let there: TestServer;
let zk: ZooKeeper;
let other: ZooKeeper;

beforeEach(async () => {
  [here, there] = await Promise.all([startServer(), startServer()]);
  [zk, other] = await Promise.all([connect(here.connectString), connect(there.connectString)]);
  await zk.create('/app', 'root');
  await zk.create('/app/bin', Uint8Array.of(0, 0xff));
  await zk.create('/app/null', null, { acl: [{ scheme: 'world', id: 'anyone', perms: 31 & ~2 }] });
  await zk.create('/app/eph', 'e', { mode: 'ephemeral' });
  await zk.create('/app/a', 'A');
  await zk.create('/app/a/b', 'B');
});

afterEach(async () => {
  await Promise.all([zk.close(), other.close()]);
  await Promise.all([here.stop(), there.stop()]);
});
after(() => rmSync(directory, { recursive: true }));

function zoots(...words: string[]): Promise<CommandResult> {
  return runInProcess([...words, '--server', here.connectString]);
}

async function ok(...words: string[]): Promise<CommandResult> {
  const result = await zoots(...words);
  assert.deepEqual([result.exitCode, result.err], [0, ''], words.join(' '));
  return result;
}

async function refused(exitCode: number, message: RegExp, ...words: string[]): Promise<void> {
  const result = await zoots(...words);
  assert.deepEqual([result.exitCode, result.out], [exitCode, ''], words.join(' '));
  assert.match(result.err, message);
}

function away(path: string): string {
  return `zk://${there.connectString}${path}`;
}

test('export: a head, a line per znode, an end', async () => {
  const [head, ...nodes] = (await ok('export', '/app')).json;
  assert.deepEqual([head?.zoots, head?.version, head?.root, head?.from], ['export', 1, '/app', here.connectString]);
  assert.deepEqual(nodes, [
    { path: '/', data: 'root' },
    { path: '/a', data: 'A' },
    { path: '/a/b', data: 'B' },
    { path: '/bin', data: 'AP8=', encoding: 'base64' },
    { path: '/null', data: null, acl: [{ scheme: 'world', id: 'anyone', perms: 'cdra' }] },
    { end: true },
  ]);
  const all = (await ok('export', '--ephemerals', '--no-acl')).json.map(({ path }) => path);
  assert.deepEqual(all.slice(1, -1), ['/', '/app', '/app/a', '/app/a/b', '/app/bin', '/app/eph', '/app/null']);
  const [, , eph] = (await ok('export', '/app/eph', '--ephemerals', '--json')).json;
  assert.equal(eph?.end, true);
  await refused(1, /\/none: the znode does not exist/, 'export', '/none', '-o', join(directory, 'none.jsonl'));
  assert.deepEqual(readdirSync(directory), [], 'nothing is left behind');
});

test('export refuses what it may not read, instead of leaving it out', async () => {
  await zk.create('/app/private', 'x', { acl: [{ scheme: 'digest', id: 'x:y', perms: 31 }] });
  const result = await zoots('export', '/app');
  assert.equal(result.exitCode, 1);
  assert.match(result.err, /\/app\/private: the ACL does not let this session read all of it/);
  assert.ok(!result.out.includes('"end"'));
});

test('import: where it came from, elsewhere, merged, dry', async () => {
  await ok('export', '/app', '-o', dump);
  await refused(1, /\/app exists already; --merge/, 'import', dump);
  await zk.deleteRecursive('/app');
  assert.deepEqual((await ok('import', dump)).lines, ['/app: 5 znodes created']);
  await refused(1, /--parents creates the znodes above/, 'import', dump, '/x/y');
  await ok('import', dump, '/x/y', '-p');
  assert.equal((await zoots('diff', '/app', '/x/y')).out, '');
  await zk.set('/app/a', 'changed');
  await zk.delete('/app/a/b');
  await zk.setAcl('/app/bin', [{ scheme: 'world', id: 'anyone', perms: 17 }]);
  await zk.create('/app/more', 'stays');
  const counts = { path: '/app', created: 1, changed: 2, unchanged: 2, leftOut: 0 };
  assert.deepEqual((await ok('import', dump, '--merge', '-n', '--json')).json, [{ ...counts, dryRun: true }]);
  assert.equal(String((await zk.get('/app/a')).data), 'changed');
  assert.deepEqual((await ok('import', dump, '--merge', '--json')).json, [counts]);
  assert.deepEqual((await zoots('diff', `file:${dump}`, '/app')).lines, ['+ /more']);
});

test('import: ephemerals, the root, and files that are wrong', async () => {
  await ok('export', '/', '--ephemerals', '-o', dump);
  await refused(1, /\/app exists already/, 'import', dump);
  await zk.deleteRecursive('/app');
  assert.deepEqual((await ok('import', dump)).lines, ['/: 5 znodes created, 1 unchanged, 1 ephemeral left out']);
  await ok('import', dump, '/copy', '--plain');
  assert.equal((await zk.exists('/copy/app/eph'))?.ephemeralOwner, 0n);
  const cut = join(directory, 'cut.jsonl');
  writeFileSync(cut, readFileSync(dump, 'utf8').replace('{"end":true}\n', ''));
  await refused(1, /cut\.jsonl:8: the last line \{"end":true\} is missing/, 'import', cut, '/y');
  assert.equal(await zk.exists('/y'), null, 'nothing is written before all is checked');
  await refused(1, /none\.jsonl: there is no such file/, 'import', join(directory, 'none.jsonl'));
});

test('ACLs: what they do not permit is said with the remedy; --no-acl', async () => {
  const auth = ['--auth', 'digest:me:secret'];
  const owner = await connect(here.connectString, { auth: [{ scheme: 'digest', auth: 'me:secret' }] });
  await owner.create('/mine', 'm', { acl: CREATOR_ALL_ACL });
  await owner.create('/mine/child', 'c', { acl: CREATOR_ALL_ACL });
  await owner.close();
  await ok('export', '/mine', '-o', dump, ...auth);
  await refused(1, /\/x\/child: .*\(--auth SCHEME:AUTH\), or leave the ACLs out \(--no-acl\)/, 'import', dump, '/x');
  await ok('import', dump, '/y', ...auth);
  await refused(1, /--auth SCHEME:AUTH/, 'diff', '/mine', '/y');
  assert.equal((await ok('diff', '/mine', '/y', ...auth)).out, '');
  await ok('import', dump, '/z', '--no-acl');
  assert.equal((await zoots('diff', `file:${dump}`, '/z')).exitCode, 1);
  assert.equal((await ok('diff', `file:${dump}`, '/z', '--no-acl')).out, '');
});

test('cp: on the server, to another, merged', async () => {
  await refused(1, /\/app has children; -r copies them/, 'cp', '/app', '/copy');
  assert.equal(await zk.exists('/copy'), null);
  await ok('cp', '/app/a/b', '/b');
  assert.deepEqual((await ok('cp', '-r', '/app', '/copy')).lines, ['/copy: 5 znodes created, 1 ephemeral left out']);
  await refused(1, /\/copy exists already/, 'cp', '-r', '/app', '/copy');
  await ok('cp', '-rp', '/app', away('/far/app'), '--json');
  assert.equal((await ok('diff', '/app', away('/far/app'))).out, '');
  await other.set('/far/app/a', 'old');
  assert.match((await ok('cp', '-rm', '/app', away('/far/app'))).out, /0 znodes created, 1 changed, 4 unchanged/);
  await ok('cp', '-r', away('/far/app'), '/back');
  assert.equal((await ok('diff', '/app', '/back')).out, '');
  await refused(2, /the target \/app\/x lies within the source \/app/, 'cp', '-r', '/app', '/app/x');
  await refused(2, /"copy" is no znode/, 'cp', '/app', 'copy');
  await refused(1, /\/none: the znode does not exist/, 'cp', '/none', '/copy2');
});

test('cp into its own source, under another name of the server, has an end', async () => {
  await ok('cp', '-r', '/app', `zk://localhost:${here.port}/app/a/b/copy`);
  assert.deepEqual((await ok('find', '/app/a/b/copy', '--name', 'copy')).lines, ['/app/a/b/copy']);
  assert.equal(await zk.countDescendants('/app/a/b/copy'), 4);
});

test('cp --plain: ephemerals become persistent', async () => {
  assert.deepEqual((await ok('cp', '-r', '/app', '/copy', '--plain', '--json')).json, [
    { path: '/copy', created: 6, changed: 0, unchanged: 0, leftOut: 0 },
  ]);
  assert.equal((await zk.exists('/copy/eph'))?.ephemeralOwner, 0n);
});

test('diff: lines, JSON, exit codes', async () => {
  await ok('cp', '-r', '/app', '/copy');
  assert.equal((await zoots('diff', '/app', '/copy')).exitCode, 0);
  await zk.set('/copy', null);
  await zk.deleteRecursive('/copy/a');
  await zk.create('/copy/c', 'C');
  await zk.setAcl('/copy/bin', [{ scheme: 'world', id: 'anyone', perms: 1 }]);
  const result = await zoots('diff', '/app', '/copy');
  assert.equal(result.exitCode, 1);
  assert.deepEqual(result.lines, [
    '~ /',
    '    data: "root" → null',
    '- /a',
    '- /a/b',
    '~ /bin',
    '    acl: world:anyone:cdrwa → world:anyone:r',
    '+ /c',
  ]);
  const open = [{ scheme: 'world', id: 'anyone', perms: 'cdrwa' }];
  assert.deepEqual((await zoots('diff', '/app', '/copy', '--json', '--no-acl')).json, [
    {
      change: 'changed',
      path: '/',
      left: { data: 'root', acl: open, owner: null },
      right: { data: null, acl: open, owner: null },
      parts: ['data'],
    },
    { change: 'removed', path: '/a', left: { data: 'A', acl: open, owner: null } },
    { change: 'removed', path: '/a/b', left: { data: 'B', acl: open, owner: null } },
    { change: 'added', path: '/c', right: { data: 'C', acl: open, owner: null } },
  ]);
  assert.deepEqual(await zoots('diff', '-q', '/app', '/copy').then(({ exitCode, out }) => [exitCode, out]), [1, '']);
  assert.ok((await zoots('diff', '--ephemerals', '/app', '/copy')).lines.includes('- /eph'));
  await refused(1, /\/tmp\/x: the znode does not exist \(a file is written file:\/tmp\/x\)/, 'diff', '/tmp/x', '/app');
  await refused(1, /nofile: there is no such file/, 'diff', './nofile', '/app');
});

test('snapshots: compared, a subtree of them, exported with the kinds that servers do not tell', async () => {
  const snapshot = join(directory, 'snapshot.20');
  const nodes = [
    { path: '/app', data: 'root' },
    { path: '/app/a', data: 'A' },
    { path: '/app/eph', data: 'e', owner: 7 },
  ];
  writeFileSync(snapshot, sampleSnapshot(nodes));
  const own = join(directory, 'own.jsonl');
  await ok('export', `file:${snapshot}#/app`, '-o', own);
  await ok('import', own, '/from-snapshot');
  assert.equal((await ok('diff', `file:${snapshot}#/app`, '/from-snapshot')).out, '');
  await refused(1, /has no znode \/none/, 'diff', `file:${snapshot}#/none`, '/app');
  const damaged = join(directory, 'snapshot.21');
  writeFileSync(damaged, readFileSync(snapshot).fill(1, 60, 64));
  await refused(1, /snapshot\.21/, 'diff', `file:${damaged}`, '/app');
});
