/**
 * One real server of an ensemble on a stage: the others are played by the story, packet by packet. For what only happens when a particular
 * packet comes at a particular moment, or when the disk stops at a particular step. (Whole ensembles are in ../script.ts.)
 *
 * The server is number 1; 2 and 3 are played. Its disk is the simulator's; the transactions are creations of `/t<zxid>`, so that its tree says
 * which of them it has.
 */
import assert from 'node:assert/strict';
import { ByteReader, ByteWriter, decodeUtf8, Prng } from '@zoots/base';
import type { CoreConfig, Peer, PeerInputs, PeerStream, QuorumNet, Server } from '@zoots/core';
import {
  type EnsembleConfiguration,
  makeZxid,
  type Notification,
  PEER_STATE,
  readNotification,
  writeNotification,
} from '@zoots/protocol';
import { CALM_CORE, CALM_RULES } from '../../calm-core.js';
import { Host, type HostWatcher, type QuorumSide } from '../../host.js';
import { type DiskOperation, SimDisk } from '../../sim-disk.js';
import { Simulator } from '../../simulator.js';
import { Trace } from '../../trace.js';
import { Played } from './played.js';
import { CALM_DISK } from './storage-stage.js';

const TICK_MS = 100;
const QUICK_SYNC_MS = 0.2;

export interface StageSettings {
  readonly core?: Partial<CoreConfig>;
  readonly rules?: Partial<NonNullable<CoreConfig['ensemble']>>;
  readonly seed?: number;
  readonly voterCount?: number;
}

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
    const ensemble = { ...CALM_RULES, notifyMaxMs: 60_000, serverId: 1, configuration, ...rules };
    this.core = { ...CALM_CORE, sessionServerId: 1, tickTimeMs: TICK_MS, ensemble, ...core };
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

  /** Behind a role that came to nothing a server pauses before it votes again. */
  #awaitVote(): void {
    this.pass(CALM_RULES.notifyMinMs + 50);
  }

  /** The others have elected server 3, and say so. */
  electOther(epoch: number, zxid = makeZxid(epoch, 0)): Played {
    this.#awaitVote();
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
    this.#awaitVote();
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
    assert.ok(played !== null, `the server takes no learners: ${this.peer.status.role}, ${this.peer.status.why}`);
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
