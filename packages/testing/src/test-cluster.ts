/** TestCluster: an ensemble in this process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { highOfBigint, lowOfBigint, pairToBigint } from '@zoots/base';
import type { Session } from '@zoots/core';
import type { AssembledServer } from '@zoots/server/assemble';
import type { ClusterMember } from './cluster-member.js';
import type { ServerSession } from './in-process-server.js';
import { idOf, type SessionReference } from './session-reference.js';

const POLL_MS = 2;
const WAIT_DEFAULT_MS = 30_000;

export class TestCluster implements AsyncDisposable {
  /** By id, from 1 on: `members[0]` is server.1. */
  readonly members: readonly ClusterMember[];
  /** For clients: all members, those that are down as well. */
  readonly connectString: string;
  #stopped: Promise<void> | null = null;

  /** @internal */
  constructor(members: readonly ClusterMember[]) {
    this.members = members;
    this.connectString = members.map((member) => member.connectString).join(',');
  }

  /** The member `id` of its server.N line. Throws if there is none. */
  member(id: number): ClusterMember {
    const member = this.members[id - 1];
    if (member === undefined) throw new Error(`there is no member ${id}, only 1 to ${this.members.length}`);
    return member;
  }

  // ---- who leads ----

  /** The member that leads, and that the others can reach; null while there is none. */
  get leader(): ClusterMember | null {
    const leading = this.members.filter((member) => member.role === 'leading' && member.isServing);
    return leading.sort((a, b) => b.epoch - a.epoch)[0] ?? null;
  }

  /** The members that serve and do not lead. */
  get followers(): ClusterMember[] {
    const { leader } = this;
    return this.members.filter((member) => member.isServing && member !== leader);
  }

  /** Resolves with the member that leads, once one does. Rejects after `timeoutMs`, default 30 s, with what each member is. */
  async waitForLeader(timeoutMs: number = WAIT_DEFAULT_MS): Promise<ClusterMember> {
    await this.#until(() => this.leader !== null, 'no leader', timeoutMs);
    return this.leader as ClusterMember;
  }

  /**
   * Resolves when every member that runs, and is neither frozen nor isolated, serves. Rejects as {@link waitForLeader} does.
   */
  async whenServing(timeoutMs: number = WAIT_DEFAULT_MS): Promise<void> {
    await this.#until(() => this.#isWhole, 'not all serve', timeoutMs);
  }

  /** All who can serve, in one epoch: a leader that was away may not have heard yet that there is another one. */
  get #isWhole(): boolean {
    const able = this.members.filter((member) => member.isAble);
    return able.every((member) => member.isServing && member.epoch === able[0]?.epoch);
  }

  async #until(isTrue: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!isTrue()) {
      if (performance.now() > deadlineMs) {
        const members = this.members.map(({ id, role, why }) => `${id}: ${role}, ${why}`);
        throw new Error(`${what} after ${timeoutMs} ms; ${members.join('; ')}`);
      }
      await sleep(POLL_MS);
    }
  }

  // ---- sessions ----

  /** The sessions that the ensemble has, by id, as its leader knows them. Throws while there is no leader. */
  get sessions(): ServerSession[] {
    const sessions = [...this.#leading('sessions').server.sessions.all()].map((session) => {
      const { high, low, timeoutMs } = session;
      return { id: pairToBigint(high, low), timeoutMs, isConnected: this.#holder(high, low) !== null };
    });
    return sessions.sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  /** The member that the session's client is connected to; null if to none. */
  memberOf(reference: SessionReference): ClusterMember | null {
    const id = idOf(reference);
    return this.#holder(highOfBigint(id), lowOfBigint(id))?.member ?? null;
  }

  /**
   * Ends a session now, as if it had expired: its ephemeral znodes go, its connection is closed, and its client is told `expired`
   * when it comes back. Resolves when it is gone on every member that serves. Rejects if there is no such session, or no leader.
   */
  async killSession(reference: SessionReference): Promise<void> {
    const id = idOf(reference);
    const [high, low] = [highOfBigint(id), lowOfBigint(id)];
    const { server } = this.#leading('killSession');
    const session = server.sessions.get(high, low);
    if (session === undefined) throw new Error(`the ensemble has no session 0x${BigInt.asUintN(64, id).toString(16)}`);
    server.tick();
    if (!session.isClosing) {
      server.sessions.markClosing(session);
      server.submitCloseSession(session);
    }
    const isGone = ({ isServing, running }: ClusterMember): boolean =>
      !isServing || running?.server.sessions.get(high, low) === undefined;
    await this.#until(() => this.members.every(isGone), 'the session is not gone', WAIT_DEFAULT_MS);
  }

  /** Cuts the TCP connection of a session, if it has one. The session lives on, and its client may go on at any member. */
  dropConnection(reference: SessionReference): void {
    const id = idOf(reference);
    this.#holder(highOfBigint(id), lowOfBigint(id))?.drop();
  }

  #holder(high: number, low: number): { member: ClusterMember; drop(): void } | null {
    for (const member of this.members) {
      const running = member.running;
      const session: Session | undefined = running?.server.sessions.get(high, low);
      const connection = session?.connection ?? null;
      if (running !== null && connection !== null) return { member, drop: () => running.listener.drop(connection) };
    }
    return null;
  }

  #leading(what: string): AssembledServer {
    const running = this.leader?.running ?? null;
    if (running === null) throw new Error(`${what}: there is no leader; see waitForLeader()`);
    return running;
  }

  // ---- life ----

  /** Stops all members; temporary data is removed. Rejects if one had failed by itself. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const failure = this.members.map((member) => member.failure).find((each) => each !== null);
    await Promise.all(this.members.map((member) => member.discard()));
    if (failure !== undefined) throw failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
