/**
 * How long writes stand still when a server is killed: eight writers, three servers with the settings people use, one write after
 * another on each. A writer whose server is gone goes on at another at once, with its session.
 *
 * With the leader killed, the gap is between the last acknowledgement before and the first after, of any writer. With a follower
 * killed, only writers of the other two servers count: they should not notice.
 */

import { maxOf, medianOf } from '../crash/report.js';
import { sleep } from '../crash/server-process.js';
import type { PeerKind } from '../peers/peer.js';
import { WireSession } from '../wire/session.js';
import { Cluster, type ClusterMember } from './cluster.js';

const writerCount = 8;
const connectAnswerMs = 1_000;
/** Short against what is measured, and long enough not to keep the servers busy with refusals. */
const connectRetryMs = 20;
const path = '/failover';

/** As in every zoo.cfg. */
const usualConfig = { tickTime: '2000', initLimit: '10', syncLimit: '5' };

class Writer {
  readonly #ports: readonly number[];
  #at: number;
  #isStopped = false;
  readonly #done: Promise<void>;
  /** The server it talks to. */
  port = 0;
  ackedMs = 0;
  /** Since `mark`. */
  longestGapMs = 0;
  onAck: () => void = () => {};

  constructor(ports: readonly number[], at: number) {
    this.#ports = ports;
    this.#at = at;
    this.#done = this.#run();
  }

  mark(): void {
    this.longestGapMs = 0;
    this.ackedMs = performance.now();
  }

  async end(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    let identity: { sessionId: bigint; password: Buffer } | null = null;
    while (!this.#isStopped) {
      this.port = this.#ports[this.#at++ % this.#ports.length] as number;
      try {
        const request = { timeoutMs: 30_000, ...identity };
        const session: WireSession = await WireSession.connect(this.port, request, connectAnswerMs);
        identity = { sessionId: session.sessionId, password: session.password };
        await this.#write(session);
      } catch {
        // Refused or cut off: the next one may serve.
        await sleep(connectRetryMs);
      }
    }
  }

  async #write(session: WireSession): Promise<void> {
    while (!this.#isStopped) {
      const stat = await session.setData(path, 'x'.repeat(128));
      if (stat.version <= 0) throw new Error('a write without a version');
      const nowMs = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.ackedMs);
      this.ackedMs = nowMs;
      this.onAck();
    }
    session.abandon();
  }
}

/** One ensemble under test. Its writers work only while a round goes on, so that several can take turns. */
export class FailoverContestant {
  readonly kind: PeerKind;
  readonly #cluster: Cluster;
  readonly leaderGapsMs: number[] = [];
  readonly followerGapsMs: number[] = [];

  private constructor(kind: PeerKind, cluster: Cluster) {
    this.kind = kind;
    this.#cluster = cluster;
  }

  static async start(kind: PeerKind, workDir: string): Promise<FailoverContestant> {
    const cluster = await Cluster.start({ kind, workDir, config: usualConfig, hasLinks: false });
    const contestant = new FailoverContestant(kind, cluster);
    try {
      const session = await WireSession.connect((cluster.members[0] as ClusterMember).port);
      await session.create(path);
      await session.close();
      // JVMs get faster with use.
      await contestant.#withWriters(() => sleep(2_000));
      return contestant;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.#cluster.stop();
  }

  /** Kills the leader, then a follower. */
  async round(): Promise<void> {
    await this.#withWriters(async (writers) => {
      this.leaderGapsMs.push(await gapOfLeader(this.#cluster, writers));
      this.followerGapsMs.push(await gapOfFollower(this.#cluster, writers, this.followerGapsMs.length));
    });
  }

  async #withWriters(run: (writers: readonly Writer[]) => Promise<void>): Promise<void> {
    const ports = this.#cluster.members.map(({ port }) => port);
    const writers = Array.from({ length: writerCount }, (_, at) => new Writer(ports, at));
    try {
      await sleep(500);
      await run(writers);
    } finally {
      for (const writer of writers) await writer.end();
    }
  }
}

async function gapOfLeader(cluster: Cluster, writers: readonly Writer[]): Promise<number> {
  const leader = await cluster.leader();
  let longestMs = 0;
  let lastMs = performance.now();
  const onAck = (): void => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
  };
  for (const writer of writers) writer.onAck = onAck;
  await leader.kill();
  await untilAcked(writers);
  for (const writer of writers) writer.onAck = () => {};
  leader.start();
  await cluster.whole();
  await sleep(500);
  return longestMs;
}

async function gapOfFollower(cluster: Cluster, writers: readonly Writer[], kill: number): Promise<number> {
  const followers = cluster.others(await cluster.leader());
  const victim = followers[kill % followers.length] as ClusterMember;
  const others = writers.filter(({ port }) => port !== victim.port);
  for (const writer of others) writer.mark();
  await victim.kill();
  await sleep(1_000);
  const longestMs = maxOf(others.map(({ longestGapMs }) => longestGapMs));
  victim.start();
  await cluster.whole();
  await sleep(500);
  return longestMs;
}

/** Every writer has gone on. */
async function untilAcked(writers: readonly Writer[]): Promise<void> {
  const sinceMs = performance.now();
  while (writers.some(({ ackedMs }) => ackedMs < sinceMs)) {
    if (performance.now() - sinceMs > 30_000) throw new Error('writes do not go on 30 s after the kill of the leader');
    await sleep(10);
  }
  await sleep(200);
}

export function failoverLine({ kind, leaderGapsMs, followerGapsMs }: FailoverContestant): string {
  const text = (gaps: readonly number[]): string =>
    `median ${Math.round(medianOf(gaps))} ms, worst ${Math.round(maxOf(gaps))} ms`;
  return `${kind}, ${leaderGapsMs.length} kills each: writes stand still when the leader is killed ${text(leaderGapsMs)}; a follower, seen by clients of the others: ${text(followerGapsMs)}`;
}
