/**
 * Reads on more than one core, as docs/operations.md tells it: its lines are run here, on ports of this test, with the database of a
 * server that stood alone before. What the chapter says of sessions and of what they see is asserted behind them.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect } from '@zoots/client';
import { checkoutDirectory } from './checkout.js';

const SERVERS = [1, 2, 3] as const;
/** Below the range that systems give to outgoing connections. */
const PORT_MIN = 20_000 + (process.pid % 500) * 20;

const home = mkdtempSync(join(tmpdir(), 'zoots-more-cores-'));
after(() => {
  for (const id of SERVERS) {
    const pid = pidOf(id);
    if (pid === null) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It was stopped, as it should be.
    }
  }
  rmSync(home, { recursive: true, force: true });
});

function pidOf(id: number): number | null {
  try {
    return Number(readFileSync(join(home, `data/zoo${id}/zookeeper_server.pid`), 'utf8'));
  } catch {
    return null;
  }
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let port = PORT_MIN; ports.length < count; port++) {
    const net = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      net.once('error', () => resolve(false));
      net.listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => net.close(resolve));
    if (isFree) ports.push(port);
  }
  return ports;
}

/** The directory of a clone, whose configurations have free ports. Returns the client ports. */
async function unpack(): Promise<number[]> {
  for (const name of ['bin', 'conf']) cpSync(join(checkoutDirectory, name), join(home, name), { recursive: true });
  for (const name of ['packages', 'node_modules', 'package.json']) {
    symlinkSync(join(checkoutDirectory, name), join(home, name));
  }
  const ports = await freePorts(9);
  const written = [2181, 2182, 2183, 2888, 2889, 2890, 3888, 3889, 3890];
  for (const id of SERVERS) {
    const file = join(home, `conf/more-cores/zoo${id}.cfg`);
    const text = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      text.replace(/\b\d{4}\b/g, (word) => String(ports[written.indexOf(Number(word))] ?? word)),
    );
  }
  return ports.slice(0, 3);
}

function run(line: string): string {
  const { ZOOCFGDIR: _, ZOOCFG: __, ZOO_LOG_DIR: ___, ...rest } = process.env;
  const env = { ...rest, ZOOKEEPER_HOME: home };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line], { cwd: home, encoding: 'utf8', env });
  assert.equal(status, 0, `${line}\n${stdout}\n${stderr}`);
  return stdout + stderr;
}

/** The shell lines of the chapter: those that start, and the one that stops. */
function linesOfChapter(): { start: string[]; stop: string } {
  const text = readFileSync(join(checkoutDirectory, 'docs/operations.md'), 'utf8');
  const chapter = /^## Reads on more cores$([\s\S]*?)^## /m.exec(text)?.[1] ?? '';
  const lines = [...chapter.matchAll(/^ {4}(.*)$/gm)].map(([, line]) => line as string);
  const stop = lines.pop() as string;
  assert.match(stop, /zkServer\.sh stop/);
  return { start: lines, stop };
}

async function modeOf(id: number): Promise<string> {
  const line = `bin/zkServer.sh status conf/more-cores/zoo${id}.cfg`;
  for (;;) {
    const { stdout } = spawnSync('bash', ['-c', line], { cwd: home, encoding: 'utf8' });
    const mode = /^Mode: (.*)$/m.exec(stdout)?.[1];
    if (mode !== undefined) return mode;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test('a server that stood alone gets two observers: all three serve its tree', {
  timeout: 120_000,
}, async (context) => {
  const [first, second, third] = await unpack();
  await context.test('before: one server, alone', async () => {
    writeFileSync(join(home, 'conf/alone.cfg'), `dataDir=data/zoo1\nclientPort=${first}\n`);
    run('bin/zkServer.sh start conf/alone.cfg');
    await using client = await connect(`127.0.0.1:${first}`);
    await client.create('/kept', 'from before');
    await client.close();
    run('bin/zkServer.sh stop conf/alone.cfg');
  });

  const { start, stop } = linesOfChapter();
  for (const line of start) run(line);
  assert.deepEqual(await Promise.all(SERVERS.map(modeOf)), ['leader', 'observer', 'observer']);
  await using reader = await connect(`127.0.0.1:${second}`);
  await using writer = await connect(`127.0.0.1:${third}`);

  await context.test('what was written before is read from an observer', async () => {
    assert.equal(String((await reader.get('/kept')).data), 'from before');
  });

  await context.test('a client reads its own writes; another one after sync', async () => {
    for (let i = 0; i < 50; i++) {
      await writer.set('/kept', `value ${i}`);
      assert.equal(String((await writer.get('/kept')).data), `value ${i}`, 'one observer answers write and read');
      await reader.sync('/kept');
      assert.equal(String((await reader.get('/kept')).data), `value ${i}`, 'another one, after sync');
    }
  });

  await context.test('a session goes on at another observer, with its ephemeral znodes', async () => {
    await using moving = await connect(`127.0.0.1:${second}`);
    await moving.create('/alive', '', { mode: 'ephemeral' });
    const { id } = moving.session as { id: bigint };
    moving.retarget(`127.0.0.1:${third}`);
    await moving.set('/kept', 'moved');
    assert.equal(moving.session?.id, id);
    await writer.sync('/');
    assert.notEqual(await writer.exists('/alive'), null);
  });

  await context.test('an observer that was killed comes back with what it has missed', async () => {
    process.kill(pidOf(2) as number, 'SIGKILL');
    await writer.set('/kept', 'without server 2');
    run('bin/zkServer.sh start conf/more-cores/zoo2.cfg');
    assert.equal(await modeOf(2), 'observer');
    await reader.sync('/kept');
    assert.equal(String((await reader.get('/kept')).data), 'without server 2');
  });

  await Promise.all([reader.close(), writer.close()]);
  run(stop);
  assert.deepEqual(
    SERVERS.filter((id) => pidOf(id) !== null),
    [],
  );
});
