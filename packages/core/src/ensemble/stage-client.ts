/**
 * For tests: a client that speaks the wire protocol, byte by byte, and remembers what it was answered. It does nothing by itself: no
 * pings, no reconnecting.
 */
import { ByteReader, ByteWriter } from '@zoots/base';
import { CREATE_MODE, FrameReader, OP, readConnectResponse, writeConnectRequest } from '@zoots/protocol';
import type { Connection } from '../session/connection.js';
import type { TestMember } from './stage-ensemble.js';

export interface Reply {
  readonly xid: number;
  readonly zxid: number;
  readonly code: number;
  readonly body: Uint8Array;
}

export interface TestSession {
  readonly high: number;
  readonly low: number;
  readonly password: Uint8Array;
}

export interface ConnectOptions {
  readonly timeoutMs?: number;
  /** To resume. */
  readonly session?: TestSession;
  readonly lastZxidSeen?: number;
  readonly readOnly?: boolean;
}

export interface Part {
  readonly op: number;
  readonly body: (out: ByteWriter) => void;
}

const NO_PASSWORD = new Uint8Array(16);
const FRAME_BYTES_MAX = 16 * 1024 * 1024;
const ANSWERED_IN_ORDER_FROM = 0;

export class TestClient {
  readonly member: TestMember;
  readonly connection: Connection | null;
  /** Null until the server has answered; its timeout is 0 if it refused. */
  session: (TestSession & { readonly timeoutMs: number; readonly isReadOnlyServer: boolean }) | null = null;
  readonly replies: Reply[] = [];
  /** Watch events: type and path. */
  readonly events: { readonly type: number; readonly path: string }[] = [];
  isClosed = false;
  lastZxid = 0;
  #xid = 0;
  readonly #frames = new FrameReader();

  /** `connection` null: refused at the door. */
  constructor(member: TestMember, connection: Connection | null) {
    this.member = member;
    this.connection = connection;
    this.isClosed = connection === null;
  }

  // ---- what it sends ----

  connect({ timeoutMs = 1_000, session, lastZxidSeen = 0, readOnly = false }: ConnectOptions): void {
    const out = new ByteWriter(64);
    writeConnectRequest(out, {
      lastZxidSeen,
      timeoutMs,
      sessionHigh: session?.high ?? 0,
      sessionLow: session?.low ?? 0,
      password: session?.password ?? NO_PASSWORD,
      readOnly,
      hasReadOnly: true,
    });
    this.sendBytes(out.toBytes());
  }

  /** Returns the xid. */
  send(op: number, body: (out: ByteWriter) => void = () => {}, xid = ++this.#xid): number {
    const out = new ByteWriter(128);
    out.int32(0);
    out.int32(xid);
    out.int32(op);
    body(out);
    out.setInt32At(0, out.length - 4);
    this.sendBytes(out.toBytes());
    return xid;
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.connection === null || this.isClosed) return;
    this.member.onClientBytes(this.connection, bytes);
  }

  create(path: string, data = '', flags: number = CREATE_MODE.persistent): number {
    return this.send(OP.create, createBody(path, data, flags));
  }

  setData(path: string, data: string, version = -1): number {
    return this.send(OP.setData, setDataBody(path, data, version));
  }

  delete(path: string, version = -1): number {
    return this.send(OP.delete, pathAndVersion(path, version));
  }

  getData(path: string, watch = false): number {
    return this.send(OP.getData, (out) => {
      out.string(path);
      out.bool(watch);
    });
  }

  exists(path: string, watch = false): number {
    return this.send(OP.exists, (out) => {
      out.string(path);
      out.bool(watch);
    });
  }

  sync(path = '/'): number {
    return this.send(OP.sync, (out) => out.string(path));
  }

  multi(parts: readonly Part[]): number {
    return this.send(OP.multi, (out) => {
      for (const { op, body } of parts) {
        out.int32(op);
        out.bool(false);
        out.int32(-1);
        body(out);
      }
      out.int32(-1);
      out.bool(true);
      out.int32(-1);
    });
  }

  ping(): void {
    this.send(OP.ping, () => {}, -2);
  }

  close(): number {
    return this.send(OP.closeSession);
  }

  /** The socket ends, the session does not. */
  disconnect(): void {
    if (this.connection === null || this.isClosed) return;
    this.isClosed = true;
    this.member.onClientGone(this.connection);
  }

  // ---- what it hears ----

  onBytes(bytes: Uint8Array): void {
    this.#frames.push(bytes);
    while (this.#frames.next(FRAME_BYTES_MAX) === 'frame') {
      this.#onFrame(this.#frames.bytes.slice(this.#frames.start, this.#frames.end));
    }
  }

  #onFrame(frame: Uint8Array): void {
    const reader = new ByteReader(frame);
    if (this.session === null) {
      const response = readConnectResponse(reader);
      if (response === null) throw new Error('a connect response that cannot be read');
      const { timeoutMs, sessionHigh: high, sessionLow: low, password, isReadOnlyServer } = response;
      this.session = { high, low, password, timeoutMs, isReadOnlyServer };
      return;
    }
    const xid = reader.int32();
    const zxid = reader.long();
    const code = reader.int32();
    if (xid === -1) {
      const type = reader.int32();
      reader.int32();
      this.events.push({ type, path: reader.string() ?? '' });
      return;
    }
    if (xid >= ANSWERED_IN_ORDER_FROM && zxid > 0) this.lastZxid = Math.max(this.lastZxid, zxid);
    this.replies.push({ xid, zxid, code, body: frame.slice(16) });
  }

  /** It has a session. */
  get isConnected(): boolean {
    return this.session !== null && this.session.timeoutMs > 0 && !this.isClosed;
  }

  reply(xid: number): Reply | undefined {
    return this.replies.find((one) => one.xid === xid);
  }

  /** The code of an answer; NaN while there is none. */
  code(xid: number): number {
    return this.reply(xid)?.code ?? Number.NaN;
  }

  /** Data of an answer to getData. */
  text(xid: number): string | null {
    const reply = this.reply(xid);
    if (reply === undefined || reply.code !== 0) return null;
    const data = new ByteReader(reply.body).buffer();
    return data === null ? null : new ByteReader(withLength(data)).string();
  }
}

function withLength(data: Uint8Array): Uint8Array {
  const out = new ByteWriter(data.length + 4);
  out.buffer(data);
  return out.toBytes();
}

export function createBody(path: string, data: string, flags: number): (out: ByteWriter) => void {
  return (out) => {
    out.string(path);
    out.string(data);
    out.int32(1);
    out.int32(31);
    out.string('world');
    out.string('anyone');
    out.int32(flags);
  };
}

export function setDataBody(path: string, data: string, version: number): (out: ByteWriter) => void {
  return (out) => {
    out.string(path);
    out.string(data);
    out.int32(version);
  };
}

export function pathAndVersion(path: string, version: number): (out: ByteWriter) => void {
  return (out) => {
    out.string(path);
    out.int32(version);
  };
}
