/**
 * The limit to compare with: a server that does nothing but move bytes. It answers each frame with a reply of the size
 * that the real one would have, one write per chunk received; no tree, no sessions, no decoding past the op code.
 * A write op appends a record of the size that ZooKeeper's log would hold, and is answered when that record is
 * synced: one write and one fdatasync per batch, one batch in flight. What no Node server can beat, in other words.
 *
 * `node bare-server.js PORT FILE DATA_BYTES [CHILDREN]`: prints `ready` and the port when it listens; PORT 0 takes a free one.
 */
import fs from 'node:fs';
import net from 'node:net';
import { OP, WATCH_EVENT_XID } from './frames.js';

const STAT_BYTES = 68;
const REPLY_HEADER_BYTES = 16;
/** Checksum, length, txn header, digest and end mark of a log record, around the request's own body. */
const RECORD_OVERHEAD_BYTES = 12 + 32 + 12 + 1;
const BATCH_BYTES_MAX = 64 * 1024 * 1024;

const [portText, logPath, dataBytesText, childrenText] = process.argv.slice(2);
const dataBytes = Number(dataBytesText);
const children = Number(childrenText ?? 1001);

/** Reply body length by op; an op that is not here gets a header alone. `CHILDREN` names of 8 characters each. */
const bodyBytes: Record<number, number> = {
  [OP.get]: 4 + dataBytes + STAT_BYTES,
  [OP.set]: STAT_BYTES,
  [OP.exists]: STAT_BYTES,
  [OP.create]: 4 + 30,
  [OP.children]: 4 + children * 12,
};
const replyBytesMax = 64 + Math.max(...Object.values(bodyBytes));
const writeOps = new Set<number>([OP.create, OP.delete, OP.set]);

const log = fs.openSync(logPath ?? '', 'w');
let batch = Buffer.alloc(BATCH_BYTES_MAX);
let spare = Buffer.alloc(BATCH_BYTES_MAX);
let batchLength = 0;
/** Replies gather here for one connection at a time: what one chunk or one batch gave rise to leaves in one write. */
let out = Buffer.alloc(Math.max(256 * 1024, replyBytesMax));
let outLength = 0;
let waiting: BareConnection[] = [];
/** How many reads of each connection asked for a watch: the next batch of writes tells of all of them. */
let watchers = new Map<BareConnection, number>();
let syncing = false;

function startBatch(): void {
  if (syncing || batchLength === 0) return;
  syncing = true;
  const bytes = batch;
  const length = batchLength;
  const connections = waiting;
  batch = spare;
  spare = bytes;
  batchLength = 0;
  waiting = [];
  for (const connection of connections) connection.sealBatch();
  fs.writeSync(log, bytes, 0, length);
  fs.fdatasync(log, (error) => {
    if (error !== null) throw error;
    syncing = false;
    const told = watchers;
    watchers = new Map();
    for (const [connection, count] of told) connection.tell(count);
    for (const connection of connections) connection.answerBatch();
    startBatch();
  });
}

