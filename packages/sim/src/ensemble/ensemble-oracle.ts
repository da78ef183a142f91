/**
 * What an ensemble has agreed on, and what its clients must therefore see.
 *
 * The agreed history is a chain: an epoch's transactions, without a hole, on top of the history with which its leader was established. It
 * grows when a quorum has established a leader, and when a member that leads or follows applies. It never shrinks: a history that leaves
 * out what was agreed is a lost write, whoever has it. Its transactions are given to the model in order, and replies of all servers
 * are compared with that.
 */
import { ByteReader } from '@zoots/base';
import type { CoreConfig } from '@zoots/core';
import { counterOf, epochOf, makeZxid, OP } from '@zoots/protocol';
import { readEntry, type TapRecord } from '../checkers/log-tap.js';
import { fail, hex } from '../checkers/violation.js';
import type { HostWatcher } from '../host.js';
import { sessionKey } from '../model.js';
import { ReplyOracle } from '../reply-oracle.js';
import { isWrite, type Request } from '../request.js';
import type { Trace } from '../trace.js';
import type { EventChecker, History, ProposalListener } from './history.js';
import type { ZabEvent } from './zab-events.js';

/** What each sync found when it was sent. */
interface SyncFloor {
  readonly toldZxid: number;
  readonly epoch: number;
}

