/**
 * Txns: what is logged, proposed and applied. An entry is a header, a body by type, and (since 3.6) a digest.
 *
 *   TxnHeader         long clientId, int cxid, long zxid, long time (ms since 1970), int type
 *   create, create2   ustring path, buffer data, vector<ACL> acl, boolean ephemeral, int parentCVersion
 *   createContainer   ustring path, buffer data, vector<ACL> acl, int parentCVersion
 *   createTTL         ustring path, buffer data, vector<ACL> acl, int parentCVersion, long ttl
 *   delete, deleteContainer   ustring path
 *   setData, reconfig ustring path, buffer data, int version (the new one)
 *   setACL            ustring path, vector<ACL> acl, int version (the new one)
 *   check             ustring path, int version          (only inside a multi)
 *   createSession     int timeOut
 *   closeSession      vector<ustring> paths              (absent before 3.6)
 *   error             int err
 *   multi             vector<Txn{int type, buffer body}>
 *   TxnDigest         int version (2), long treeDigest
 *
 * Logs up to 3.3 have a create without parentCVersion; it then reads as -1 ("one more than the parent has").
 */
import { type ByteReader, type ByteWriter, isSafePair, pairToNumber } from '@zoots/base';
import { OP } from './ops.js';

export const TXN_HEADER_BYTES = 32;
export const TXN_DIGEST_BYTES = 12;
export const DIGEST_VERSION = 2;

/** A decoded header. Reused: read it before the next decode. */
export class TxnHeader {
  sessionHigh = 0;
  sessionLow = 0;
  cxid = 0;
  zxid = 0;
  /** Milliseconds since 1970, as a pair too, so that any 64-bit value survives. */
  timeHigh = 0;
  timeLow = 0;
  type = 0;

  /** False if the bytes end early or the zxid is out of range. */
  read(reader: ByteReader): boolean {
    this.sessionHigh = reader.int32();
    this.sessionLow = reader.int32();
    this.cxid = reader.int32();
    const zxidHigh = reader.int32();
    const zxidLow = reader.int32();
    this.timeHigh = reader.int32();
    this.timeLow = reader.int32();
    this.type = reader.int32();
    this.zxid = pairToNumber(zxidHigh, zxidLow);
    return !reader.failed && isSafePair(zxidHigh, zxidLow);
  }
}

export function writeTxnHeader(
  writer: ByteWriter,
  sessionHigh: number,
  sessionLow: number,
  cxid: number,
  zxid: number,
  timeMs: number,
  type: number,
): void {
  writer.longPair(sessionHigh, sessionLow);
  writer.int32(cxid);
  writer.long(zxid);
  writer.long(timeMs);
  writer.int32(type);
}

/** A decoded body. Ranges refer to `bytes`; a start of -1 is null. Reused: read it before the next decode. */
export class TxnBody {
  bytes: Uint8Array = new Uint8Array(0);
  pathStart = -1;
  pathEnd = -1;
  dataStart = -1;
  dataEnd = -1;
  /** The encoded vector<ACL>. */
  aclStart = -1;
  aclEnd = -1;
  isEphemeral = false;
  parentCversion = 0;
  ttlHigh = 0;
  ttlLow = 0;
  version = 0;
  error = 0;
  timeoutMs = 0;
  /** Elements of closeSession's or multi's vector, which begins at `listStart`; -1 if there is no vector. */
  listCount = -1;
  listStart = -1;

  /** Decodes the body of `type` at the reader. Null, or why it cannot be decoded. */
  read(reader: ByteReader, type: number): string | null {
    this.bytes = reader.bytes;
    const read = BODY_READERS.get(type);
    if (read === undefined) return `unknown txn type ${type}`;
    read(this, reader);
    return reader.failed ? `the body of txn type ${type} ends early` : null;
  }

  readPath(reader: ByteReader): void {
    if (!reader.range()) reader.failed = true;
    this.pathStart = reader.rangeStart;
    this.pathEnd = reader.rangeEnd;
  }

