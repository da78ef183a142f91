/**
 * The server under attack and what is watched while it is: a healthy session that works all the time and notes its
 * longest wait, and the memory of the process. After an attack the server must still be there, the healthy session
 * untouched, and a restart must bring back the same tree.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { lastLine } from '../crash/kill-loop.js';
import { ServerProcess, sleep } from '../crash/server-process.js';
import { freePort, type PeerKind } from '../peers/peer.js';
import { fourLetterWord } from '../wire/four-letter-word.js';
import { WireSession } from '../wire/session.js';
import { dumpTree, treeDifferences, treeLines } from '../wire/tree-dump.js';
import { HealthySession } from './healthy-session.js';

/** Sessions of attackers expire soon, so that their ephemerals do not blur the comparison of trees. */
export const attackerTimeoutMs = 1_000;
const superTimeoutMs = 10_000;
const leftoversTimeoutMs = 30_000;
const superPassword = 'super:test';
const properties = {
  'zookeeper.DigestAuthenticationProvider.superDigest': 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=',
};

export class Target {
  readonly port: number;
  readonly #kind: PeerKind;
  readonly #workDir: string;
  #server: ServerProcess | null = null;
  #healthy: HealthySession | null = null;
  rssMaxMb = 0;
  #sampler: NodeJS.Timeout | null = null;

  private constructor(kind: PeerKind, workDir: string, port: number) {
    this.#kind = kind;
    this.#workDir = workDir;
    this.port = port;
  }

  static async start(kind: PeerKind, workDir: string): Promise<Target> {
    mkdirSync(workDir, { recursive: true });
    const target = new Target(kind, workDir, await freePort());
    await target.#begin();
    return target;
  }

  async #begin(): Promise<void> {
    this.#server = new ServerProcess({
      kind: this.#kind,
      workDir: this.#workDir,
      dataDir: join(this.#workDir, 'data'),
      port: this.port,
      properties,
      config: { tickTime: '500' },
    });
    if ((await this.#server.untilServing()) === null) {
      await this.#server.kill();
      throw new NoStartError(`does not start: ${lastLine(this.#server.log())}`);
    }
    this.#healthy = await HealthySession.open(this.port);
    this.#sampler = setInterval(() => this.#sampleMemory(), 50);
  }

  #sampleMemory(): void {
    this.rssMaxMb = Math.max(this.rssMaxMb, this.rssMb());
  }

  rssMb(): number {
    try {
      const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.#server?.pid}/status`, 'utf8'));
      return match === null ? 0 : Math.round(Number(match[1]) / 1024);
    } catch {
      return 0;
    }
  }

  /** Starts the clock of a batch. */
  async beginBatch(): Promise<void> {
    this.rssMaxMb = this.rssMb();
    await this.#healthy?.beginBatch();
  }

  async worstWaitMs(): Promise<number> {
    return (await this.#healthy?.worstWaitMs()) ?? 0;
  }

  /** What is wrong after a batch; empty when nothing is. Restarts the server on the way. */
  async endBatch(crash: boolean): Promise<string[]> {
    const server = this.#server as ServerProcess;
    const failures: string[] = [];
    const trouble = await this.#healthy?.check();
    if (trouble !== null && trouble !== undefined) failures.push(trouble);
    if (server.exit !== null) {
      failures.push(`the server has ended: ${lastLine(server.log())}`);
      await this.#end(true);
      return [...failures, ...(await this.#restart(null))];
    }
    const leftovers = await this.#untilEphemeralsGone();
    if (leftovers !== 0) failures.push(`${leftovers} ephemeral nodes of dead sessions are left`);
    const before = await this.#dump().catch((error: Error) => {
      failures.push(`the process lives and does not serve: ${error.message}: ${lastLine(server.log())}`);
      return null;
    });
    await this.#end(crash || before === null);
    return [...failures, ...(await this.#restart(before))];
  }

  /** Starts again and compares the tree with that of before; then begins a new directory, for the next batch. */
  async #restart(before: string[] | null): Promise<string[]> {
    const failures: string[] = [];
    try {
      await this.#begin();
      const differences = before === null ? [] : treeDifferences(before, await this.#dump(), 3);
      if (differences.length > 0) {
        failures.push(`the tree changed by the restart: ${differences.join(' ').slice(0, 500)}`);
      }
      await this.#end(true);
    } catch (error) {
      if (!(error instanceof NoStartError)) throw error;
      failures.push(`after the batch it ${error.message}`);
    }
    // Attacks leave locked znodes and quotas behind: none may decide what the next one sees.
    rmSync(join(this.#workDir, 'data'), { recursive: true, force: true });
    await this.#begin();
    return failures;
  }

  async #dump(): Promise<string[]> {
    const session = await WireSession.connect(this.port, { timeoutMs: superTimeoutMs });
    await session.auth('digest', superPassword);
    const lines = treeLines(await dumpTree(session));
    await session.close();
    // The healthy session's node changes all the time.
    return lines.filter((line) => !line.startsWith('/healthy '));
  }

  async #untilEphemeralsGone(): Promise<number> {
    const deadlineMs = performance.now() + leftoversTimeoutMs;
    for (;;) {
      const text = await fourLetterWord(this.port, 'mntr').catch(() => '');
      const count = Number(/^zk_ephemerals_count\t(\d+)/m.exec(text)?.[1] ?? -1);
      // Refused: nothing is going to change.
      if (count <= 0 || performance.now() > deadlineMs) return count;
      await sleep(100);
    }
  }

  async #end(crash: boolean): Promise<void> {
    if (this.#sampler !== null) clearInterval(this.#sampler);
    await this.#healthy?.end();
    if (crash) await this.#server?.kill();
    else await this.#server?.stop();
  }

  async stop(): Promise<void> {
    await this.#end(true);
  }
}

class NoStartError extends Error {}