export class EnsembleOracle
  extends ReplyOracle
  implements EventChecker, ProposalListener, Omit<HostWatcher, 'onServing' | 'onServerGone'>
{
  loadedSnapshotZxid = 0;
  protected override readonly isOfEnsemble = true;
  protected override readonly hasLocalSessions: boolean;
  /** The highest zxid that any byte for a client has spoken of. */
  toldZxid = 0;
  /** All is well since then: no session that is heard may expire. Infinity while faults happen. */
  calmSinceUs = Number.POSITIVE_INFINITY;
  /** How much earlier than its timeout a session may end at the leader: touches come with the answers to pings. */
  touchSlackMs = 0;
  nowUs: () => number = () => 0;
  readonly #history: History;
  readonly #proposals = new Map<number, TapRecord>();
  /** By epoch: the last transaction of the history that it began with. */
  readonly #bases = new Map<number, number>([[0, 0]]);
  readonly #syncFloors = new Map<Request, SyncFloor>();
  /** By session: when a server last heard it, and its timeout. */
  readonly #heard = new Map<string, { heardUs: number; timeoutMs: number }>();
  expiredCount = 0;

  constructor(core: CoreConfig, trace: Trace, history: History) {
    super(core, trace);
    this.hasLocalSessions = core.ensemble?.localSessionsEnabled === true;
    this.#history = history;
    this.incarnation = 1;
  }

  // ---- the agreed history ----

  onProposed(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    this.#proposals.set(zxid, readEntry(new ByteReader(bytes.slice(start, end)), 0, 0));
  }

  onEvent(event: ZabEvent): void {
    if (event.kind === 'leading') this.#onLeading(event.server, event.epoch);
    else if (event.kind === 'applied' && this.#history.stateOf(event.server).isEstablished) this.#agree(event.zxid);
  }

  #onLeading(server: number, epoch: number): void {
    const { zxid } = this.#history.stateOf(server);
    this.#bases.set(epoch, this.lastTxn(zxid));
    this.#agree(zxid);
  }

  /** A zxid with counter 0 stands for the beginning of its epoch: the last transaction is the one before. */
  override lastTxn(zxid: number): number {
    let at = zxid;
    while (counterOf(at) === 0 && at > 0) at = this.#baseOf(epochOf(at));
    return at;
  }

  #baseOf(epoch: number): number {
    const base = this.#bases.get(epoch);
    if (base === undefined) fail('agreement', `epoch ${epoch} was never established, and there is a history of it`);
    return base;
  }

  #before(zxid: number): number {
    return counterOf(zxid) > 1 ? zxid - 1 : this.lastTxn(makeZxid(epochOf(zxid), 0));
  }

  /** Everything up to `zxid` is agreed on. */
  #agree(zxid: number): void {
    const agreed = this.model.lastZxid;
    const fresh: number[] = [];
    for (let at = this.lastTxn(zxid); at > agreed; at = this.#before(at)) fresh.push(at);
    const oldest = fresh.at(-1);
    // The same question for a history that brings nothing new is Zab's (I5, I6).
    if (oldest !== undefined && this.#before(oldest) !== agreed) {
      fail('agreement', `the history of ${hex(zxid)} leaves out ${hex(agreed)}, which was agreed on: writes are lost`);
    }
    for (const one of fresh.reverse()) this.#execute(one);
  }

  #execute(zxid: number): void {
    const record = this.#proposals.get(zxid);
    if (record === undefined) fail('agreement', `${hex(zxid)} is agreed on, and nobody proposed it`);
    this.#proposals.delete(zxid);
    this.onRecord(record);
  }

  protected get quotaStates(): readonly number[] {
    return [this.model.lastZxid];
  }

  /** Runs are short: nothing is forgotten. */
  get viewStart(): number {
    return 0;
  }

  // ---- clients ----

  /** A write comes behind everything that anybody knew when it was sent. */
  protected floorOf(request: Request): number {
    if (request.op === OP.sync) this.#syncFloors.set(request, { toldZxid: this.toldZxid, epoch: this.#history.epoch });
    const mayBeLocal = this.hasLocalSessions && request.op === OP.closeSession;
    return isWrite(request.op) && !mayBeLocal ? this.toldZxid + 1 : 0;
  }

  /** A sync that was answered within the newest epoch brings what anybody knew when it was sent. */
  protected override onAnswered(request: Request, zxid: number): void {
    const floor = this.#syncFloors.get(request);
    if (floor === undefined) return;
    this.#syncFloors.delete(request);
    if (epochOf(zxid) < floor.epoch || zxid >= floor.toldZxid) return;
    fail('order', `a sync was answered as of ${hex(zxid)}, but ${hex(floor.toldZxid)} was known when it was sent`);
  }

  onTold(bytes: Uint8Array, start: number, end: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = start; at + 16 <= end; at += 4 + view.getInt32(at)) {
      const zxid = view.getInt32(at + 8) * 4294967296 + view.getUint32(at + 12);
      if (zxid <= this.toldZxid) continue;
      this.toldZxid = zxid;
      // The epoch's beginning is told, too; what is no transaction cannot be lost.
      if (counterOf(zxid) > 0 && zxid > this.model.lastZxid) {
        fail('agreement', `a client is told of ${hex(zxid)}, and only ${hex(this.model.lastZxid)} is agreed on`);
      }
    }
  }

  // ---- sessions ----

  onSessionTold(high: number, low: number): void {
    if ((high === 0 && low === 0) || this.hasLocalSessions || this.model.sessions.has(sessionKey(high, low))) return;
    fail('sessions', `session ${sessionKey(high, low)} was promised and is not agreed on`);
  }

  onHeard(high: number, low: number, _nowMs: number, isTaken: boolean): void {
    const heard = this.#heard.get(sessionKey(high, low));
    if (heard !== undefined && isTaken) heard.heardUs = this.nowUs();
  }

  protected onSessionCreated(high: number, low: number, timeoutMs: number): void {
    this.#heard.set(sessionKey(high, low), { heardUs: this.nowUs(), timeoutMs });
  }

  protected onSessionClosed(high: number, low: number, isExpired: boolean): void {
    const key = sessionKey(high, low);
    const heard = this.#heard.get(key);
    this.#heard.delete(key);
    if (!isExpired) return;
    this.expiredCount++;
    const nowUs = this.nowUs();
    if (heard === undefined || heard.heardUs < this.calmSinceUs) return;
    const idleMs = (nowUs - heard.heardUs) / 1000;
    if (idleMs >= heard.timeoutMs - this.touchSlackMs) return;
    fail('sessions', `session ${key} expired after ${idleMs} ms of silence, its timeout is ${heard.timeoutMs}`);
  }

  /** A leader that nobody follows any more may think so without reason; when all is well, nobody may. */
  onSessionRefused(high: number, low: number): void {
    if (this.nowUs() < this.calmSinceUs || !this.model.isSessionAlive(high, low)) return;
    const heard = this.#heard.get(sessionKey(high, low));
    const idleMs = heard === undefined ? 0 : (this.nowUs() - heard.heardUs) / 1000;
    if (heard === undefined || idleMs >= heard.timeoutMs - this.touchSlackMs) return;
    fail('sessions', `session ${sessionKey(high, low)} was refused to its client, and lives`);
  }

  onSnapshotStarted(): void {}
  onSnapshotEnded(): void {}
}
