/** ls, tree, get, set, create, rm, stat, acl, find, grep: text, JSON, exit codes, against a server in this process. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { connect, type ZooKeeper } from '@zoots/client';
import { startServer, type TestServer } from '@zoots/testing';
import { type CommandResult, runInProcess } from './run-in-process.js';

const directory = mkdtempSync(join(tmpdir(), 'zoots-znodes-'));
let server: TestServer;
let zk: ZooKeeper;

beforeEach(async () => {
  server = await startServer();
  zk = await connect(server.connectString);
});
afterEach(async () => {
  await zk.close();
  await server.stop();
});
after(() => rmSync(directory, { recursive: true }));

function zoots(...words: string[]): Promise<CommandResult> {
  return runInProcess([...words, '--server', server.connectString]);
}

async function ok(...words: string[]): Promise<CommandResult> {
  const result = await zoots(...words);
  assert.deepEqual([result.exitCode, result.err], [0, ''], words.join(' '));
  return result;
}

async function refused(exitCode: number, message: RegExp, ...words: string[]): Promise<void> {
  const result = await zoots(...words);
  assert.equal(result.exitCode, exitCode, words.join(' '));
  assert.match(result.err, message);
  const asJson = await zoots(...words, '--json');
  const { error } = JSON.parse(asJson.err) as { error: { command: string; message: string } };
  assert.deepEqual([asJson.exitCode, error.command], [exitCode, words[0]]);
  assert.match(`zoots ${words[0]}: ${error.message}`, message);
}

/** The stat of the first line. */
function statOf({ json }: CommandResult): Record<string, unknown> {
  return json[0]?.stat as Record<string, unknown>;
}

async function sampleTree(): Promise<void> {
  await zk.create('/app', null);
  await zk.create('/app/config', 'level=INFO\nsecret=x\n');
  await zk.create('/app/bin', Uint8Array.of(0, 0xff));
  await zk.create('/app/locks', '');
  await zk.create('/app/locks/l-1', 'me', { mode: 'ephemeral' });
  await zk.create('/app/locks/l-2', 'me', { mode: 'ephemeral' });
}

test('create: data from a word, a file, base64; kinds; parents', async () => {
  assert.equal((await ok('create', '/a', 'text')).out, '/a\n');
  assert.equal(String((await zk.get('/a')).data), 'text');
  assert.equal((await ok('create', '/a/s-', '-s')).out, '/a/s-0000000000\n');
  assert.equal((await zk.get('/a/s-0000000000')).data, null);
  await ok('create', '-p', '/b/c/d', '--base64', 'AP8=');
  assert.deepEqual((await zk.get('/b/c/d')).data, Buffer.from([0, 255]));
  const file = join(directory, 'data');
  writeFileSync(file, 'from a file');
  const created = await ok('create', '/f', '--file', file, '--json', '--acl', 'world:anyone:r');
  assert.equal(created.json[0]?.path, '/f');
  assert.equal(statOf(created).dataLength, 11);
  assert.deepEqual((await zk.getAcl('/f')).acl, [{ scheme: 'world', id: 'anyone', perms: 1 }]);
  await ok('create', '/box', '-c');
  await ok('create', '/t', '-t', '10m');
});

test('create: refusals', async () => {
  await zk.create('/a');
  await refused(1, /create: \/x\/y: the znode does not exist; its parent is missing; --parents/, 'create', '/x/y');
  await refused(1, /the znode exists already/, 'create', '/a');
  await refused(2, /a container is never sequential/, 'create', '/c', '-c', '-s');
  await refused(2, /two sources/, 'create', '/c', 'data', '--file', 'x');
  await refused(1, /none: there is no such file/, 'create', '/c', '--file', join(directory, 'none'));
  await refused(2, /no base64/, 'create', '/c', '--base64', '?');
  await refused(2, /path/, 'create', 'c');
  await refused(1, /--auth SCHEME:AUTH/, 'create', '/c', '--acl', 'auth::r');
  assert.equal((await zoots('create', '/c', '--acl', 'auth::r', '--auth', 'digest:me:secret')).exitCode, 0);
  await refused(1, /the ACL does not permit it; present an identity/, 'set', '/c', 'x');
});

