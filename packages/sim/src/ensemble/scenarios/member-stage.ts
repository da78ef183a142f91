/**
 * One real server of an ensemble on a stage: the others are played by the story, packet by packet. For what only happens when a particular
 * packet comes at a particular moment, or when the disk stops at a particular step. (Whole ensembles are in ../script.ts.)
 *
 * The server is number 1; 2 and 3 are played. Its disk is the simulator's; the transactions are creations of `/t<zxid>`, so that its tree says
 * which of them it has.
 */
import assert from 'node:assert/strict';
import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8, Prng } from '@zoots/base';
import type { CoreConfig, Peer, PeerInputs, PeerStream, QuorumNet, Server } from '@zoots/core';
import {
  type EnsembleConfiguration,
  epochOf,
  formatZxid,
  makeZxid,
  type Notification,
  OP,
  PACKET,
  PEER_STATE,
  QuorumPacketReader,
  readNotification,
  writeLearnerInfo,
  writeNotification,
  writeQuorumPacket,
  writeTxnHeader,
} from '@zoots/protocol';
import { Host, type HostWatcher, type QuorumSide } from '../../host.js';
import { type DiskOperation, SimDisk } from '../../sim-disk.js';
import { Simulator } from '../../simulator.js';
import { DATA_DIR, drawOptions } from '../../swarm.js';
import { Trace } from '../../trace.js';
import { CALM_DISK } from './storage-stage.js';

const TICK_MS = 100;
const QUICK_SYNC_MS = 0.2;

const NAMES = new Map(Object.entries(PACKET).map(([name, type]) => [type as number, name.toUpperCase()]));

/** One end of a stream between the server and a played one. */
export class Played {
  readonly stage: MemberStage;
  readonly stream: PeerStream;
  /** What the server said: `ACK 0x100000000`, in order. */
  readonly heard: string[] = [];
  /** Told of each packet as it comes: the moment for a crash. */
  onHeard: (line: string) => void = () => {};
  /** Data of the same packets. */
  readonly heardData: (Uint8Array | null)[] = [];
  isClosed = false;
  readonly #packets = new QuorumPacketReader(16 * 1024 * 1024);
  /** Behind SNAP: the stream is the snapshot's until the story says where it ends. */
  snapshot: number[] | null = null;

  constructor(stage: MemberStage, stream: PeerStream) {
    this.stage = stage;
    this.stream = stream;
  }

  /** For the stage: bytes that the server has sent. */
  hear(bytes: Uint8Array): void {
    if (this.snapshot !== null) this.#hearSnapshot(bytes);
    else this.#packets.push(bytes, 0, bytes.length);
    while (this.snapshot === null && this.#packets.next() === 'packet') {
      const { type, zxid, dataStart, dataEnd } = this.#packets;
      this.heard.push(`${NAMES.get(type) ?? type} ${formatZxid(zxid)}`);
      this.heardData.push(dataStart < 0 ? null : this.#packets.bytes.slice(dataStart, dataEnd));
      this.onHeard(this.heard.at(-1) as string);
      if (type === PACKET.snap) {
        this.snapshot = [];
        this.#hearSnapshot(this.#packets.takeRest());
      }
    }
    this.#packets.keepRest();
  }

  #hearSnapshot(bytes: Uint8Array): void {
    const gathered = this.snapshot as number[];
    for (const byte of bytes) gathered.push(byte);
    const end = endOfSnapshot(gathered);
    if (end < 0) return;
    const rest = Uint8Array.from(gathered.splice(end));
    this.snapshots.push(Uint8Array.from(gathered));
    this.snapshot = null;
    this.#packets.push(rest, 0, rest.length);
  }

  /** Whole snapshots that came. */
  readonly snapshots: Uint8Array[] = [];

  /** Says a packet, and lets the server work. */
  say(type: number, zxid: number, data: Uint8Array | null = null): this {
    const out = new ByteWriter(64);
    if (data === null) writeQuorumPacket(out, type, zxid);
    else writeQuorumPacket(out, type, zxid, data, 0, data.length);
    return this.sayBytes(out.toBytes());
  }

  readonly #held = new ByteWriter(1024);