class BareConnection {
  readonly #socket: net.Socket;
  /** What came of a frame that is not complete yet, and how many bytes the frame will take. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #frameBytes = 4;
  #connected = false;
  /** Requests that wait: writes for their batch, reads for the writes before them. Oldest first. */
  #queueXid: number[] = [];
  #queueOp: number[] = [];
  /** How many of them are answered when the batch that is being synced is done. */
  #sealedCount = 0;
  #inBatch = false;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', () => socket.destroy());
  }

  sealBatch(): void {
    this.#sealedCount = this.#queueXid.length;
    this.#inBatch = false;
  }

  answerBatch(): void {
    let answered = 0;
    while (answered < this.#queueXid.length) {
      const op = this.#queueOp[answered] as number;
      if (answered >= this.#sealedCount && writeOps.has(op)) break;
      this.#reply(this.#queueXid[answered] as number, bodyBytes[op] ?? 0);
      answered += 1;
    }
    this.#queueXid.splice(0, answered);
    this.#queueOp.splice(0, answered);
    this.#sealedCount = 0;
    this.#flush();
  }

  /** Events: a header, its type, the state, and a path of 20 characters each. */
  tell(count: number): void {
    for (let i = 0; i < count; i++) this.#reply(WATCH_EVENT_XID, 4 + 4 + 4 + 20);
    this.#flush();
  }

  #onData(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#partBytes > 0) {
      this.#parts.push(chunk);
      this.#partBytes += chunk.length;
      if (this.#partBytes < this.#frameBytes) return;
      bytes = Buffer.concat(this.#parts);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    this.#frameBytes = 4;
    while (bytes.length - at >= 4) {
      const end = at + 4 + view.getInt32(at);
      if (end > bytes.length) {
        this.#frameBytes = end - at;
        break;
      }
      this.#onFrame(bytes, view, at + 4, end);
      at = end;
    }
    this.#partBytes = bytes.length - at;
    this.#parts = this.#partBytes === 0 ? [] : [bytes.subarray(at)];
    this.#flush();
    if (batchLength > 0) setImmediate(startBatch);
  }

  #onFrame(bytes: Buffer, view: DataView, start: number, end: number): void {
    if (!this.#connected) {
      this.#answerConnect();
      return;
    }
    const xid = view.getInt32(start);
    const op = view.getInt32(start + 4);
    const isWrite = writeOps.has(op);
    if (!isWrite && this.#queueXid.length === 0) {
      this.#reply(xid, bodyBytes[op] ?? 0);
      if (op === OP.get && view.getInt8(end - 1) === 1) {
        watchers.set(this, (watchers.get(this) ?? 0) + 1);
      }
      if (op === OP.close) this.#socket.end(this.#take());
      return;
    }
    this.#queueXid.push(xid);
    this.#queueOp.push(op);
    if (!isWrite) return;
    if (!this.#inBatch) waiting.push(this);
    this.#inBatch = true;
    const recordEnd = batchLength + end - start - 8 + RECORD_OVERHEAD_BYTES;
    if (recordEnd > BATCH_BYTES_MAX) throw new Error('the batch buffer of the bare server is too small');
    bytes.copy(batch, batchLength + RECORD_OVERHEAD_BYTES, start + 8, end);
    batchLength = recordEnd;
  }

  #answerConnect(): void {
    this.#connected = true;
    const at = outLength;
    out.fill(0, at, at + 41);
    out.writeInt32BE(37, at);
    out.writeInt32BE(30_000, at + 8);
    out.writeInt32BE(16, at + 20);
    outLength += 41;
  }

  #reply(xid: number, length: number): void {
    if (outLength + 8 + REPLY_HEADER_BYTES + length > out.length) this.#flush();
    const at = outLength;
    out.writeInt32BE(REPLY_HEADER_BYTES + length, at);
    out.writeInt32BE(xid, at + 4);
    // zxid, no error, and a body that begins with an empty string or buffer: other replies were here before.
    out.writeInt32BE(0, at + 8);
    out.writeInt32BE(0, at + 12);
    out.writeInt32BE(0, at + 16);
    out.writeInt32BE(0, at + 20);
    outLength = at + 4 + REPLY_HEADER_BYTES + length;
  }

  #take(): Buffer {
    const bytes = Buffer.from(out.subarray(0, outLength));
    outLength = 0;
    return bytes;
  }

  #flush(): void {
    if (outLength === 0) return;
    this.#socket.write(out.subarray(0, outLength));
    outLength = 0;
    if (this.#socket.writableLength > 0) out = Buffer.alloc(out.length);
  }
}

const server = net.createServer((socket) => new BareConnection(socket));
server.listen(Number(portText), '127.0.0.1', 1024, () => {
  process.stdout.write(`ready ${(server.address() as net.AddressInfo).port}\n`);
});