test('get: bytes as they are, hex, base64, JSON', async () => {
  await sampleTree();
  assert.equal((await ok('get', '/app/config')).out, 'level=INFO\nsecret=x\n');
  assert.equal((await ok('get', '/app')).out, '');
  assert.equal((await ok('get', '/app/bin', '--format', 'base64')).out, 'AP8=\n');
  assert.match((await ok('get', '/app/bin', '-f', 'hex')).out, /^00000000 {2}00 ff .*\.\.\n$/);
  const [json] = (await ok('get', '/app/bin', '--json')).json;
  assert.deepEqual([json?.path, json?.data, json?.encoding], ['/app/bin', 'AP8=', 'base64']);
  assert.equal((await ok('get', '/app', '--json')).json[0]?.data, null);
  assert.match((await ok('get', '/app/locks/l-1', '-s')).out, /^me\ndata {8}2 bytes, version 0\n/);
  const onTerminal = await runInProcess(['get', '/app/bin', '--server', server.connectString], { isTerminal: true });
  assert.match(onTerminal.out, /^00000000 {2}00 ff/);
  await refused(1, /get: \/none: the znode does not exist/, 'get', '/none');
  await refused(2, /--format: "x" is none of/, 'get', '/app', '-f', 'x');
});

test('a terminal gets no control characters from data', async () => {
  await zk.create('/evil', 'a\x1b[2Jb\r\nc');
  const { out } = await runInProcess(['get', '/evil', '--server', server.connectString], { isTerminal: true });
  assert.equal(out, 'a\ufffd[2Jb\nc\n');
});

test('set: versions, --create', async () => {
  await zk.create('/a', 'one');
  await ok('set', '/a', 'two', '-v', '0');
  await refused(1, /another version; somebody changed it meanwhile/, 'set', '/a', 'three', '-v', '0');
  await refused(1, /--create creates it/, 'set', '/x/y', 'z');
  const created = await ok('set', '/x/y', 'z', '--create', '--json');
  assert.equal(statOf(created).version, 0);
  await ok('set', '/x/y', 'zz', '--create');
  assert.deepEqual([String((await zk.get('/x/y')).data), String((await zk.get('/a')).data)], ['zz', 'two']);
  await ok('set', '/a');
  assert.equal((await zk.get('/a')).data, null);
});

test('ls: names, long, recursive', async () => {
  await sampleTree();
  assert.deepEqual((await ok('ls')).lines, ['app', 'zookeeper']);
  assert.deepEqual((await ok('ls', '/app')).lines, ['bin', 'config', 'locks']);
  assert.deepEqual((await ok('ls', '/app', '-R')).lines, [
    '/app/bin',
    '/app/config',
    '/app/locks',
    '/app/locks/l-1',
    '/app/locks/l-2',
  ]);
  const long = (await ok('ls', '-l', '/app/locks')).lines;
  const owner = `0x${zk.session?.id.toString(16)}`;
  assert.match(long[0] as string, new RegExp(`^2 {2}0 {2}v0 {2}\\d{4}-\\d\\d-\\d\\d [\\d:]{8} {2}${owner} {2}l-1$`));
  assert.deepEqual((await ok('ls', '/app', '--json')).json[2], { name: 'locks', path: '/app/locks' });
  assert.equal(statOf(await ok('ls', '/app/locks', '--json', '-l')).owner, owner);
  await refused(1, /ls: children \/none: the znode does not exist/, 'ls', '/none');
});