  readData(reader: ByteReader): void {
    reader.range();
    this.dataStart = reader.rangeStart;
    this.dataEnd = reader.rangeEnd;
  }

  readAcl(reader: ByteReader): void {
    this.aclStart = reader.offset;
    const count = reader.count(12);
    for (let i = 0; i < count && !reader.failed; i++) {
      reader.int32();
      if (!reader.range() || !reader.range()) reader.failed = true;
    }
    this.aclEnd = reader.offset;
  }

  /** A vector of ustrings or of {int, buffer}: counted and skipped, to be walked later from `listStart`. */
  readList(reader: ByteReader, hasType: boolean): void {
    this.listCount = reader.count(hasType ? 8 : 4);
    this.listStart = reader.offset;
    for (let i = 0; i < this.listCount && !reader.failed; i++) {
      if (hasType) reader.int32();
      if (!reader.range()) reader.failed = true;
    }
  }
}

type BodyReader = (body: TxnBody, reader: ByteReader) => void;

const readCreate: BodyReader = (body, reader) => {
  body.readPath(reader);
  body.readData(reader);
  body.readAcl(reader);
  body.isEphemeral = reader.bool();
  body.parentCversion = reader.remaining >= 4 || reader.failed ? reader.int32() : -1;
};

const readPathOnly: BodyReader = (body, reader) => body.readPath(reader);

const readSetData: BodyReader = (body, reader) => {
  body.readPath(reader);
  body.readData(reader);
  body.version = reader.int32();
};

const BODY_READERS: ReadonlyMap<number, BodyReader> = new Map<number, BodyReader>([
  [OP.create, readCreate],
  [OP.create2, readCreate],
  [
    OP.createContainer,
    (body, reader) => {
      body.readPath(reader);
      body.readData(reader);
      body.readAcl(reader);
      body.parentCversion = reader.int32();
    },
  ],
  [
    OP.createTTL,
    (body, reader) => {
      body.readPath(reader);
      body.readData(reader);
      body.readAcl(reader);
      body.parentCversion = reader.int32();
      body.ttlHigh = reader.int32();
      body.ttlLow = reader.int32();
    },
  ],
  [OP.delete, readPathOnly],
  [OP.deleteContainer, readPathOnly],
  [OP.setData, readSetData],
  [OP.reconfig, readSetData],
  [
    OP.setACL,
    (body, reader) => {
      body.readPath(reader);
      body.readAcl(reader);
      body.version = reader.int32();
    },
  ],
  [
    OP.check,
    (body, reader) => {
      body.readPath(reader);
      body.version = reader.int32();
    },
  ],
  [
    OP.createSession,
    (body, reader) => {
      body.timeoutMs = reader.int32();
    },
  ],
  [
    OP.closeSession,
    (body, reader) => {
      body.listCount = -1;
      body.listStart = -1;
      // Before 3.6 (or with closeSessionTxn.enabled=false) there is no vector, but perhaps a digest: int 2 and a long.
      const start = reader.offset;
      if (reader.remaining < 4) return;
      body.readList(reader, false);
      if (reader.failed && reader.end - start === TXN_DIGEST_BYTES) {
        reader.reset(reader.bytes, start, reader.end);
        body.listCount = -1;
        body.listStart = -1;
      }
    },
  ],
  [
    OP.error,
    (body, reader) => {
      body.error = reader.int32();
    },
  ],
  [OP.multi, (body, reader) => body.readList(reader, true)],
]);

/** Types that may stand inside a multi txn. */
export const MULTI_SUB_TYPES: ReadonlySet<number> = new Set([
  OP.create,
  OP.create2,
  OP.createContainer,
  OP.createTTL,
  OP.delete,
  OP.deleteContainer,
  OP.setData,
  OP.setACL,
  OP.check,
  OP.error,
]);
