/**
 * One server's side of a differential run: its connections by slot, the sessions it gave out, the zxids it has
 * shown, and every frame it sent, in canonical form, since the last comparison.
 */

import { ReplyTimeoutError, WireConnection } from '../wire/connection.js';
import { fourLetterWord } from '../wire/four-letter-word.js';
import { sessionPassword, writeConnectRequest } from '../wire/records.js';
import { type CanonicalFrame, canonicalConnect, canonicalEvent, canonicalReply, type SideNames } from './canonical.js';
import type { RequestStep, Step } from './steps.js';

const replyTimeoutMs = 10_000;
const unknownSessionId = 0x0123456789abcdefn;

/** What came on a connection, not yet interpreted: a later frame's meaning may depend on comparing earlier ones. */
export interface Received {
  readonly kind: 'connect' | 'reply' | 'event' | 'stray' | 'closed' | 'silence';
  readonly bytes: Buffer;
  /** The operation answered, for replies. */
  readonly type: number;
}

const closed: Received = { kind: 'closed', bytes: Buffer.from('closed'), type: 0 };
const silence: Received = { kind: 'silence', bytes: Buffer.from('silence'), type: 0 };

interface Slot {
  connection: WireConnection;
  /** Number of the session, -1 before it is confirmed. */
  session: number;
  timeoutMs: number;
}

export class Side implements SideNames {
  readonly label: string;
  readonly port: number;
  readonly slots = new Map<number, Slot>();
  readonly sessions: bigint[] = [];
  /** Zxids that, by a known difference, only this server spent. Ascending. */
  readonly extraZxids: bigint[] = [];
  readonly timeMinMs = Date.now();
  readonly sortAcls: boolean;
  readonly maskEventZxid: boolean;
  /** The largest zxid of any reply header, as this server counts. */
  lastZxid = 0n;

  constructor(label: string, port: number, options: { sortAcls: boolean; maskEventZxid: boolean }) {
    this.label = label;
    this.port = port;
    this.sortAcls = options.sortAcls;
    this.maskEventZxid = options.maskEventZxid;
  }

  sessionNumber(id: bigint): number {
    return this.sessions.indexOf(id);
  }

  canonicalZxid(zxid: bigint): bigint {
    let extra = 0n;
    for (const spent of this.extraZxids) if (spent <= zxid) extra++;
    return zxid - extra;
  }

