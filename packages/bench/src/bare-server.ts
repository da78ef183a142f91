/**
 * The limit to compare with: a server that does nothing but move bytes. It answers each frame with a reply of the size
 * that the real one would have, one write per chunk received; no tree, no sessions, no decoding past the op code.
 * A write op appends a record of the size that ZooKeeper's log would hold, and is answered when that record is
 * synced: one write and one fdatasync per batch, one batch in flight. What no Node server can beat, in other words.
 *
 * `node bare-server.js PORT FILE DATA_BYTES`: prints `ready` and the port when it listens; PORT 0 takes a free one.
 */
import fs from 'node:fs';
import net from 'node:net';
import { OP } from './frames.js';

const STAT_BYTES = 68;
const REPLY_HEADER_BYTES = 16;
/** Checksum, length, txn header, digest and end mark of a log record, around the request's own body. */
const RECORD_OVERHEAD_BYTES = 12 + 32 + 12 + 1;
const BATCH_BYTES_MAX = 16 * 1024 * 1024;

const [portText, logPath, dataBytesText] = process.argv.slice(2);
const dataBytes = Number(dataBytesText);

/** Reply body length by op; an op that is not here gets a header alone. `childNames` is not echoed: 1,001 names. */
const bodyBytes: Record<number, number> = {
  [OP.get]: 4 + dataBytes + STAT_BYTES,
  [OP.set]: STAT_BYTES,
  [OP.exists]: STAT_BYTES,
  [OP.create]: 4 + 30,
  [OP.children]: 4 + 1001 * 12,
};
const writeOps = new Set<number>([OP.create, OP.delete, OP.set]);

const log = fs.openSync(logPath ?? '', 'w');
let batch = Buffer.alloc(BATCH_BYTES_MAX);
let spare = Buffer.alloc(BATCH_BYTES_MAX);
let batchLength = 0;
let waiting: BareConnection[] = [];
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
    for (const connection of connections) connection.answerBatch();
    startBatch();
  });
}

class BareConnection {
  readonly #socket: net.Socket;
  #carry: Buffer | null = null;
  #connected = false;
  #out = Buffer.alloc(256 * 1024);
  #outLength = 0;
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

  #onData(chunk: Buffer): void {
    const bytes = this.#carry === null ? chunk : Buffer.concat([this.#carry, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (bytes.length - at >= 4) {
      const end = at + 4 + view.getInt32(at);
      if (end > bytes.length) break;
      this.#onFrame(view, at + 4, end);
      at = end;
    }
    this.#carry = at === bytes.length ? null : Buffer.from(bytes.subarray(at));
    this.#flush();
    if (batchLength > 0) setImmediate(startBatch);
  }

  #onFrame(view: DataView, start: number, end: number): void {
    if (!this.#connected) {
      this.#answerConnect();
      return;
    }
    const xid = view.getInt32(start);
    const op = view.getInt32(start + 4);
    const isWrite = writeOps.has(op);
    if (!isWrite && this.#queueXid.length === 0) {
      this.#reply(xid, bodyBytes[op] ?? 0);
      if (op === OP.close) this.#socket.end(this.#take());
      return;
    }
    this.#queueXid.push(xid);
    this.#queueOp.push(op);
    if (!isWrite) return;
    if (!this.#inBatch) waiting.push(this);
    this.#inBatch = true;
    batchLength += end - start - 8 + RECORD_OVERHEAD_BYTES;
    if (batchLength > BATCH_BYTES_MAX) throw new Error('the batch buffer of the bare server is too small');
  }

  #answerConnect(): void {
    this.#connected = true;
    const at = this.#outLength;
    this.#out.fill(0, at, at + 41);
    this.#out.writeInt32BE(37, at);
    this.#out.writeInt32BE(30_000, at + 8);
    this.#out.writeInt32BE(16, at + 20);
    this.#outLength += 41;
  }

  #reply(xid: number, length: number): void {
    if (this.#outLength + 8 + REPLY_HEADER_BYTES + length > this.#out.length) this.#flush();
    const out = this.#out;
    const at = this.#outLength;
    out.writeInt32BE(REPLY_HEADER_BYTES + length, at);
    out.writeInt32BE(xid, at + 4);
    // zxid, no error, and a body that begins with an empty string or buffer: other replies were here before.
    out.writeInt32BE(0, at + 8);
    out.writeInt32BE(0, at + 12);
    out.writeInt32BE(0, at + 16);
    out.writeInt32BE(0, at + 20);
    this.#outLength = at + 4 + REPLY_HEADER_BYTES + length;
  }

  #take(): Buffer {
    const bytes = Buffer.from(this.#out.subarray(0, this.#outLength));
    this.#outLength = 0;
    return bytes;
  }

  #flush(): void {
    if (this.#outLength === 0) return;
    this.#socket.write(this.#out.subarray(0, this.#outLength));
    this.#outLength = 0;
    if (this.#socket.writableLength > 0) this.#out = Buffer.alloc(this.#out.length);
  }
}

const server = net.createServer((socket) => new BareConnection(socket));
server.listen(Number(portText), '127.0.0.1', 1024, () => {
  process.stdout.write(`ready ${(server.address() as net.AddressInfo).port}\n`);
});
