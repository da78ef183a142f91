/**
 * What the members do, in order: hears each server's observer, tells every checker of each event as it happens, and keeps for each member
 * what it is by its own word (role, epoch, last transaction).
 */
import { crc32 } from '@zoots/base';
import type { PeerObserver, Server } from '@zoots/core';
import { epochOf } from '@zoots/protocol';
import { NOTE, type Trace } from '../trace.js';
import type { MemberRole, ZabEvent } from './zab-events.js';

export interface EventChecker {
  onEvent(event: ZabEvent): void;
}

/** Hears of a transaction when it is proposed: its bytes are as in the log, header, body and digest. */
export interface ProposalListener {
  onProposed(zxid: number, bytes: Uint8Array, start: number, end: number): void;
}

/** One member by its own word. */
export interface MemberState {
  readonly id: number;
  role: MemberRole;
  /** Leads or follows: it has an established epoch, and may serve clients. */
  isEstablished: boolean;
  epoch: number;
  /** Of the last transaction in its tree, whether committed or not. */
  zxid: number;
}

export class History {
  readonly members = new Map<number, MemberState>();
  readonly checkers: EventChecker[] = [];
  readonly proposalListeners: ProposalListener[] = [];
  /** The newest epoch that was ever established. */
  epoch = 0;
  eventCount = 0;
  readonly counts: Record<string, number> = {};
  readonly #trace: Trace;

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  stateOf(id: number): MemberState {
    let state = this.members.get(id);
    if (state === undefined) {
      state = { id, role: 'looking', isEstablished: false, epoch: 0, zxid: 0 };
      this.members.set(id, state);
    }
    return state;
  }

  tell(event: ZabEvent): void {
    this.eventCount++;
    this.counts[event.kind] = (this.counts[event.kind] ?? 0) + 1;
    const zxid = 'zxid' in event ? event.zxid : 'epoch' in event ? event.epoch : 0;
    this.#trace.text(NOTE.zab, event.kind);
    this.#trace.note(NOTE.zab, event.server, zxid);
    if (this.#trace.isVerbose) this.#trace.line(textOf(event));
    for (const checker of this.checkers) checker.onEvent(event);
  }

  /** The ears of one server. */
  observerOf(id: number, server: Server): PeerObserver {
    const state = this.stateOf(id);
    const digest = (): { digestHigh: number; digestLow: number } => ({
      digestHigh: server.tree.digest.high >>> 0,
      digestLow: server.tree.digest.low >>> 0,
    });
    return {
      onRole: (role, why) => {
        if (role === 'standalone') return;
        state.role = role;
        state.isEstablished = false;
        this.tell({ kind: 'role', server: id, role, why });
      },
      onEpochWritten: (which, epoch) => this.tell({ kind: 'epoch-written', server: id, which, epoch }),
      onLeading: (epoch) => {
        state.isEstablished = true;
        state.epoch = epoch;
        state.zxid = Math.max(0, server.tree.lastProcessedZxid);
        this.epoch = Math.max(this.epoch, epoch);
        this.tell({ kind: 'leading', server: id, epoch });
      },
      onFollowing: (leader, epoch) => {
        state.isEstablished = true;
        state.epoch = epoch;
        state.zxid = Math.max(0, server.tree.lastProcessedZxid);
        this.tell({ kind: 'following', server: id, leader, epoch });
      },
      onProposed: (zxid, bytes, start, end) => {
        for (const listener of this.proposalListeners) listener.onProposed(zxid, bytes, start, end);
        const hash = crc32(bytes, start, end, 0);
        this.tell({ kind: 'proposed', server: id, epoch: epochOf(zxid), zxid, hash });
      },
      onApplied: (zxid, bytes, start, end) => {
        state.zxid = zxid;
        const { role, epoch } = state;
        this.tell({ kind: 'applied', server: id, zxid, hash: crc32(bytes, start, end, 0), ...digest(), role, epoch });
      },
      onAcknowledged: (zxid) => this.tell({ kind: 'acknowledged', server: id, zxid }),
      onReplaced: (how, zxid) => {
        state.zxid = zxid;
        this.tell({ kind: 'replaced', server: id, how, zxid, ...digest() });
      },
    };
  }

  onRecovered(id: number, server: Server, acceptedEpoch: number, currentEpoch: number): void {
    const state = this.stateOf(id);
    const zxid = Math.max(0, server.tree.lastProcessedZxid);
    state.zxid = zxid;
    const { high, low } = server.tree.digest;
    const epochs = { acceptedEpoch, currentEpoch };
    this.tell({ kind: 'recovered', server: id, zxid, ...epochs, digestHigh: high >>> 0, digestLow: low >>> 0 });
  }

  onGone(id: number, isPowerLost: boolean): void {
    const state = this.stateOf(id);
    state.role = 'looking';
    state.isEstablished = false;
    this.tell({ kind: 'crashed', server: id, isPowerLost });
  }

  onWiped(id: number): void {
    const state = this.stateOf(id);
    state.zxid = 0;
    state.epoch = 0;
    this.tell({ kind: 'wiped', server: id });
  }
}

function textOf(event: ZabEvent): string {
  const { kind, server, ...rest } = event;
  const words = Object.entries(rest).map(([name, value]) => {
    const isHex = name === 'zxid' || name.startsWith('digest');
    return `${name} ${isHex && typeof value === 'number' ? `0x${value.toString(16)}` : value}`;
  });
  return `server ${server}: ${kind} ${words.join(', ')}`;
}
