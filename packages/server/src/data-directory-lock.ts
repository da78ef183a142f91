/**
 * One running server per data directory.
 *
 * Node can take no kernel lock on a file without an add-on, so a server puts a *claim* into each of its directories: an
 * empty-handed file `zoots.lock-<identity>` whose name says which process made it. The identity is pid, start time, boot
 * id and pid namespace: no other process ever has the same one, so a claim that a kill -9 or a power cut left behind
 * is told from a live one at a look, never blocks a start, and can be removed by anybody without a race (removing a
 * dead process's file can never hit a live one's). Apache's server ignores the file.
 *
 * Two starts at the same moment: each first makes its claim and then looks for others, so at least one sees the other.
 * A claim says `claiming` until its owner has looked and found nobody, then `held`. Who meets a held claim gives up; two
 * that are both claiming withdraw, wait for a random time, and try again.
 *
 * What this cannot see: a server on another machine or in another pid namespace (container) over a shared volume. Its
 * claim cannot be checked from here and must not block a restart, so it counts as dead; the caller is told to warn.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const claimPrefix = 'zoots.lock-';

const attemptsMax = 20;
const retryDelayMsMax = 100;

/** Some other live process holds the directory. */
export class DirectoryInUseError extends Error {
  override readonly name = 'DirectoryInUseError';
  readonly directory: string;
  readonly pid: number;

  constructor(directory: string, pid: number, what: string) {
    super(
      `${directory} is in use by ${what}, process ${pid}: stop it first, or give this server a directory of its own`,
    );
    this.directory = directory;
    this.pid = pid;
  }
}

export interface DataDirectoryLock {
  /** Claims of dead or foreign owners that were removed, by file name; worth a log line. */
  readonly removed: readonly string[];
  release(): void;
}

/** Locks every directory, or none. They must exist. Rejects with {@link DirectoryInUseError} or a file system error. */
export async function lockDataDirectories(directories: readonly string[]): Promise<DataDirectoryLock> {
  const own = identityOf(process.pid);
  const claims: string[] = [];
  const removed: string[] = [];
  const release = (): void => {
    for (const claim of claims.splice(0)) rmSync(claim, { force: true });
  };
  try {
    for (const directory of new Set(directories.map((path) => realpathSync(path)))) {
      refuseApache(directory);
      claims.push(await claimDirectory(directory, own, removed));
    }
  } catch (error) {
    release();
    throw error;
  }
  return { removed, release };
}

/** The path of the claim, held. */
async function claimDirectory(directory: string, own: ProcessIdentity, removed: string[]): Promise<string> {
  const claim = join(directory, claimPrefix + nameOf(own));
  for (let attempt = 1; ; attempt++) {
    writeFileSync(claim, 'claiming\n', { flag: 'wx' });
    const rival = liveRival(directory, own, removed);
    if (rival === null) {
      writeFileSync(claim, 'held\n');
      return claim;
    }
    rmSync(claim, { force: true });
    if (rival.isHeld || attempt === attemptsMax) {
      throw new DirectoryInUseError(directory, rival.pid, 'a running server');
    }
    await sleep(Math.random() * retryDelayMsMax);
  }
}

interface Rival {
  readonly pid: number;
  readonly isHeld: boolean;
}

/** The claim of a live process other than us; dead ones are removed on the way. */
function liveRival(directory: string, own: ProcessIdentity, removed: string[]): Rival | null {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(claimPrefix) || name === claimPrefix + nameOf(own)) continue;
    const owner = parseIdentity(name.slice(claimPrefix.length));
    if (owner !== null && isAlive(owner, own)) return { pid: owner.pid, isHeld: isHeld(join(directory, name)) };
    rmSync(join(directory, name), { force: true });
    removed.push(name);
  }
  return null;
}

function isHeld(claim: string): boolean {
  try {
    return readFileSync(claim, 'utf8').startsWith('held');
  } catch {
    return false;
  }
}

interface ProcessIdentity {
  readonly pid: number;
  /** Kernel ticks from boot to the start of the process; elsewhere what `ps` prints; empty if unknown. */
  readonly start: string;
  /** Boot id and pid namespace: processes of another scope cannot be looked at. */
  readonly scope: string;
}

function nameOf(identity: ProcessIdentity): string {
  return `${identity.pid}-${identity.start}-${identity.scope}`;
}

function parseIdentity(name: string): ProcessIdentity | null {
  const match = /^(\d+)-([^-]*)-(.*)$/.exec(name);
  return match === null ? null : { pid: Number(match[1]), start: match[2] as string, scope: match[3] as string };
}

function identityOf(pid: number): ProcessIdentity {
  return { pid, start: startOf(pid) ?? '', scope: scope() };
}

function isAlive(owner: ProcessIdentity, own: ProcessIdentity): boolean {
  return owner.scope === own.scope && owner.start !== '' && startOf(owner.pid) === owner.start;
}

/** When the process started; null if there is none, or only a zombie, which holds no files any more. */
function startOf(pid: number): string | null {
  if (process.platform !== 'linux') return startByPs(pid);
  try {
    // pid (name) state ppid …: the name may hold blanks and parentheses, so count from the last ")". Field 22 is the start.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] as string);
  } catch {
    return null;
  }
}

function startByPs(pid: number): string | null {
  // Loaded here, since it takes 3 ms of every start that has no use for it.
  const { spawnSync } = createRequire(import.meta.url)('node:child_process') as typeof import('node:child_process');
  const result = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  const start = (result.stdout ?? '').trim().replace(/[^0-9a-zA-Z]+/g, '_');
  return start === '' ? null : start;
}

function scope(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim().replace(/-/g, '').slice(0, 12);
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
    return `${boot}.${namespace}`;
  } catch {
    return 'host';
  }
}

/**
 * Apache's server takes no lock, but zkServer.sh writes its pid into the directory: never write beside a live one.
 */
function refuseApache(directory: string): void {
  const pid = pidIn(join(directory, 'zookeeper_server.pid'));
  if (pid === null || pid === process.pid) return;
  let command: string;
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return;
  }
  if (command.includes('org.apache.zookeeper.server.')) {
    throw new DirectoryInUseError(directory, pid, "Apache ZooKeeper's server");
  }
}

function pidIn(file: string): number | null {
  try {
    const text = readFileSync(file, 'latin1').trim();
    return /^\d+$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}
