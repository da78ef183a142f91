/**
 * Requests as the simulated clients make them, and their bytes. Encoded here from the sheet's grammar, without the server's
 * own codecs, so that a misunderstanding shared by both sides is less likely.
 */
import type { ByteWriter } from '@zoots/base';
import { type Id, OP, type RawAcl } from '@zoots/protocol';

export interface Request {
  readonly op: number;
  readonly path: string | null;
  /** Znode data as text; null is the null buffer. */
  readonly data: string | null;
  readonly acls: readonly RawAcl[] | null;
  readonly flags: number;
  readonly ttlMs: number;
  readonly version: number;
  readonly watch: boolean;
  /** Watcher type, or mode of addWatch. */
  readonly type: number;
  readonly parts: readonly Request[];
  /** setWatches: data, exist, child, and of setWatches2 persistent and recursive. */
  readonly lists: readonly (readonly string[])[];
  readonly relativeZxid: number;
  /** Auth: scheme and token in `path` and `data`. Bytes cut from the end of the body. */
  readonly cutBytes: number;

  // Known when it is sent:
  xid: number;
  identities: readonly Id[];
  /** No answer may be older than this: something the server had told to anybody by then. */
  floorZxid: number;
  sentUs: number;
}

const OPEN: readonly RawAcl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }];

export function makeRequest(op: number, fields: Partial<Request> = {}): Request {
  return {
    op,
    path: null,
    data: null,
    acls: OPEN,
    flags: 0,
    ttlMs: 0,
    version: -1,
    watch: false,
    type: 0,
    parts: [],
    lists: [],
    relativeZxid: 0,
    cutBytes: 0,
    xid: 0,
    identities: [],
    floorZxid: 0,
    sentUs: 0,
    ...fields,
  };
}

type Encode = (out: ByteWriter, request: Request) => void;

const none: Encode = () => {};

const path: Encode = (out, request) => out.string(request.path);

const pathAndWatch: Encode = (out, request) => {
  out.string(request.path);
  out.bool(request.watch);
};

const pathAndVersion: Encode = (out, request) => {
  out.string(request.path);
  out.int32(request.version);
};

const pathAndType: Encode = (out, request) => {
  out.string(request.path);
  out.int32(request.type);
};

const acls: Encode = (out, request) => {
  out.int32(request.acls?.length ?? -1);
  for (const acl of request.acls ?? []) {
    out.int32(acl.perms);
    out.string(acl.scheme);
    out.string(acl.id);
  }
};

const create: Encode = (out, request) => {
  out.string(request.path);
  out.string(request.data);
  acls(out, request);
  out.int32(request.flags);
};

const multi: Encode = (out, request) => {
  for (const part of request.parts) {
    out.int32(part.op);
    out.bool(false);
    out.int32(-1);
    (ENCODE.get(part.op) as Encode)(out, part);
  }
  out.int32(-1);
  out.bool(true);
  out.int32(-1);
};

const setWatches: Encode = (out, request) => {
  out.long(request.relativeZxid);
  for (const list of request.lists) {
    out.int32(list.length);
    for (const one of list) out.string(one);
  }
};

const ENCODE: ReadonlyMap<number, Encode> = new Map<number, Encode>([
  [OP.create, create],
  [OP.create2, create],
  [OP.createContainer, create],
  [
    OP.createTTL,
    (out, request) => {
      create(out, request);
      out.long(request.ttlMs);
    },
  ],
  [OP.delete, pathAndVersion],
  [OP.check, pathAndVersion],
  [
    OP.setData,
    (out, request) => {
      out.string(request.path);
      out.string(request.data);
      out.int32(request.version);
    },
  ],
  [
    OP.setACL,
    (out, request) => {
      out.string(request.path);
      acls(out, request);
      out.int32(request.version);
    },
  ],
  [OP.exists, pathAndWatch],
  [OP.getData, pathAndWatch],
  [OP.getChildren, pathAndWatch],
  [OP.getChildren2, pathAndWatch],
  [OP.getACL, path],
  [OP.sync, path],
  [OP.getAllChildrenNumber, path],
  [OP.getEphemerals, path],
  [OP.multi, multi],
  [OP.multiRead, multi],
  [OP.addWatch, pathAndType],
  [OP.checkWatches, pathAndType],
  [OP.removeWatches, pathAndType],
  [OP.setWatches, setWatches],
  [OP.setWatches2, setWatches],
  [
    OP.auth,
    (out, request) => {
      out.int32(0);
      out.string(request.path);
      out.string(request.data);
    },
  ],
  [
    OP.reconfig,
    (out, request) => {
      out.string(request.path);
      out.string(null);
      out.string(request.data);
      out.long(-1);
    },
  ],
  [OP.ping, none],
  [OP.whoAmI, none],
  [OP.closeSession, none],
]);

/** Appends what comes behind the header. An op nobody knows has no body. */
export function writeBody(out: ByteWriter, request: Request): void {
  (ENCODE.get(request.op) ?? none)(out, request);
}

/** Appends the whole frame. */
export function writeRequest(out: ByteWriter, request: Request): void {
  const start = out.length;
  out.int32(0);
  out.int32(request.xid);
  out.int32(request.op);
  writeBody(out, request);
  out.length = Math.max(start + 12, out.length - request.cutBytes);
  out.setInt32At(start, out.length - start - 4);
}

export interface ConnectFields {
  readonly lastZxidSeen: number;
  readonly timeoutMs: number;
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly password: Uint8Array;
  /** As clients up to 3.3 do, and several others. */
  readonly leavesOutReadOnly: boolean;
}

export function writeConnect(out: ByteWriter, fields: ConnectFields): void {
  const start = out.length;
  out.int32(0);
  out.int32(0);
  out.long(fields.lastZxidSeen);
  out.int32(fields.timeoutMs);
  out.longPair(fields.sessionHigh, fields.sessionLow);
  out.buffer(fields.password);
  if (!fields.leavesOutReadOnly) out.bool(false);
  out.setInt32At(start, out.length - start - 4);
}

const WRITES: ReadonlySet<number> = new Set([
  OP.create,
  OP.create2,
  OP.createContainer,
  OP.createTTL,
  OP.delete,
  OP.setData,
  OP.setACL,
  OP.multi,
  OP.reconfig,
  OP.closeSession,
]);

/** Does the request take a zxid? */
export function isWrite(op: number): boolean {
  return WRITES.has(op);
}

const NAMES = new Map(Object.entries(OP).map(([name, code]) => [code as number, name]));

/** For people. */
export function describe(request: Request): string {
  const name = NAMES.get(request.op) ?? `op ${request.op}`;
  const parts = request.parts.length > 0 ? ` [${request.parts.map(describe).join('; ')}]` : '';
  const lists = request.lists.length > 0 ? ` ${JSON.stringify(request.lists)} since ${request.relativeZxid}` : '';
  const data = request.data === null ? '' : ` data ${JSON.stringify(request.data.slice(0, 40))}`;
  const extras = [
    request.flags === 0 ? '' : ` flags ${request.flags}`,
    request.version === -1 ? '' : ` version ${request.version}`,
    request.watch ? ' watch' : '',
    request.type === 0 ? '' : ` type ${request.type}`,
    request.cutBytes === 0 ? '' : ` cut by ${request.cutBytes}`,
    request.acls === OPEN ? '' : ` acl ${JSON.stringify(request.acls)}`,
  ].join('');
  return `${name} xid ${request.xid} ${request.path ?? ''}${data}${extras}${parts}${lists}`;
}
