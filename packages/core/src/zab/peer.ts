/**
 * A member of an ensemble: which role it has, and how it comes from one to the next.
 *
 *   looking ─► leading                 ─► withdrawing ─► looking   (after a pause, if the role came to nothing)
 *           └► following, observing   ─┘
 *
 * A role is an object that lives as long as the role. When it ends, for whatever reason, the server withdraws: clients are
 * disconnected, what was in flight is dropped, steps on the disk that cannot be broken off are waited for, and everything in the log, committed
 * or not, is made durable and applied. Only then it votes again: its vote speaks of all it has.
 *
 * Tree, sessions, log and connections of the shell stay over all of this. Source: ZooKeeper's QuorumPeer; docs/zab.md.
 */
import { ByteReader, ByteWriter, logLevels } from '@zoots/base';
import { formatEnsemble, formatZxid, makeZxid, readNotification, writeNotification } from '@zoots/protocol';
import { describeRecoveryError, ENTRY_BYTES_MAX, type Epochs, loadEpochs } from '@zoots/storage';
import { Election, type Vote } from './election.js';
import { LeaderRole } from './leader-role.js';
import type { StepDone } from './learner.js';
import type { LearnerHandle } from './learner-handle.js';
import { LearnerRole } from './learner-role.js';
import type { MemberParts, RoleHost } from './member.js';
import type { LearnerView, PeerInputs, PeerObserver, PeerStatus, Role } from './peer-contract.js';
import { PeerStatistics } from './peer-statistics.js';
import { PeerStream } from './peer-stream.js';
import { type QuorumRule, quorumRuleOf } from './quorum.js';

const EXIT_DATA = 10;
/** Apache's, or a tick if that is longer. */
const READ_ONLY_AFTER_MS = 2000;

export class Peer implements PeerInputs, RoleHost {
  role: Role = 'looking';
  observer: PeerObserver | null = null;
  epochs: Epochs = NOT_LOADED;
  readonly rule: QuorumRule;
  readonly #parts: MemberParts;
  readonly #election: Election;
  #leading: LeaderRole | null = null;
  #learning: LearnerRole | null = null;
  #why = 'starting';
  #leader: number | null = null;
  /** Streams that learners opened to this server. */
  readonly #handles = new Map<PeerStream, LearnerHandle>();
  #dirty: PeerStream[] = [];
  #streamCount = 0;
  /** Steps on the disk that go on. */
  #stepCount = 0;
  #isWithdrawing = false;
  /** The role has come to serve. */
  #hasServed = false;
  /** After a role that came to nothing, the next vote is given then. */
  #lookAtMs = Number.POSITIVE_INFINITY;
  #isStopped = false;
  /** When looking began; for the time that elections take. */
  #lookingSinceMs = 0;
  #readOnlyAtMs = Number.POSITIVE_INFINITY;
  readonly statistics = new PeerStatistics();
  readonly #reader = new ByteReader();
  readonly #message = new ByteWriter(1024);

  constructor(parts: MemberParts) {
    this.#parts = parts;
    const { rules, net } = parts;
    this.rule = quorumRuleOf(rules.configuration);
    const { serverId, notifyMinMs, notifyMaxMs } = rules;
    const configText = formatEnsemble(rules.configuration);
    this.#election = new Election(
      { serverId, rule: this.rule, configText, notifyMinMs, notifyMaxMs },
      {
        send: (to, notification) => {
          this.#message.clear();
          writeNotification(this.#message, notification);
          net.sendElection(to, this.#message.toBytes());
        },
        connectAll: () => net.connectElection(),
        onElected: (vote) => this.#onElected(vote),
      },
    );
  }

  get #nowMs(): number {
    return this.#parts.host.nowMs;
  }