test('tree: lines, depth, sizes, JSON', async () => {
  await sampleTree();
  assert.deepEqual((await ok('tree', '/app', '--sizes', '--data')).lines, [
    '/app 0',
    '├── bin 2 binary, 2 bytes',
    '├── config 20 "level=INFO\\nsecret=x\\n"',
    '└── locks 0',
    '    ├── l-1 (ephemeral) 2 "me"',
    '    └── l-2 (ephemeral) 2 "me"',
    '',
    '6 znodes, 26 bytes',
  ]);
  assert.deepEqual((await ok('tree', '/app', '-d', '1', '--ascii')).lines.slice(0, 4), [
    '/app',
    '|-- bin',
    '|-- config',
    '`-- locks',
  ]);
  const json = (await ok('tree', '/app', '--json')).json;
  assert.deepEqual(json.map(({ path, depth }) => [path, depth]).at(-1), ['/app/locks/l-2', 2]);
  const colored = await runInProcess(['tree', '/app', '--server', server.connectString], { isTerminal: true });
  assert.ok(colored.out.includes('\x1b[33ml-1\x1b[0m'));
});

test('stat and acl', async () => {
  await sampleTree();
  assert.deepEqual((await ok('stat', '/app/locks')).lines.slice(0, 2), [
    'data        0 bytes, version 0',
    'children    2, version 2',
  ]);
  assert.equal(statOf(await ok('stat', '/app', '--json')).numChildren, 3);
  await refused(1, /stat: \/none: the znode does not exist/, 'stat', '/none');
  assert.equal((await ok('acl', '/app')).out, '/app  world:anyone:cdrwa\n');
  await ok('acl', '-R', '/app', 'world:anyone:cdra,ip:127.0.0.1:w');
  const lines = (await ok('acl', '-R', '/app')).lines;
  assert.equal(lines.length, 6);
  assert.ok(lines.every((line) => line.endsWith('  world:anyone:cdra,ip:127.0.0.1:w')));
  assert.deepEqual((await ok('acl', '/app', '--json')).json, [
    {
      path: '/app',
      acl: [
        { scheme: 'world', id: 'anyone', perms: 'cdra' },
        { scheme: 'ip', id: '127.0.0.1', perms: 'w' },
      ],
      version: 1,
    },
  ]);
  await refused(1, /another version/, 'acl', '/app', 'world:anyone:r', '-v', '0');
  await refused(2, /the ACL "nonsense" is not understood/, 'acl', '/app', 'nonsense');
});

test('rm: one, many, subtrees, and what it refuses', async () => {
  await sampleTree();
  await ok('rm', '/app/bin', '/app/config');
  await refused(1, /the znode has children; -r deletes them too/, 'rm', '/app');
  await refused(1, /there is no terminal to ask on; --yes/, 'rm', '-r', '/app');
  assert.deepEqual(await zk.children('/app'), ['locks']);
  assert.deepEqual((await ok('rm', '-r', '--yes', '/app', '--json')).json, [{ path: '/app', deleted: 4 }]);
  assert.equal(await zk.exists('/app'), null);
  await refused(1, /the znode does not exist/, 'rm', '/app');
  await refused(1, /the znode does not exist/, 'rm', '-ry', '/app');
  assert.deepEqual((await ok('rm', '-f', '/app', '--json')).json, [{ path: '/app', deleted: 0 }]);
  for (const path of ['/', '/zookeeper', '/zookeeper/quota']) {
    await refused(1, /stays|belongs to ZooKeeper/, 'rm', '-ry', path);
  }
  await zk.create('/v', 'x');
  await refused(1, /another version/, 'rm', '/v', '-v', '3');
  await refused(2, /--version is for one znode/, 'rm', '-r', '/v', '-v', '3');
});

