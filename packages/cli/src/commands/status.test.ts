/** Where `zoots status` looks for the client port, and what it makes of the answer. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const main = fileURLToPath(new URL('../main.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'zoots-status-'));
const cfg = join(root, 'zoo.cfg');
after(() => rmSync(root, { recursive: true, force: true }));

function status(text: string): { code: number | null; lines: string[] } {
  const { code, lines } = statusAndRole(text);
  return { code, lines };
}

function statusAndRole(text: string): { code: number | null; lines: string[]; role: string } {
  writeFileSync(cfg, `dataDir=${root}\n${text}`);
  const result = spawnSync(process.execPath, [main, 'status', cfg], { encoding: 'utf8' });
  return { code: result.status, lines: result.stdout.trimEnd().split('\n'), role: result.stderr };
}

/** A server in a thread of its own (this one waits for the command) that answers srvr with the text, and role with another. */
async function withServer(answer: string, use: (port: number) => void, role = 'what?'): Promise<void> {
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const server = require('node:net').createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (word) => socket.end(workerData[word.toString()] ?? 'what?'));
    });
    server.listen(0, () => parentPort.postMessage(server.address().port));`;
  const worker = new Worker(script, { eval: true, workerData: { srvr: answer, role } });
  const [port] = (await once(worker, 'message')) as [number];
  try {
    use(port);
  } finally {
    await worker.terminate();
  }
}

const notRunning = 'Error contacting service. It is probably not running.';

test('the mode is the answer', async () => {
  await withServer('Zookeeper version: x\nMode: follower\nNode count: 5\n', (port) => {
    assert.deepEqual(status(`clientPort = ${port}`), {
      code: 0,
      lines: [`Client port found: ${port}. Client address: localhost. Client SSL: false.`, 'Mode: follower'],
    });
    assert.equal(status(`clientPort=${port}\nclientPortAddress=127.0.0.1`).lines[1], 'Mode: follower');
    assert.match(
      status(`clientPort=${port}\nclientPortAddress=0.0.0.0`).lines[0] as string,
      /Client address: 0\.0\.0\.0\./,
    );
  });
  await withServer('This ZooKeeper instance is not currently serving requests\n', (port) => {
    assert.deepEqual(status(`clientPort=${port}`).lines[1], notRunning);
  });
});

test('a member of an ensemble says why, beside what scripts read', async () => {
  const following = 'Role: following\nServer: 1 of 1, 2, 3\nLeader: 3\nEpoch: 7\nWhy: server 3 was elected\n';
  await withServer(
    'Mode: follower\n',
    (port) => {
      const { code, lines, role } = statusAndRole(`clientPort=${port}`);
      assert.deepEqual([code, lines[1], role], [0, 'Mode: follower', following]);
    },
    following,
  );
  const looking = 'Role: looking\nServer: 1 of 1, 2, 3\nLeader: unknown\nEpoch: 7\nWhy: started\n';
  await withServer(
    'This ZooKeeper instance is not currently serving requests\n',
    (port) => {
      const { code, lines, role } = statusAndRole(`clientPort=${port}`);
      assert.deepEqual([code, lines[1], role], [1, notRunning, looking]);
    },
    looking,
  );
  await withServer(
    'Mode: standalone\n',
    (port) => assert.equal(statusAndRole(`clientPort=${port}`).role, ''),
    'Role: standalone\n',
  );
});

test("the port of this server's line in the static or the dynamic file", async () => {
  writeFileSync(join(root, 'myid'), '2\n');
  await withServer('Mode: leader\n', (port) => {
    const line = `server.1=a:1:2;1\nserver.2=b:1:2:participant;127.0.0.1:${port}\n`;
    assert.deepEqual(status(line), {
      code: 0,
      lines: [`Client port found: ${port}. Client address: 127.0.0.1. Client SSL: false.`, 'Mode: leader'],
    });
    writeFileSync(join(root, 'dynamic'), line);
    assert.deepEqual(status(`dynamicConfigFile=${join(root, 'dynamic')}`).lines, [
      'Client port not found in static config file. Looking in dynamic config file.',
      `Client port found: ${port}. Client address: 127.0.0.1. Client SSL: false.`,
      'Mode: leader',
    ]);
  });
  assert.match(status('server.2=b:1:2;[::1]:9').lines[0] as string, /^Client port found: 9\. Client address: ::1\./);
  rmSync(join(root, 'myid'));
});

test('no port at all, and a TLS port alone', () => {
  const none = status('');
  assert.equal(none.code, 1);
  assert.deepEqual(none.lines, [
    'myid could not be determined, will not able to locate clientPort in the server configs.',
    'Client port not found. Looking for secureClientPort in the static config.',
    'Unable to find either secure or unsecure client port in any configs. Terminating.',
  ]);
  const tls = status('secureClientPort=1');
  assert.equal(tls.code, 1);
  assert.equal(tls.lines.at(-1), notRunning);
  assert.ok(tls.lines.includes('Client port found: 1. Client address: localhost. Client SSL: true.'));
});

test('nobody listens, or the file is missing', async () => {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  assert.deepEqual([status(`clientPort=${port}`).code, status(`clientPort=${port}`).lines[1]], [1, notRunning]);
  const missing = spawnSync(process.execPath, [main, 'status', join(root, 'none.cfg')], { encoding: 'utf8' });
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /^cannot read the configuration /);
});
