/** A client of a server on a stage, without any mind of its own: it says what it is told to, and keeps what it hears. */
import { ByteReader, ByteWriter, Prng } from '@zoots/base';
import { FrameReader, XID } from '@zoots/protocol';
import { makeRequest, type Request, writeConnect, writeRequest } from '../../request.js';
import { type Endpoint, Link, type NetworkManner } from '../../sim-network.js';
import type { MemberStage } from './member-stage.js';

const CALM_NETWORK: NetworkManner = {
  delayMinUs: 10,
  delayMaxUs: 20,
  chunking: 'whole',
  kernelBytes: 4 * 1024 * 1024,
  stallChance: 0,
  stallMaxUs: 0,
};
const FRAME_BYTES_MAX = 4 * 1024 * 1024;

let linkCount = 0;

export class StageClient implements Endpoint {
  /** Paths of the events that came, in order, each with its type. */
  readonly events: string[] = [];
  /** Errors of the answers, by xid. */
  readonly answers = new Map<number, number>();
  isClosed = false;
  sessionHigh = 0;
  sessionLow = 0;
  #isAccepted = false;
  #xid = 0;
  readonly #stage: MemberStage;
  readonly #link: Link;
  readonly #frames = new FrameReader();

  constructor(stage: MemberStage, lastZxidSeen = 0) {
    this.#stage = stage;
    this.#link = new Link(++linkCount, stage.simulator, new Prng(linkCount), CALM_NETWORK);
    stage.host.accept(this.#link, this, '10.0.0.9');
    const out = new ByteWriter(64);
    const ask = { sessionHigh: 0, sessionLow: 0, timeoutMs: 20_000, leavesOutReadOnly: false };
    writeConnect(out, { ...ask, lastZxidSeen, password: new Uint8Array(16) });
    this.#link.up.write(out.bytes, 0, out.length);
    stage.pass(5);
  }

  get isConnected(): boolean {
    return this.#isAccepted && !this.isClosed;
  }

  /** Returns its xid. */
  ask(op: number, fields: Partial<Request> = {}): number {
    const out = new ByteWriter(1024);
    const request = makeRequest(op, fields);
    request.xid = ++this.#xid;
    writeRequest(out, request);
    this.#link.up.write(out.bytes, 0, out.length);
    this.#stage.pass(5);
    return request.xid;
  }

  onBytes(bytes: Uint8Array, start: number, end: number): void {
    this.#frames.push(bytes.slice(start, end), 0, end - start);
    while (this.#frames.next(FRAME_BYTES_MAX) === 'frame') {
      const reader = new ByteReader(this.#frames.bytes, this.#frames.start, this.#frames.end);
      if (!this.#isAccepted) this.#onAccepted(reader);
      else this.#onFrame(reader);
    }
  }

  #onAccepted(reader: ByteReader): void {
    reader.int32();
    reader.int32();
    this.sessionHigh = reader.int32();
    this.sessionLow = reader.int32();
    this.#isAccepted = this.sessionHigh !== 0 || this.sessionLow !== 0;
  }

  #onFrame(reader: ByteReader): void {
    const xid = reader.int32();
    reader.long();
    const error = reader.int32();
    if (xid !== XID.notification) this.answers.set(xid, error);
    else {
      const type = reader.int32();
      reader.int32();
      this.events.push(`${type} ${reader.string()}`);
    }
  }

  onEnd(): void {
    this.isClosed = true;
  }

  onReset(): void {
    this.isClosed = true;
  }

  onDrained(): void {}
}
