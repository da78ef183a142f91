/** Small logs and snapshots for the tests of the data tools, built byte by byte. */
import { adler32, ByteWriter, encodeUtf8 } from '@zoots/base';
import { type Acl, OP, OPEN_ACL_UNSAFE, writeAcls, writeTxnHeader } from '@zoots/protocol';
import { beginRecord, endRecord, writeLogHeader } from '@zoots/storage';

type Body = (writer: ByteWriter) => void;

const acl: readonly Acl[] = [...OPEN_ACL_UNSAFE, { perms: 1, scheme: 'digest', id: 'a,b:c}' }];

function createBody(path: string, data: string | null, tail: Body): Body {
  return (writer) => {
    writer.string(path);
    writer.buffer(data === null ? null : encodeUtf8(data));
    writeAcls(writer, acl);
    tail(writer);
  };
}

/** One transaction of each type, in the order of the zxids 1, 2, 3 … */
export const sampleTxns: readonly (readonly [type: number, body: Body])[] = [
  [OP.createSession, (writer) => writer.int32(30_000)],
  [
    OP.create,
    createBody('/ä', 'söme', (writer) => {
      writer.bool(true);
      writer.int32(1);
    }),
  ],
  [
    OP.createTTL,
    createBody('/ttl', null, (writer) => {
      writer.int32(2);
      writer.long(5_000);
    }),
  ],
  [OP.createContainer, createBody('/box', '', (writer) => writer.int32(3))],
  [
    OP.setData,
    (writer) => {
      writer.string('/ä');
      writer.buffer(encodeUtf8('x'));
      writer.int32(1);
    },
  ],
  [
    OP.setACL,
    (writer) => {
      writer.string('/a,%}');
      writeAcls(writer, acl);
      writer.int32(1);
    },
  ],
  [OP.delete, (writer) => writer.string('/ä')],
  [
    OP.multi,
    (writer) => {
      writer.int32(2);
      writer.int32(OP.delete);
      writer.buffer(Uint8Array.from([0, 0, 0, 2, 0x2f, 0x6d]));
      writer.int32(OP.error);
      writer.buffer(Uint8Array.from([255, 255, 255, 0x9b]));
    },
  ],
  [OP.error, (writer) => writer.int32(-110)],
  [
    OP.closeSession,
    (writer) => {
      writer.int32(2);
      writer.string('/e1');
      writer.string('/e2');
    },
  ],
];

/** A log of these transactions, zxids from `firstZxid` on, without padding. */
export function sampleLog(firstZxid = 1): { bytes: Uint8Array; offsets: number[] } {
  const writer = new ByteWriter();
  const offsets: number[] = [];
  writeLogHeader(writer, 0);
  sampleTxns.forEach(([type, body], i) => {
    offsets.push(writer.length);
    const start = beginRecord(writer);
    writeTxnHeader(writer, 0x1000001, -0x10000, i, firstZxid + i, 1_700_000_000_000 + i * 1000, type);
    body(writer);
    endRecord(writer, start);
  });
  return { bytes: writer.toBytes(), offsets };
}

export interface SampleNode {
  readonly path: string;
  readonly data: string | null;
  /** 0 if it is not ephemeral. */
  readonly owner?: number;
}

/** A snapshot of 3.5's form (no digest): the root, these nodes, and two sessions. */
export function sampleSnapshot(nodes: readonly SampleNode[]): Uint8Array {
  const writer = new ByteWriter();
  writer.int32(0x5a4b534e);
  writer.int32(2);
  writer.long(-1);
  writer.int32(2);
  for (const session of [0x17, 7]) {
    writer.long(session);
    writer.int32(4000);
  }
  writer.int32(0);
  for (const node of [{ path: '', data: '' }, ...nodes]) writeNode(writer, node);
  writer.string('/');
  writer.longPair(0, adler32(writer.view, 0, writer.length) | 0);
  writer.string('/');
  return writer.toBytes();
}

function writeNode(writer: ByteWriter, { path, data, owner = 0 }: SampleNode): void {
  writer.string(path);
  writer.buffer(data === null ? null : encodeUtf8(data));
  writer.long(-1);
  for (const value of [0x10, 0x2a, 1_700_000_000_000, 1_700_000_060_000]) writer.long(value);
  for (const value of [1, 2, 3]) writer.int32(value);
  writer.long(owner);
  writer.long(0x29);
}
