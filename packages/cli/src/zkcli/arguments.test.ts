import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectionSettings, parseArguments } from './arguments.js';
import { ConfigurationError, clientOptions } from './client-configuration.js';
import { complete } from './completion.js';
import { CliError } from './errors.js';
import { HistoryFile } from './history-file.js';

function inDirectory(use: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'zoots-cli-'));
  try {
    use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('options stand before the command, and unknown ones are ignored', () => {
  const found = parseArguments('-server h:1/app -timeout 5 -r -waitforconnection -odd ls -s / -r'.split(' '));
  assert.equal(found.server, 'h:1/app');
  assert.equal(found.timeoutWord, '5');
  assert.ok(found.readOnly && found.waits);
  assert.deepEqual(found.command, ['ls', '-s', '/', '-r']);
  assert.equal(found.problem, null);

  const bare = parseArguments([]);
  assert.equal(bare.server, 'localhost:2181');
  assert.deepEqual(bare.command, []);
  assert.equal(parseArguments(['-timeout']).problem, 'Error: no argument found for option -timeout');
});

test('a timeout that is no number is refused', async () => {
  for (const word of ['abc', '0', '-1', '99999999999']) {
    await assert.rejects(connectionSettings(parseArguments(['-timeout', word])), CliError);
  }
});

test('a client configuration', () => {
  inDirectory((directory) => {
    const file = join(directory, 'client.properties');
    const pem = join(directory, 'trust.pem');
    writeFileSync(pem, 'a certificate');
    writeFileSync(
      file,
      `zookeeper.client.secure=true\nzookeeper.request.timeout=700\nzookeeper.ssl.trustStore.location=${pem}\nother=1\n`,
    );
    const options = clientOptions(file, '');
    assert.equal(options.requestTimeoutMs, 700);
    assert.deepEqual(options.tls, { ca: Buffer.from('a certificate') });
    assert.deepEqual(clientOptions(null, '-Xmx1g -Dzookeeper.client.secure=false'), {});
    assert.deepEqual(clientOptions(null, '-Dzookeeper.client.secure=true -Dzookeeper.other=x'), { tls: {} });
    const jks = `-Dzookeeper.client.secure=true -Dzookeeper.ssl.keyStore.location=${join(directory, 'key.jks')}`;
    assert.throws(() => clientOptions(null, jks), /a keyStore must be PEM or PKCS12 here/);
    assert.throws(() => clientOptions(join(directory, 'missing'), ''), ConfigurationError);
  });
});

test('completion of commands and of paths', async () => {
  const list = async (path: string): Promise<readonly string[]> =>
    ({ '/': ['b', 'app', 'api'], '/app': ['x'] })[path] ?? [];
  assert.deepEqual(await complete('ge', list), [['get', 'getAcl', 'getAllChildrenNumber', 'getEphemerals'], 'ge']);
  assert.deepEqual(await complete('ls /ap', list), [['/api', '/app'], '/ap']);
  assert.deepEqual(await complete('ls -s /app/', list), [['/app/x'], '/app/']);
  assert.deepEqual(await complete('set /b ge', list), [[], 'ge']);
  assert.deepEqual(await complete('ls /nope/', list), [[], '/nope/']);
});

test('the history file keeps lines, but no passwords', () => {
  inDirectory((directory) => {
    const path = join(directory, 'history');
    const history = new HistoryFile({ ZOOTS_CLI_HISTORY: path });
    assert.deepEqual(history.load(), []);
    for (const line of ['ls /', '', 'addauth digest bob:secret', 'get /a']) history.add(line);
    assert.deepEqual(history.load(), ['ls /', 'get /a']);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    for (let i = 0; i < 2100; i++) history.add(`ls /${i}`);
    assert.equal(history.load().length, 1000);
    assert.equal(history.load().at(-1), 'ls /2099');
    const none = new HistoryFile({ ZOOTS_CLI_HISTORY: '' });
    none.add('ls /');
    assert.deepEqual(none.load(), []);
  });
});
