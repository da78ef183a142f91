/**
 * The operations as a table: what each sends, how its reply is read, and whether it may be sent again after a lost connection.
 * `base` is the prefix that paths in the reply lose. Record layouts: reference of the protocol package, and records.ts.
 */
import type { ByteReader, ByteWriter } from '@zoots/base';
import { type Acl, ERROR, OP, writeAcls } from '@zoots/protocol';
import { stripBase } from './paths.js';
import {
  type CreateArguments,
  createOp,
  readAclList,
  readData,
  readStat,
  readText,
  readTexts,
  writeCreate,
} from './records.js';
import type { ClientIdentity, CreatedNode, NodeAcl, NodeChildren, NodeData, Stat } from './types.js';

export interface Operation<A, R> {
  /** As the application calls it. */
  readonly name: string;
  readonly isRepeatable: boolean;
  op(args: A): number;
  write(writer: ByteWriter, args: A): void;
  read(reader: ByteReader, base: string, args: A): R;
  /** The server consented after the caller gave up: what must be known here all the same. */
  late?(args: A): void;
  /** An error code that is an answer, not a failure. */
  readonly answer?: { readonly code: number; readonly value: R };
}

export interface PathArguments {
  readonly path: string;
  readonly watch: boolean;
}

export interface VersionArguments {
  readonly path: string;
  readonly version: number;
}

export interface SetArguments extends VersionArguments {
  readonly data: Uint8Array | null;
}

export interface SetAclArguments extends VersionArguments {
  readonly acl: readonly Acl[];
}

function writePathAndWatch(writer: ByteWriter, { path, watch }: PathArguments): void {
  writer.string(path);
  writer.bool(watch);
}

function writePath(writer: ByteWriter, { path }: { readonly path: string }): void {
  writer.string(path);
}

function nothing(): void {}

export const CREATE: Operation<CreateArguments, string> = {
  name: 'create',
  isRepeatable: false,
  op: ({ flags }) => createOp(flags, false),
  write: (writer, args) => writeCreate(writer, createOp(args.flags, false), args),
  read: (reader, base) => stripBase(base, readText(reader)),
};

export const CREATE_WITH_STAT: Operation<CreateArguments, CreatedNode> = {
  name: 'create',
  isRepeatable: false,
  op: ({ flags }) => createOp(flags, true),
  write: (writer, args) => writeCreate(writer, createOp(args.flags, true), args),
  read: (reader, base) => ({ path: stripBase(base, readText(reader)), stat: readStat(reader) }),
};

export const GET: Operation<PathArguments, NodeData> = {
  name: 'get',
  isRepeatable: true,
  op: () => OP.getData,
  write: writePathAndWatch,
  read: (reader) => ({ data: readData(reader), stat: readStat(reader) }),
};

export const SET: Operation<SetArguments, Stat> = {
  name: 'set',
  isRepeatable: false,
  op: () => OP.setData,
  write: (writer, { path, data, version }) => {
    writer.string(path);
    writer.buffer(data);
    writer.int32(version);
  },
  read: readStat,
};

export const DELETE: Operation<VersionArguments, void> = {
  name: 'delete',
  isRepeatable: false,
  op: () => OP.delete,
  write: (writer, { path, version }) => {
    writer.string(path);
    writer.int32(version);
  },
  read: nothing,
};

export const EXISTS: Operation<PathArguments, Stat | null> = {
  name: 'exists',
  isRepeatable: true,
  op: () => OP.exists,
  write: writePathAndWatch,
  read: readStat,
  answer: { code: ERROR.noNode, value: null },
};

export const CHILDREN: Operation<PathArguments, string[]> = {
  name: 'children',
  isRepeatable: true,
  op: () => OP.getChildren,
  write: writePathAndWatch,
  read: readTexts,
};

export const CHILDREN_WITH_STAT: Operation<PathArguments, NodeChildren> = {
  name: 'children',
  isRepeatable: true,
  op: () => OP.getChildren2,
  write: writePathAndWatch,
  read: (reader) => ({ children: readTexts(reader), stat: readStat(reader) }),
};

export const GET_ACL: Operation<{ readonly path: string }, NodeAcl> = {
  name: 'getAcl',
  isRepeatable: true,
  op: () => OP.getACL,
  write: writePath,
  read: (reader) => ({ acl: readAclList(reader), stat: readStat(reader) }),
};

export const SET_ACL: Operation<SetAclArguments, Stat> = {
  name: 'setAcl',
  isRepeatable: false,
  op: () => OP.setACL,
  write: (writer, { path, acl, version }) => {
    writer.string(path);
    writeAcls(writer, acl);
    writer.int32(version);
  },
  read: readStat,
};

export const SYNC: Operation<{ readonly path: string }, void> = {
  name: 'sync',
  isRepeatable: true,
  op: () => OP.sync,
  write: writePath,
  read: nothing,
};

export const EPHEMERALS: Operation<{ readonly path: string }, string[]> = {
  name: 'ephemerals',
  isRepeatable: true,
  op: () => OP.getEphemerals,
  write: writePath,
  read: (reader, base) => readTexts(reader).map((path) => stripBase(base, path)),
};

export const COUNT_DESCENDANTS: Operation<{ readonly path: string }, number> = {
  name: 'countDescendants',
  isRepeatable: true,
  op: () => OP.getAllChildrenNumber,
  write: writePath,
  read: (reader) => reader.int32(),
};

export const WHO_AM_I: Operation<{ readonly path: string }, ClientIdentity[]> = {
  name: 'whoAmI',
  isRepeatable: true,
  op: () => OP.whoAmI,
  write: nothing,
  read: (reader) => {
    const identities: ClientIdentity[] = [];
    for (let count = reader.count(8); count > 0; count--) {
      identities.push({ scheme: readText(reader), user: readText(reader) });
    }
    return identities;
  },
};

export const ADD_WATCH: Operation<{ readonly path: string; readonly recursive: boolean }, void> = {
  name: 'watch',
  isRepeatable: true,
  op: () => OP.addWatch,
  write: (writer, { path, recursive }) => {
    writer.string(path);
    writer.int32(recursive ? 1 : 0);
  },
  read: nothing,
};

export interface RemoveWatchesArguments {
  readonly path: string;
  readonly type: number;
  /** Called with the reply itself: what is asked for later is registered by later replies, perhaps of the same chunk. */
  readonly onRemoved: () => void;
}

export const REMOVE_WATCHES: Operation<RemoveWatchesArguments, void> = {
  name: 'removeWatches',
  isRepeatable: true,
  op: () => OP.removeWatches,
  write: (writer, { path, type }) => {
    writer.string(path);
    writer.int32(type);
  },
  read: (_reader, _base, { onRemoved }) => onRemoved(),
  // Or a watch would be thought to be there that the server has no more, and stay silent until the next reconnect.
  late: ({ onRemoved }) => onRemoved(),
};

export interface ReconfigArguments {
  readonly path: string;
  readonly joining: string | null;
  readonly leaving: string | null;
  readonly members: string | null;
  readonly fromConfig: bigint;
}

export const RECONFIG: Operation<ReconfigArguments, NodeData> = {
  name: 'reconfig',
  isRepeatable: false,
  op: () => OP.reconfig,
  write: (writer, { joining, leaving, members, fromConfig }) => {
    writer.string(joining);
    writer.string(leaving);
    writer.string(members);
    writer.longPair(Number(BigInt.asIntN(32, fromConfig >> 32n)), Number(BigInt.asIntN(32, fromConfig)));
  },
  read: (reader) => ({ data: readData(reader), stat: readStat(reader) }),
};