  #log(level: number, event: string, fields: Readonly<Record<string, string | number>>): void {
    this.#parts.ports.logger.log(level, event, fields);
  }

  #setRole(role: Role, leader: number | null, why: string): void {
    // A server that has withdrawn looks for the reason that it withdrew for: one line for both.
    if (role !== this.role || why !== this.#why) this.#log(logLevels.info, role, { why });
    this.role = role;
    this.#leader = leader;
    this.#why = why;
    this.observer?.onRole?.(role, why);
  }

  /** For people. */
  get status(): PeerStatus {
    return {
      role: this.role,
      serverId: this.#parts.rules.serverId,
      leader: this.#leader,
      epoch: this.epochs.current,
      why: this.#why,
    };
  }

  /** On a leader: its learners that have registered. */
  get learners(): readonly LearnerView[] {
    const leader = this.#leading?.leader;
    if (leader === undefined) return [];
    return [...leader.handles]
      .filter(({ serverId }) => !Number.isNaN(serverId))
      .map((handle) => {
        const { serverId, isObserver, stage } = handle;
        return { serverId, isObserver, isSynced: stage === 'current', lagTxns: this.#lagOf(handle) };
      });
  }

  #lagOf({ owedSinceMs, ackedZxid }: LearnerHandle): number {
    if (owedSinceMs === Number.POSITIVE_INFINITY) return 0;
    return Math.max(this.#parts.database.lastLoggedZxid - Math.max(ackedZxid, makeZxid(this.epochs.current, 0)), 0);
  }

  /** Syncs of learners that wait for a commit. */
  get pendingSyncCount(): number {
    return this.#leading?.leader.pendingSyncCount ?? 0;
  }

  // ---- life ----

  /** The database is open: epochs first, then a vote. */
  start(done: (problem: string | null) => void): void {
    const { config, ports, tree, host } = this.#parts;
    const lastZxid = Math.max(tree.lastProcessedZxid, 0);
    loadEpochs(ports.disk, `${config.dataDir}/version-2`, lastZxid, (error, epochs) => {
      host.openTurn();
      if (error !== null || epochs === null) {
        done(error === null ? 'the epochs were not read' : describeRecoveryError(error));
        return;
      }
      this.epochs = epochs;
      for (const what of epochs.repairs) this.#log(logLevels.warn, 'repaired', { what });
      this.#look('started');
      done(null);
    });
  }

  /** Takes part no more. */
  stop(): void {
    this.#isStopped = true;
    this.#dropRole();
  }

  #look(reason: string): void {
    const { rules, database, tree, host } = this.#parts;
    tree.setConfig(formatEnsemble(rules.configuration), rules.configuration.version, host.wallMs);
    this.#lookingSinceMs = this.#nowMs;
    this.#setRole('looking', null, reason);
    const { readOnlyEnabled } = rules;
    const waitMs = Math.max(READ_ONLY_AFTER_MS, this.#parts.config.tickTimeMs);
    this.#readOnlyAtMs = readOnlyEnabled ? this.#nowMs + waitMs : Number.POSITIVE_INFINITY;
    this.#election.look(database.lastLoggedZxid, this.epochs.current, this.#nowMs);
  }

  /** Nobody leads for a while now: better reads than nothing. The election goes on. */
  #serveReadOnly(): void {
    this.#readOnlyAtMs = Number.POSITIVE_INFINITY;
    this.#setRole('read-only', null, 'no leader was found in time; looking for one meanwhile');
    this.#parts.host.serveReadOnly();
  }

  #onElected({ leader, zxid, peerEpoch, round }: Vote): void {
    this.#readOnlyAtMs = Number.POSITIVE_INFINITY;
    this.#hasServed = false;
    if (this.role === 'read-only') {
      this.#parts.host.withdraw();
      this.#parts.host.onWithdrawn();
    }
    const { rules } = this.#parts;
    this.statistics.elections.add(this.#nowMs - this.#lookingSinceMs);
    const voters = `${this.#election.supporters.join(', ')} of ${[...this.rule.voters].join(', ')}`;
    const history = `epoch ${peerEpoch} and zxid ${formatZxid(Math.max(zxid, 0))}`;
    const vote = `elected in round ${round}, for its ${history}, by ${voters}`;
    if (leader === rules.serverId) {
      const leading = new LeaderRole(this.#parts, this, this.rule);
      this.#leading = leading;
      this.#setRole('leading', leader, `this server was ${vote}`);
      this.#parts.net.listen(true);
      leading.leader.start();
      return;
    }
    const isObserver = !this.rule.voters.has(rules.serverId);
    const learning = new LearnerRole(this.#parts, this, leader, isObserver);
    this.#learning = learning;
    this.#setRole(isObserver ? 'observing' : 'following', leader, `server ${leader} was ${vote}`);
    learning.dial();
  }

  // ---- the end of a role ----

  onRoleEnded(role: object, reason: string): void {
    if (role !== this.#leading && role !== this.#learning) return;
    this.#dropRole();
    if (this.#isStopped) return;
    this.#setRole('looking', null, reason);
    this.#isWithdrawing = true;
    this.#parts.host.withdraw();
    this.#withdrawOn(reason);
  }

  #dropRole(): void {
    const { net, touched, database } = this.#parts;
    const learning = this.#learning;
    const leading = this.#leading;
    this.#leading = null;
    this.#learning = null;
    net.listen(false);
    if (learning !== null) this.closeStream(learning.stream);
    leading?.syncs.end();
    for (const stream of [...this.#handles.keys()]) this.closeStream(stream);
    touched.clear();
    database.forgetWaiting();
  }

  /** One thing after the other: steps that go on, the log to the disk, all of it applied; then a new vote. */
  #withdrawOn(reason: string): void {
    if (!this.#isWithdrawing || this.#stepCount > 0 || this.#isStopped) return;
    const { database, host } = this.#parts;
    if (database.isReplaced) {
      this.#stepCount++;
      database.reload(this.#nowMs, (problem) => {
        this.#stepCount--;
        host.openTurn();
        if (problem === null) this.#withdrawOn(reason);
        else host.fail(problem, EXIT_DATA);
      });
      return;
    }
    this.#stepCount++;
    database.whenDurable(() => {
      this.#stepCount--;
      host.commitUpTo(Number.POSITIVE_INFINITY);
      host.onWithdrawn();
      if (this.#hasServed) this.#lookAgain(reason);
      // A leader that turns this server away would do it again at once.
      else this.#lookAtMs = this.#nowMs + this.#parts.rules.notifyMinMs;
    });
  }

  #lookAgain(reason: string): void {
    this.#lookAtMs = Number.POSITIVE_INFINITY;
    this.#isWithdrawing = false;
    this.#look(reason);
  }

  writeEpoch(role: object, kind: 'accepted' | 'current', epoch: number, done: StepDone): void {
    const { epochs } = this;
    const ended = (finish: StepDone): void => {
      const onWritten = (error: { readonly message: string } | null): void => {
        // Also if the role has ended meanwhile: it is on disk.
        if (error === null) this.observer?.onEpochWritten?.(kind, epoch);
        finish(error?.message ?? null);
      };
      if (kind === 'accepted') epochs.setAccepted(epoch, onWritten);
      else epochs.setCurrent(epoch, onWritten);
    };
    this.runStep(role, ended, done);
  }

  /** After a failure nobody knows what is on disk: the server must stop. */
  runStep(role: object, step: (ended: StepDone) => void, done: StepDone): void {
    const { host } = this.#parts;
    this.#stepCount++;
    step((problem) => {
      this.#stepCount--;
      host.openTurn();
      if (problem !== null) host.fail(problem, EXIT_DATA);
      else if (role === this.#leading || role === this.#learning) done(null);
      else this.#withdrawOn(this.#why);
    });
  }

  // ---- serving ----

  onLeading(role: object, epoch: number): void {
    if (role !== this.#leading) return;
    this.#hasServed = true;
    this.#election.onEpoch(epoch);
    this.#why = `${this.#why}; epoch ${epoch} is established`;
    this.#log(logLevels.info, 'serving as leader', { epoch });
    this.statistics.onLeading(this.#nowMs);
    this.observer?.onLeading?.(epoch);
    this.#parts.host.serveAsLeader(epoch);
  }

  onFollowing(role: { readonly leaderId: number; readonly stream: PeerStream }, epoch: number): void {
    if (role !== this.#learning) return;
    this.#hasServed = true;
    const { rules, tree, host } = this.#parts;
    this.#election.onEpoch(epoch);
    tree.setConfig(formatEnsemble(rules.configuration), rules.configuration.version, host.wallMs);
    this.#why = `${this.#why}; in step with it since epoch ${epoch}`;
    this.#log(logLevels.info, `serving, ${this.role}`, { leader: role.leaderId, epoch });
    this.observer?.onFollowing?.(role.leaderId, epoch);
    host.serveAsLearner(role.stream);
  }

  /** A transaction of this server's, as leader, has its zxid. */
  onProposed(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    this.observer?.onProposed?.(zxid, bytes, start, end);
    this.statistics.proposalSizes.add(end - start);
    this.#leading?.leader.onProposed(zxid, bytes, start, end);
  }

  /** The log is on disk up to here. */
  onDurable(zxid: number): void {
    this.#leading?.leader.onDurable(zxid);
    this.#learning?.learner.onDurable(zxid);
  }

  /** The zxid counter of the epoch is spent. */
  resign(reason: string): void {
    this.#leading?.leader.end(reason);
  }

  /** As leader: `done` comes when everything proposed so far is committed. */
  sync(done: () => void): void {
    this.#leading?.leader.sync(done);
  }

  askToRevalidate(session: Parameters<LearnerRole['askToRevalidate']>[0], timeoutMs: number): void {
    this.#learning?.askToRevalidate(session, timeoutMs);
  }

  // ---- streams ----

  newStream(): PeerStream {
    return new PeerStream(++this.#streamCount, ENTRY_BYTES_MAX, this.#nowMs, this.#markDirty);
  }

  readonly #markDirty = (stream: PeerStream): void => {
    if (stream.isDirty) return;
    stream.isDirty = true;
    this.#dirty.push(stream);
  };

  closeStream(stream: PeerStream): void {
    this.#handles.delete(stream);
    stream.isClosed = true;
    this.#markDirty(stream);
  }

  takeDirty(): PeerStream[] {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const stream of dirty) stream.isDirty = false;
    return dirty;
  }

  accept(remoteAddress: string): PeerStream | null {
    this.#parts.host.openTurn();
    const leading = this.#leading;
    if (leading === null) return null;
    const stream = this.newStream();
    this.#handles.set(stream, leading.leader.onLearner(stream));
    this.#log(logLevels.debug, 'a learner connected', { remoteAddress });
    return stream;
  }

  onConnected(stream: PeerStream): void {
    this.#parts.host.openTurn();
    if (this.#learning?.stream === stream) this.#learning.onConnected();
    else this.closeStream(stream);
  }

  onBytes(stream: PeerStream, bytes: Uint8Array, start: number, end: number): void {
    this.#parts.host.openTurn();
    if (this.#learning?.stream === stream) this.#learning.learner.onBytes(bytes, start, end);
    else {
      const handle = this.#handles.get(stream);
      if (handle !== undefined) this.#leading?.leader.onBytes(handle, bytes, start, end);
    }
  }

  onClosed(stream: PeerStream, reason: string): void {
    this.#parts.host.openTurn();
    stream.isClosed = true;
    if (this.#learning?.stream === stream) this.#learning.onClosed(reason);
    else {
      const handle = this.#handles.get(stream);
      this.#handles.delete(stream);
      if (handle !== undefined) this.#leading?.leader.onDisconnected(handle);
    }
  }

  /** What waited for room goes on at the end of the turn. */
  onDrained(_stream: PeerStream): void {
    this.#parts.host.openTurn();
  }

  onElectionFrame(from: number, bytes: Uint8Array, start: number, end: number): void {
    this.#parts.host.openTurn();
    if (this.epochs === NOT_LOADED || this.#isStopped) return;
    const notification = readNotification(this.#reader.reset(bytes, start, end));
    if (notification === null) this.#log(logLevels.warn, 'a vote that makes no sense', { serverId: from });
    else if (!this.#isWithdrawing) this.#election.onNotification(from, notification, this.#nowMs);
  }

  // ---- time ----

  /** The end of a turn: what is due, and what goes on in slices. */
  endTurn(): void {
    if (this.#isStopped) return;
    this.#onTime();
    this.#leading?.syncs.step();
  }

  #onTime(): void {
    const nowMs = this.#nowMs;
    if (this.#lookAtMs <= nowMs) this.#lookAgain(this.#why);
    if (this.#isWithdrawing) return;
    if (this.#election.deadlineMs <= nowMs) this.#election.onTime(nowMs);
    if (this.#readOnlyAtMs <= nowMs) this.#serveReadOnly();
    const leader = this.#leading?.leader;
    if (leader !== undefined && leader.deadlineMs <= nowMs) leader.onTime();
    const learning = this.#learning;
    if (learning !== null && learning.deadlineMs <= nowMs) learning.onTime();
  }

  get hasWork(): boolean {
    return this.#leading?.syncs.hasWork === true;
  }

  get deadlineMs(): number {
    if (this.#isStopped) return Number.POSITIVE_INFINITY;
    if (this.#isWithdrawing) return this.#lookAtMs;
    const roleMs = Math.min(
      this.#leading?.leader.deadlineMs ?? Number.POSITIVE_INFINITY,
      this.#learning?.deadlineMs ?? Number.POSITIVE_INFINITY,
    );
    return Math.min(this.#election.deadlineMs, this.#readOnlyAtMs, roleMs);
  }
}

/** Before the files are read nobody asks. */
const NOT_LOADED = { accepted: -1, current: -1, repairs: [] } as unknown as Epochs;