  /** To be said in one piece with what follows, by {@link sayHeld}. */
  hold(type: number, zxid: number, data: Uint8Array | null = null): this {
    if (data === null) writeQuorumPacket(this.#held, type, zxid);
    else writeQuorumPacket(this.#held, type, zxid, data, 0, data.length);
    return this;
  }

  sayHeld(): this {
    const bytes = this.#held.toBytes();
    this.#held.clear();
    return this.sayBytes(bytes);
  }

  sayBytes(bytes: Uint8Array): this {
    this.stage.inject((peer) => {
      if (!this.isClosed) peer.onBytes(this.stream, bytes, 0, bytes.length);
    });
    return this;
  }

  /** The connection breaks. */
  breakOff(): void {
    this.isClosed = true;
    this.stage.inject((peer) => peer.onClosed(this.stream, 'reset'));
  }

  /** What was said and not asked for yet, without the pings. */
  take(): string[] {
    return this.heard.splice(0).filter((line) => !line.startsWith('PING'));
  }
}

const SIGNATURE = [0, 0, 0, 10, ...encodeUtf8('BenWasHere')];

function endOfSnapshot(bytes: readonly number[]): number {
  for (let at = bytes.length - SIGNATURE.length; at >= 0; at--) {
    if (SIGNATURE.every((byte, i) => bytes[at + i] === byte)) return at + SIGNATURE.length;
  }
  return -1;
}

/** The creation of `/t<zxid in hex>`. */
export function txn(zxid: number): Uint8Array {
  return createTxn(zxid, pathOf(zxid));
}

export const pathOf = (zxid: number): string => `/t${formatZxid(zxid)}`;

export function createTxn(zxid: number, path: string, ownerHigh = 0, ownerLow = 0): Uint8Array {
  const out = new ByteWriter(128);
  writeTxnHeader(out, ownerHigh, ownerLow, 1, zxid, 1_700_000_000_000, OP.create);
  out.string(path);
  out.buffer(encodeUtf8('x'));
  out.int32(1);
  out.int32(31);
  out.string('world');
  out.string('anyone');
  out.bool(ownerHigh !== 0 || ownerLow !== 0);
  out.int32(-1);
  return out.toBytes();
}

export function sessionTxn(zxid: number, high: number, low: number, timeoutMs: number): Uint8Array {
  const out = new ByteWriter(64);
  writeTxnHeader(out, high, low, 0, zxid, 1_700_000_000_000, OP.createSession);
  out.int32(timeoutMs);
  return out.toBytes();
}

export function closeSessionTxn(zxid: number, high: number, low: number, paths: readonly string[]): Uint8Array {
  const out = new ByteWriter(64);
  writeTxnHeader(out, high, low, 1, zxid, 1_700_000_000_000, OP.closeSession);
  out.int32(paths.length);
  for (const path of paths) out.string(path);
  return out.toBytes();
}

export interface StageSettings {
  readonly core?: Partial<CoreConfig>;
  readonly rules?: Partial<NonNullable<CoreConfig['ensemble']>>;
  readonly seed?: number;
  readonly voterCount?: number;
}

const CALM_CORE = {
  tickTimeMs: TICK_MS,
  minSessionTimeoutMs: 4_000,
  maxSessionTimeoutMs: 20_000,
  maxClientCnxns: 60,
  sessionlessTimeoutMs: 10_000,
  globalOutstandingLimit: 1_000,
  throttle: { requestsMax: 0, stallTimeMs: 100, throttledOpWaitTimeMs: 0 },
  snapCount: 100_000,
  snapSizeLimitBytes: 0,
  txnLogSizeLimitBytes: 0,
  preAllocBytes: 4_096,
  forceSync: true,
  digestEnabled: true,
  snapshotCompression: 'none',
} as const;

const CALM_RULES = {
  initLimit: 10,
  syncLimit: 5,
  connectToLearnerMasterLimit: 0,
  leaderConnectDelayMs: 100,
  leaderServes: true,
  readOnlyEnabled: false,
  localSessionsEnabled: false,
  localSessionsUpgradingEnabled: false,
  notifyMinMs: 200,
  notifyMaxMs: 60_000,
  committedLogCount: 500,
  snapshotSizeFactor: 0.33,
  forceSnapshotSync: false,
  snapSyncsMax: 10,
  diffSyncsMax: 100,
} as const;

const WATCHER: HostWatcher = {
  loadedSnapshotZxid: 0,
  onSnapshotStarted: () => {},
  onSnapshotEnded: () => {},
  onServing: () => {},
  onServerGone: () => {},
  onHeard: () => {},
  onSessionTold: () => {},
  onTold: () => {},
};

export class MemberStage implements QuorumNet, QuorumSide {
  readonly simulator = new Simulator();
  readonly disk: SimDisk;
  readonly host: Host;
  /** Newest vote that the server told each of the others. */
  readonly votes = new Map<number, Notification>();
  /** Why the process is gone, in order. */
  readonly ends: (string | null)[] = [];
  isListening = false;
  /** To the played leader, once the server has dialled it. */
  leader: Played | null = null;
  dialled: number[] = [];
  readonly #played = new Map<PeerStream, Played>();
  readonly core: CoreConfig;

  constructor({ core = {}, rules = {}, seed = 1, voterCount = 3 }: StageSettings = {}) {
    const prng = new Prng(seed);
    const trace = new Trace(null, 0);
    this.disk = new SimDisk(this.simulator, prng.fork('disk'), trace, { ...CALM_DISK });
    const configuration: EnsembleConfiguration = {
      members: Array.from({ length: voterCount }, (_, i) => {
        const addresses = [{ host: `server${i + 1}`, quorumPort: 2888, electionPort: 3888 }];
        return { id: i + 1, role: 'participant' as const, addresses, client: null };
      }),
      groups: new Map(),
      weights: new Map(),
      version: 0,
    };
    const drawn = drawOptions(1, new Prng(1)).core;
    const ensemble = { ...CALM_RULES, serverId: 1, configuration, ...rules };
    this.core = { ...drawn, ...CALM_CORE, dataLogDir: DATA_DIR, ensemble, ...core };
    const options = { core: this.core, driftPpm: 0, turnMaxUs: 10, withheldTurnChance: 0, withheldTurnMaxUs: 0 };
    const events = { onDown: (problem: string | null) => void this.ends.push(problem), onUp: () => {} };
    this.host = new Host(options, this.simulator, prng.fork('host'), trace, this.disk, { ...WATCHER }, events);
    this.host.quorum = this;
    this.disk.onOperation = (name, path) => {
      // How long a sync takes is drawn behind the write that asks for it.
      if (this.#logSyncMs > 0 && name === 'write')
        this.slowDown(path.includes('/log.') ? this.#logSyncMs : QUICK_SYNC_MS);
      this.#onOperation(name, path);
    };
  }

  // ---- life ----

  start(): this {
    this.votes.clear();
    this.dialled = [];
    this.host.start();
    this.pass(50);
    return this;
  }

  get isUp(): boolean {
    return this.host.state === 'up';
  }

  get server(): Server {
    assert.ok(this.host.server !== null, `the server is gone: ${this.ends.at(-1)}`);
    return this.host.server;
  }

  get peer(): Peer {
    return this.server.peer as Peer;
  }

  /** What was not synced may be gone; then it starts again on what is left. */
  powerCutAndRestart(): void {
    this.powerCut();
    this.start();
  }

  powerCut(): void {
    this.#onOperation = () => {};
    if (this.host.state !== 'down') this.host.powerCut(true);
  }

  pass(ms: number): void {
    this.simulator.runUntil(this.simulator.nowUs + ms * 1000);
  }

  inject(run: (peer: PeerInputs) => void): void {
    this.simulator.after(1, () => {
      const peer = this.host.state === 'up' ? this.host.server?.peer : null;
      if (peer != null) run(peer);
    });
    this.pass(3);
  }

  /** Every sync takes so long from now on. */
  slowDown(syncMs: number): void {
    this.disk.manner.syncMinUs = Math.round(syncMs * 1_000);
    this.disk.manner.syncMaxUs = this.disk.manner.syncMinUs;
  }

  /** Syncs of the log take so long from now on, those of small files do not. */
  slowLog(syncMs: number): void {
    this.#logSyncMs = syncMs;
    this.slowDown(QUICK_SYNC_MS);
  }

  #logSyncMs = 0;
  #onOperation: (name: DiskOperation, path: string) => void = () => {};

  /** Patches each server that is made. */
  onServer: (server: Server) => void = () => {};

  /** The kernel takes no bytes for this stream: they pile up on the server's side. */
  readonly stuck = new Set<PeerStream>();

  /** `then` happens before the n-th (1 = next) operation on a file of this name from now on. */
  before(operation: DiskOperation | 'any', file: string, count: number, then: () => void): void {
    let left = count;
    this.#onOperation = (name, path) => {
      if ((operation !== 'any' && name !== operation) || !path.includes(file) || --left > 0) return;
      this.#onOperation = () => {};
      then();
    };
  }

  // ---- what it has ----

  /** Zxids of the transactions whose znodes are in its tree. */
  get zxids(): number[] {
    const { store } = this.server.tree;
    const zxids: number[] = [];
    for (let id = 0; id < store.idEnd; id++) {
      if (!store.isPresent(id)) continue;
      const start = store.pathStart(id);
      const path = decodeUtf8(store.pathChunk(id), start, start + store.pathLength(id));
      if (path.startsWith('/t0x')) zxids.push(Number.parseInt(path.slice(4), 16));
    }
    return zxids.sort((left, right) => left - right);
  }

  get epochs(): readonly [accepted: number, current: number] {
    return [this.peer.epochs.accepted, this.peer.epochs.current];
  }

  // ---- the net: elections ----

  get net(): QuorumNet {
    return this;
  }

  sendElection(to: number, message: Uint8Array): void {
    const notification = readNotification(new ByteReader(message, 0, message.length));
    if (notification !== null) this.votes.set(to, notification);
  }

  connectElection(): void {}

  /** A played server votes. */
  vote(from: number, notification: Omit<Notification, 'version' | 'config'>): void {
    const out = new ByteWriter(64);
    writeNotification(out, { ...notification, config: '' });
    this.inject((peer) => peer.onElectionFrame(from, out.bytes, 0, out.length));
  }

  /** The vote that the server tells now. */
  get vote2(): Notification {
    const vote = this.votes.get(2);
    assert.ok(vote !== undefined, 'the server has not voted');
    return vote;
  }

  /** The others have elected server 3, and say so. */
  electOther(epoch: number, zxid = makeZxid(epoch, 0)): Played {
    this.leader = null;
    const { round } = this.vote2;
    const told = { leader: 3, zxid, round, peerEpoch: epoch };
    this.vote(2, { ...told, state: PEER_STATE.following });
    this.vote(3, { ...told, state: PEER_STATE.leading });
    this.pass(5);
    const { leader } = this as { leader: Played | null };
    assert.ok(leader !== null, 'the server did not dial the leader');
    return leader;
  }

  /** Server 2 votes as this one does: it is elected. */
  electSelf(): void {
    this.vote(2, { ...this.vote2, state: PEER_STATE.looking });
    this.pass(250);
    assert.equal(this.peer.role, 'leading', 'the server does not lead');
  }

  // ---- the net: streams ----

  listen(isListening: boolean): void {
    this.isListening = isListening;
  }

  dial(serverId: number, stream: PeerStream): void {
    this.dialled.push(serverId);
    const played = new Played(this, stream);
    this.#played.set(stream, played);
    this.leader = played;
    this.simulator.after(100, () => this.host.server?.peer?.onConnected(stream));
  }

  /** A played server dials. */
  learner(): Played {
    let played: Played | null = null;
    this.inject((peer) => {
      const stream = peer.accept('10.0.0.2');
      if (stream === null) return;
      played = new Played(this, stream);
      this.#played.set(stream, played);
    });
    assert.ok(played !== null, 'the server takes no learners');
    return played;
  }

  onServerMade(server: Server): void {
    this.onServer(server);
  }

  flush(server: Server): void {
    if (this.host.server !== server) return;
    for (const stream of server.peer?.takeDirty() ?? []) {
      const played = this.#played.get(stream);
      const bytes = stream.out.toBytes();
      stream.out = new ByteWriter(64);
      if (played === undefined) continue;
      if (this.stuck.has(stream)) stream.unsentBytes += bytes.length;
      else played.hear(bytes);
      if (stream.isClosed) played.isClosed = true;
    }
  }

  onGone(): void {
    for (const played of this.#played.values()) played.isClosed = true;
    this.#played.clear();
  }
}

// ---- whole passages of the protocol ----

export const followerInfo = (serverId: number): Uint8Array => {
  const out = new ByteWriter(20);
  writeLearnerInfo(out, serverId, 0);
  return out.toBytes();
};

export const int32 = (value: number): Uint8Array => {
  const out = new ByteWriter(4);
  out.int32(value);
  return out.toBytes();
};

/** The played leader proposes its epoch; what the server answers, its last zxid, comes back. */
export function propose(leader: Played, epoch: number): number {
  leader.stage.pass(5);
  leader.take();
  leader.say(PACKET.leaderInfo, makeZxid(epoch, 0), int32(0x10000));
  leader.stage.pass(20);
  const [answer = ''] = leader.take();
  assert.match(answer, /^ACKEPOCH /);
  return Number.parseInt(answer.slice(11), 16);
}

/** PROPOSAL and COMMIT of each. */
export function sendCommitted(leader: Played, ...zxids: readonly number[]): void {
  for (const zxid of zxids) {
    leader.say(PACKET.proposal, zxid, txn(zxid));
    leader.say(PACKET.commit, zxid);
  }
}

/** As a leader decides who has this history and hears the learner's last zxid: nothing to cut, or what is too much. */
export function sendHistory(leader: Played, learnerZxid: number, history: readonly number[]): void {
  const common = history.filter((zxid) => zxid <= learnerZxid).at(-1) ?? 0;
  if (common === learnerZxid) leader.say(PACKET.diff, history.at(-1) ?? 0);
  else leader.say(PACKET.trunc, common);
  leader.stage.pass(20);
  sendCommitted(leader, ...history.filter((zxid) => zxid > common));
}

/** Server 3 leads a new epoch with this history, and server 1 follows it. */
export function followLeaderOf(stage: MemberStage, epoch: number, history: readonly number[]): Played {
  const leader = stage.electOther(epoch);
  sendHistory(leader, propose(leader, epoch), history);
  establish(leader, epoch);
  return leader;
}

/** NEWLEADER, the answer, UPTODATE. */
export function establish(leader: Played, epoch: number): void {
  leader.say(PACKET.newLeader, makeZxid(epoch, 0), encodeUtf8(''));
  leader.stage.pass(30);
  assert.ok(leader.take().includes(`ACK ${formatZxid(makeZxid(epoch, 0))}`), 'NEWLEADER was not acknowledged');
  leader.say(PACKET.upToDate, -1);
  leader.stage.pass(20);
}

/** Server 1 becomes a follower of 3 with this history. */
export function followWith(stage: MemberStage, zxids: readonly number[]): Played {
  const last = zxids.at(-1) ?? 0;
  const epoch = Math.max(1, epochOf(last));
  const leader = stage.electOther(epoch);
  propose(leader, epoch);
  leader.say(PACKET.diff, last);
  sendCommitted(leader, ...zxids);
  establish(leader, epoch);
  assert.deepEqual(stage.zxids, zxids);
  return leader;
}

/** A played follower of server 1, which leads: up to the history and NEWLEADER. What it was sent comes back. */
export function joinAs(
  learner: Played,
  serverId: number,
  accepted: number,
  lastZxid: number,
  current = accepted,
): string[] {
  learner.say(PACKET.followerInfo, makeZxid(accepted, 0), followerInfo(serverId));
  learner.stage.pass(20);
  learner.say(PACKET.ackEpoch, lastZxid, int32(current));
  learner.stage.pass(40);
  return learner.take();
}

/** Server 1 leads the next epoch, and 2, which has the same history, follows it. */
export function leadWith(stage: MemberStage, zxids: readonly number[]): Played {
  const last = zxids.at(-1) ?? 0;
  if (zxids.length > 0) {
    followWith(stage, zxids).breakOff();
    stage.pass(50);
  }
  stage.electSelf();
  const follower = stage.learner();
  joinAs(follower, 2, epochOf(last), last);
  follower.say(PACKET.ack, makeZxid(stage.epochs[1], 0));
  stage.pass(20);
  assert.ok(
    follower.take().some((line) => line.startsWith('UPTODATE')),
    'the server does not lead',
  );
  return follower;
}

/** The bytes that a leader with this history sends behind SNAP. */
export function snapshotOf(zxids: readonly number[]): Uint8Array {
  const stage = new MemberStage({ rules: { forceSnapshotSync: true } }).start();
  followWith(stage, zxids).breakOff();
  stage.pass(50);
  stage.electSelf();
  const learner = stage.learner();
  joinAs(learner, 2, 0, 0);
  const [snapshot] = learner.snapshots;
  assert.ok(snapshot !== undefined, 'the leader sends no snapshot');
  return snapshot;
}

/** The session of the played follower 2's client. */
export const CLIENT = { high: 0x0200_0001, low: 1 };

/** A request as a learner forwards it. */
export function forward(
  follower: Played,
  cxid: number,
  op: number,
  body: (out: ByteWriter) => void,
  session = CLIENT,
): void {
  const out = new ByteWriter(128);
  out.int32(session.high);
  out.int32(session.low);
  out.int32(cxid);
  out.int32(op);
  body(out);
  follower.say(PACKET.request, -1, out.toBytes());
  follower.stage.pass(5);
}

export function openSession(follower: Played, timeoutMs = 20_000, session = CLIENT): void {
  forward(follower, 0, OP.createSession, (out) => out.int32(timeoutMs), session);
}

export function askCreate(follower: Played, cxid: number, path: string, flags = 0, session = CLIENT): void {
  const body = (out: ByteWriter): void => {
    out.string(path);
    out.buffer(encodeUtf8('x'));
    out.int32(1);
    out.int32(31);
    out.string('world');
    out.string('anyone');
    out.int32(flags);
  };
  forward(follower, cxid, OP.create, body, session);
}

/** The played follower acknowledges every proposal that it has heard. */
export function acknowledgeAll(follower: Played): string[] {
  const heard = follower.take();
  for (const line of heard) {
    if (line.startsWith('PROPOSAL ')) follower.say(PACKET.ack, Number.parseInt(line.slice(11), 16));
  }
  follower.stage.pass(5);
  return heard;
}