test('find: each condition', async () => {
  await sampleTree();
  const found = async (...words: string[]): Promise<string[]> => [...(await ok('find', '/app', ...words)).lines];
  assert.deepEqual(await found('--name', 'l-*'), ['/app/locks/l-1', '/app/locks/l-2']);
  assert.deepEqual(await found('--path', '/app/*'), ['/app/bin', '/app/config', '/app/locks']);
  assert.deepEqual(await found('--ephemeral', '--name', '*2'), ['/app/locks/l-2']);
  assert.deepEqual(await found('--persistent', '--min-children', '1'), ['/app', '/app/locks']);
  assert.deepEqual(await found('--owner', `0x${zk.session?.id.toString(16)}`), ['/app/locks/l-1', '/app/locks/l-2']);
  assert.deepEqual(await found('--owner', '1'), []);
  assert.deepEqual(await found('--larger', '2'), ['/app/config']);
  assert.deepEqual(await found('--smaller', '2', '--empty'), []);
  assert.deepEqual(await found('--older', '1h'), []);
  assert.equal((await found('--newer', '1h')).length, 6);
  assert.deepEqual(await found('--depth', '0'), ['/app']);
  assert.deepEqual(await found('--count'), ['6']);
  assert.deepEqual((await ok('find', '/app', '--count', '--json')).json, [{ count: 6 }]);
  assert.equal((await ok('find', '/app', '--json', '-n', 'bin')).json[0]?.path, '/app/bin');
  await refused(2, /--owner: "x" is no session id/, 'find', '--owner', 'x');
  await refused(1, /\/none/, 'find', '/none');
});

test('grep: text, binary data, exit code', async () => {
  await sampleTree();
  assert.deepEqual((await ok('grep', 'secret')).lines, ['/app/config:2:secret=x']);
  assert.deepEqual((await ok('grep', '-i', 'info$', '--json')).json, [
    { path: '/app/config', line: 1, text: 'level=INFO' },
  ]);
  assert.deepEqual((await ok('grep', '-l', '^me$', '/app', '-n', 'l-2')).lines, ['/app/locks/l-2']);
  assert.deepEqual((await ok('grep', '\\xff')).lines, ['/app/bin: binary data match']);
  assert.deepEqual((await ok('grep', '\\xff', '--json')).json, [{ path: '/app/bin', binary: true }]);
  assert.equal((await zoots('grep', 'nowhere')).exitCode, 1);
  assert.equal((await zoots('grep', '-F', 'l.vel')).exitCode, 1);
  await refused(2, /--fixed searches for the text/, 'grep', '(');
});

test('what may not be read is said, and the rest done', async () => {
  await sampleTree();
  await zk.create('/app/private', 'me', { acl: [{ scheme: 'digest', id: 'x:y', perms: 31 }] });
  assert.ok((await ok('tree', '/app')).out.includes('private (not permitted)'));
  const grep = await zoots('grep', '^me$', '/app');
  assert.deepEqual([grep.exitCode, grep.err], [0, 'zoots grep: 1 znode may not be read; see --auth\n']);
  const find = await zoots('find', '/app', '--count');
  assert.deepEqual([find.exitCode, find.out], [0, '7\n']);
  assert.match(find.err, /the children of 1 znode may not be listed/);
});

test('a chroot, and the server of the environment', async () => {
  await sampleTree();
  process.env.ZOOTS_SERVER = `${server.connectString}/app`;
  try {
    assert.deepEqual((await runInProcess(['ls', '/'])).lines, ['bin', 'config', 'locks']);
  } finally {
    delete process.env.ZOOTS_SERVER;
  }
});

test('no server: exit code 3, the place and the remedy', async () => {
  const result = await runInProcess(['ls', '--server', '127.0.0.1:1', '--timeout', '150ms']);
  assert.equal(result.exitCode, 3);
  assert.match(
    result.err,
    /^zoots ls: no connection to 127\.0\.0\.1:1 within 150 ms \(.*ECONNREFUSED.*\); is the server running\?/,
  );
  const bad = await runInProcess(['ls', '--server', 'h:x', '--json']);
  assert.equal(bad.exitCode, 2);
  assert.equal((JSON.parse(bad.err) as { error: { code: string } }).error.code, 'ZK_ARGUMENT');
});
