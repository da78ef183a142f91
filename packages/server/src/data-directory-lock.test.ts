import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DirectoryInUseError, lockDataDirectories } from './data-directory-lock.js';

const root = mkdtempSync(join(tmpdir(), 'zoots-lock-'));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

let count = 0;
function freshDirectory(): string {
  const directory = join(root, String(++count));
  mkdirSync(directory);
  return directory;
}

function claimsIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('zoots.lock'));
}

const holderScript = `
  const { lockDataDirectories } = await import(${JSON.stringify(new URL('./data-directory-lock.js', import.meta.url).href)});
  try {
    await lockDataDirectories(process.argv.slice(1));
    console.log('locked');
    setInterval(() => {}, 1000);
  } catch (error) {
    console.log(error.name + ' ' + error.pid);
  }`;

/** A process that tries to lock the directory and stays; what it said. */
async function startHolder(...directories: string[]): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', holderScript, ...directories], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const [chunk] = (await once(child.stdout as NodeJS.EventEmitter, 'data')) as [Buffer];
  return { child, said: chunk.toString().trim() };
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
  children.delete(child);
}

async function refusedPid(directory: string): Promise<number> {
  try {
    const lock = await lockDataDirectories([directory]);
    lock.release();
  } catch (error) {
    assert.ok(error instanceof DirectoryInUseError, String(error));
    assert.match(error.message, new RegExp(`^${directory} is in use by .*, process ${error.pid}: stop it first`));
    return error.pid;
  }
  return assert.fail('was not refused');
}

test('lock and release leave nothing behind; one directory given twice is locked once', async () => {
  const directory = freshDirectory();
  const link = join(root, 'link');
  symlinkSync(directory, link);
  const lock = await lockDataDirectories([directory, directory, link]);
  assert.equal(claimsIn(directory).length, 1);
  lock.release();
  lock.release();
  assert.deepEqual(claimsIn(directory), []);
});

test('a second process is refused and told the pid; kill -9 of the first never blocks', async () => {
  const directory = freshDirectory();
  const { child, said } = await startHolder(directory);
  assert.equal(said, 'locked');
  assert.equal(await refusedPid(directory), child.pid);
  assert.equal(claimsIn(directory).length, 1, "the refused one's claim is gone, the holder's is not");

  await kill(child, 'SIGKILL');
  assert.equal(claimsIn(directory).length, 1, 'kill -9 leaves the claim');
  const lock = await lockDataDirectories([directory]);
  assert.equal(lock.removed.length, 1);
  assert.equal(claimsIn(directory).length, 1);
  lock.release();
});

test('a stopped process still holds; a zombie does not', { skip: process.platform !== 'linux' }, async () => {
  const directory = freshDirectory();
  const { child } = await startHolder(directory);
  child.kill('SIGSTOP');
  assert.equal(await refusedPid(directory), child.pid);
  // Its parent is this process's event loop, which is kept busy here: the child stays a zombie.
  child.kill('SIGKILL');
  const until = Date.now() + 300;
  while (Date.now() < until);
  const lock = await lockDataDirectories([directory]);
  lock.release();
});

test('either directory in use refuses both, and the free one is not kept', async () => {
  const [free, used] = [freshDirectory(), freshDirectory()];
  const { child } = await startHolder(used);
  await assert.rejects(lockDataDirectories([free, used]), DirectoryInUseError);
  assert.deepEqual(claimsIn(free), []);
  await kill(child, 'SIGTERM');
});

test('of several that start at once, exactly one gets the directory', async () => {
  for (let round = 0; round < 3; round++) {
    const directory = freshDirectory();
    const holders = await Promise.all(Array.from({ length: 4 }, () => startHolder(directory)));
    const locked = holders.filter((holder) => holder.said === 'locked');
    assert.equal(locked.length, 1, holders.map((holder) => holder.said).join(', '));
    assert.equal(claimsIn(directory).length, 1);
    for (const { child } of locked) await kill(child, 'SIGKILL');
  }
});

test('claims of another boot or container, of a reused pid, and torn ones count as dead', async () => {
  const directory = freshDirectory();
  const dead = [`zoots.lock-${process.pid}-1-otherboot.1`, 'zoots.lock-', 'zoots.lock-x', 'zoots.lock-1-0-'];
  for (const name of dead) writeFileSync(join(directory, name), 'held\n');
  const lock = await lockDataDirectories([directory]);
  assert.deepEqual([...lock.removed].sort(), [...dead].sort());
  lock.release();

  const { child } = await startHolder(directory);
  const [claim] = claimsIn(directory);
  await kill(child, 'SIGKILL');
  // The same pid and scope, started at another time: the pid of a dead server that went to this process.
  const scope = (claim as string).split('-').slice(3).join('-');
  writeFileSync(join(directory, `zoots.lock-${process.ppid}-1-${scope}`), 'held\n');
  (await lockDataDirectories([directory])).release();
});

test("a live server of Apache's is not written beside", { skip: process.platform !== 'linux' }, async () => {
  const directory = freshDirectory();
  const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
  const java = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', main], { stdio: 'ignore' });
  children.add(java);
  await once(java, 'spawn');
  writeFileSync(join(directory, 'zookeeper_server.pid'), String(java.pid));
  assert.equal(await refusedPid(directory), java.pid);
  await kill(java, 'SIGKILL');
  (await lockDataDirectories([directory])).release();
});
