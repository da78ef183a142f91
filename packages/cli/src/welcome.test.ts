import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadServerConfig, serverConfigOf } from '@zoots/server';
import { welcome } from './welcome.js';

function load(words: string[]): ReturnType<typeof loadServerConfig> {
  return loadServerConfig({
    words,
    properties: [],
    environment: {},
    workingDirectory: process.cwd(),
    defaults: { configFile: '/nowhere/zoo.cfg', dataDir: '/built/in', clientPort: 2181 },
  });
}

test('built-in defaults: what runs, where the data is, how to connect, how to stop', () => {
  const lines = welcome(load([]), 2181).split('\n');
  assert.match(lines[0] as string, /^Zoots \S+, compatible with ZooKeeper 3\.9\.5: a stand-alone server on port 2181$/);
  assert.match(lines[1] as string, /configuration {2}built-in defaults \(to change them: cp conf\/zoo_sample\.cfg /);
  assert.match(lines[2] as string, /data {11}\/built\/in$/);
  assert.match(lines[3] as string, /connect .* localhost:2181; try: echo srvr \| nc localhost 2181$/);
  assert.match(lines[4] as string, /stop {11}Ctrl-C$/);
  assert.equal(lines.length, 5);
});

test('the port is the bound one, the directory the configured one', () => {
  const text = welcome(load(['0', 'here']), 4711);
  assert.match(text, /on port 4711\n/);
  assert.ok(text.includes(join(process.cwd(), 'here')));
  assert.ok(!text.includes('zoo_sample'));
});

test('a member of an ensemble says which, and of whom', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'zoots-welcome-'));
  after(() => rmSync(dataDir, { recursive: true, force: true }));
  writeFileSync(join(dataDir, 'myid'), '2');
  const { config } = serverConfigOf({
    dataDir,
    clientPort: '0',
    initLimit: '5',
    syncLimit: '2',
    'server.1': 'a:1:2',
    'server.2': 'b:1:2',
    'server.3': 'c:1:2',
  });
  const [first] = welcome({ config, notices: [], isBuiltIn: false }, 2182).split('\n');
  assert.match(first as string, /: server 2 of the ensemble 1, 2, 3 on port 2182$/);
});