  /** `delta` transactions away from the last one seen, in this server's own counting. */
  #zxidAt(delta: number): bigint {
    const wanted = this.canonicalZxid(this.lastZxid) + BigInt(delta);
    let zxid = wanted;
    for (const spent of this.extraZxids) if (spent <= zxid) zxid++;
    return zxid;
  }

  #zxidBytes(delta: number): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(this.#zxidAt(delta));
    return bytes;
  }

  isOpen(slot: number): boolean {
    return this.slots.has(slot);
  }

  /** The number of slot's session, or -1. */
  sessionOf(slot: number): number {
    return this.slots.get(slot)?.session ?? -1;
  }

  /**
   * Waits until the server has noticed every cut. A session resumed before that would race against the end of its
   * old connection, and Apache itself answers such a race now one way, now the other.
   */
  async settleConnections(): Promise<void> {
    const deadlineMs = performance.now() + replyTimeoutMs;
    while (performance.now() < deadlineMs) {
      const match = /^Connections: (\d+)$/m.exec(await fourLetterWord(this.port, 'srvr'));
      // The question itself is a connection.
      if (Number(match?.[1]) <= this.slots.size + 1) return;
    }
    throw new Error(`${this.label} does not notice that a connection was cut`);
  }

  cut(slot: number): void {
    this.slots.get(slot)?.connection.destroy();
    this.slots.delete(slot);
  }

  async open(step: Step & { kind: 'open' }): Promise<Received[]> {
    if (this.isOpen(step.slot)) {
      this.cut(step.slot);
      await this.settleConnections();
    }
    const connection = await WireConnection.open(this.port);
    const sessionId = this.#sessionId(step);
    const request = writeConnectRequest({
      protocolVersion: step.protocolVersion,
      timeoutMs: step.timeoutMs,
      sessionId,
      password: password(step, sessionId),
      lastZxidSeen: step.zxidDelta === null ? 0n : this.#zxidAt(step.zxidDelta),
      ...(step.readOnly === null ? {} : { readOnly: step.readOnly }),
    });
    connection.sendFrame(Buffer.concat([request, step.trailing]));
    const frame = await nextFrame(connection);
    if (!Buffer.isBuffer(frame)) return [frame];
    const response: Received = { kind: 'connect', bytes: frame, type: 0 };
    const id = frame.readBigInt64BE(8);
    if (id !== 0n && this.sessionNumber(id) < 0) this.sessions.push(id);
    const timeoutMs = frame.readInt32BE(4);
    this.slots.set(step.slot, { connection, session: this.sessionNumber(id), timeoutMs });
    // A refused session: the close must follow.
    return timeoutMs > 0 ? [response] : [response, ...(await this.drainUntilClosed(step.slot))];
  }

  #sessionId(step: Step & { kind: 'open' }): bigint {
    if (step.session === null) return 0n;
    // A shrunk run may have dropped the step that made the session: then it is as unknown as any other.
    return step.session === 'unknown' ? unknownSessionId : (this.sessions[step.session] ?? unknownSessionId);
  }

  /** Sends the requests in one write. Frames until the last reply, events between them, in the order received. */
  async burst(slotNumber: number, requests: readonly RequestStep[]): Promise<Received[]> {
    const slot = this.slots.get(slotNumber);
    if (slot === undefined) return [];
    const frames = requests.map(({ xid, type, body, zxidDelta }) => {
      const bytes = zxidDelta === undefined ? body : Buffer.concat([this.#zxidBytes(zxidDelta), body.subarray(8)]);
      return WireConnection.requestFrame(xid, type, bytes);
    });
    slot.connection.sendRaw(Buffer.concat(frames));
    const received: Received[] = [];
    for (const { type } of requests) {
      const last = await this.#reply(slot.connection, type, received);
      received.push(last);
      if (last.kind === 'reply') continue;
      this.cut(slotNumber);
      break;
    }
    return received;
  }

  /** The next reply; events before it go to `received`. */
  async #reply(connection: WireConnection, type: number, received: Received[]): Promise<Received> {
    for (;;) {
      const bytes = await nextFrame(connection);
      if (!Buffer.isBuffer(bytes)) return bytes;
      if (isEvent(bytes)) {
        received.push({ kind: 'event', bytes, type });
        continue;
      }
      if (bytes.length >= 12) {
        const zxid = bytes.readBigInt64BE(4);
        if (zxid > this.lastZxid) this.lastZxid = zxid;
      }
      return { kind: 'reply', bytes, type };
    }
  }

  /** Reads what the server sends until it closes. */
  async drainUntilClosed(slotNumber: number): Promise<Received[]> {
    const received: Received[] = [];
    const slot = this.slots.get(slotNumber);
    if (slot === undefined) return received;
    for (;;) {
      const bytes = await nextFrame(slot.connection);
      if (!Buffer.isBuffer(bytes)) {
        this.cut(slotNumber);
        return [...received, bytes];
      }
      received.push({ kind: isEvent(bytes) ? 'event' : 'stray', bytes, type: 0 });
    }
  }

  canonical({ kind, bytes, type }: Received): CanonicalFrame {
    if (kind === 'reply') return canonicalReply(bytes, type, this);
    if (kind === 'event') return canonicalEvent(bytes, this);
    if (kind === 'connect') return canonicalConnect(bytes, this);
    return { bytes, text: kind === 'stray' ? `stray frame ${bytes.toString('hex')}` : kind, isEvent: false };
  }

  async raw(step: Step & { kind: 'raw' }): Promise<Received[]> {
    if (step.fresh) {
      this.cut(step.slot);
      const connection = await WireConnection.open(this.port);
      this.slots.set(step.slot, { connection, session: -1, timeoutMs: 0 });
    }
    this.slots.get(step.slot)?.connection.sendRaw(step.bytes);
    return this.drainUntilClosed(step.slot);
  }

  /** The zxid as `srvr` shows it: reading it costs the server nothing. */
  async shownZxid(): Promise<bigint> {
    const match = /^Zxid: (0x[0-9a-f]+)$/m.exec(await fourLetterWord(this.port, 'srvr'));
    return BigInt(match?.[1] ?? -1);
  }

  end(): void {
    for (const slot of [...this.slots.keys()]) this.cut(slot);
  }
}

function password(step: Step & { kind: 'open' }, sessionId: bigint): Buffer | null {
  const right = sessionId === 0n ? Buffer.alloc(16) : sessionPassword(sessionId);
  const kinds = {
    right: () => right,
    wrong: () => Buffer.from(right.map((byte) => byte ^ 0x55)),
    null: () => null,
    empty: () => Buffer.alloc(0),
    short: () => right.subarray(0, 9),
  };
  return kinds[step.password]();
}

function isEvent(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readInt32BE(0) === -1;
}

async function nextFrame(connection: WireConnection): Promise<Buffer | Received> {
  try {
    return (await connection.nextFrame(replyTimeoutMs)) ?? closed;
  } catch (error) {
    if (!(error instanceof ReplyTimeoutError)) throw error;
    return silence;
  }
}
