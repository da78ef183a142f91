/**
 * The protocol's vocabulary for the test side: operation codes, error names, and one writer or reader per record.
 * Fields stand in the order of the wire; records that share their fields share a writer.
 */
import { WireReader, WireWriter } from './bytes.js';

export const Op = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  createSession: -10,
  closeSession: -11,
  error: -1,
} as const;

const opNames = new Map<number, string>(Object.entries(Op).map(([name, code]) => [code, name]));

export function opName(code: number): string {
  return opNames.get(code) ?? `op ${code}`;
}

const errorNames: Readonly<Record<number, string>> = {
  0: 'ok',
  [-1]: 'SystemError',
  [-2]: 'RuntimeInconsistency',
  [-5]: 'MarshallingError',
  [-6]: 'Unimplemented',
  [-8]: 'BadArguments',
  [-12]: 'UnknownSession',
  [-13]: 'NewConfigNoQuorum',
  [-14]: 'ReconfigInProgress',
  [-100]: 'APIError',
  [-101]: 'NoNode',
  [-102]: 'NoAuth',
  [-103]: 'BadVersion',
  [-108]: 'NoChildrenForEphemerals',
  [-110]: 'NodeExists',
  [-111]: 'NotEmpty',
  [-112]: 'SessionExpired',
  [-114]: 'InvalidACL',
  [-115]: 'AuthFailed',
  [-118]: 'SessionMoved',
  [-119]: 'NotReadOnly',
  [-120]: 'EphemeralOnLocalSession',
  [-121]: 'NoWatcher',
  [-123]: 'ReconfigDisabled',
  [-124]: 'SessionClosedRequireSaslAuth',
  [-125]: 'QuotaExceeded',
  [-127]: 'ThrottledOp',
};

export function errorName(code: number): string {
  const name = errorNames[code];
  return name === undefined ? `error ${code}` : `${name}(${code})`;
}

export const Flags = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  persistentWithTTL: 5,
  persistentSequentialWithTTL: 6,
} as const;

export const Perms = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

export interface Acl {
  readonly perms: number;
  readonly scheme: string | null;
  readonly id: string | null;
}

export const openAcl: readonly Acl[] = [{ perms: Perms.all, scheme: 'world', id: 'anyone' }];

export interface Stat {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly ctime: bigint;
  readonly mtime: bigint;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
  readonly pzxid: bigint;
}

export interface WatcherEvent {
  /** The zxid of the event's reply header: the transaction's from 3.9 on, -1 before. */
  readonly zxid: bigint;
  readonly type: number;
  readonly state: number;
  readonly path: string | null;
}

export const eventTypes: Readonly<Record<number, string>> = {
  1: 'NodeCreated',
  2: 'NodeDeleted',
  3: 'NodeDataChanged',
  4: 'NodeChildrenChanged',
};

type Data = Uint8Array | null;
type Path = string | null;

function writeAcls(writer: WireWriter, acls: readonly Acl[] | null): WireWriter {
  return writer.vector(acls, (acl) => writer.int32(acl.perms).string(acl.scheme).string(acl.id));
}

/** Request bodies by record name, each `(fields) => bytes` without the request header. */
export const bodies = {
  empty: () => Buffer.alloc(0),
  create: (path: Path, data: Data, acl: readonly Acl[] | null, flags: number) =>
    writeAcls(new WireWriter().string(path).buffer(data), acl).int32(flags).finish(),
  createTTL: (path: Path, data: Data, acl: readonly Acl[] | null, flags: number, ttl: bigint) =>
    writeAcls(new WireWriter().string(path).buffer(data), acl).int32(flags).int64(ttl).finish(),
  /** DeleteRequest and CheckVersionRequest. */
  pathVersion: (path: Path, version: number) => new WireWriter().string(path).int32(version).finish(),
  /** ExistsRequest, GetDataRequest, GetChildrenRequest, GetChildren2Request. */
  pathWatch: (path: Path, watch: boolean) => new WireWriter().string(path).bool(watch).finish(),
  /** GetACLRequest, SyncRequest, GetAllChildrenNumberRequest, GetEphemeralsRequest, DeleteContainerRequest. */
  path: (path: Path) => new WireWriter().string(path).finish(),
  setData: (path: Path, data: Data, version: number) =>
    new WireWriter().string(path).buffer(data).int32(version).finish(),
  setACL: (path: Path, acl: readonly Acl[] | null, version: number) =>
    writeAcls(new WireWriter().string(path), acl).int32(version).finish(),
  reconfig: (joining: Path, leaving: Path, members: Path, configId: bigint) =>
    new WireWriter().string(joining).string(leaving).string(members).int64(configId).finish(),
  /** CheckWatchesRequest, RemoveWatchesRequest (watcher type), AddWatchRequest (mode). */
  pathType: (path: Path, type: number) => new WireWriter().string(path).int32(type).finish(),
  /** SetWatches with three lists, SetWatches2 with five. */
  setWatches: (relativeZxid: bigint, lists: readonly (readonly string[] | null)[]) => {
    const writer = new WireWriter().int64(relativeZxid);
    for (const list of lists) writer.vector(list, (path) => writer.string(path));
    return writer.finish();
  },
  auth: (scheme: string | null, credentials: Data, type = 0) =>
    new WireWriter().int32(type).string(scheme).buffer(credentials).finish(),
  sasl: (token: Data) => new WireWriter().buffer(token).finish(),
  /** multi and multiRead: the sub-requests with their headers and the end header. */
  multi: (ops: readonly { readonly type: number; readonly body: Uint8Array }[]) => {
    const writer = new WireWriter();
    for (const op of ops) writer.int32(op.type).bool(false).int32(-1).raw(op.body);
    return writer.int32(-1).bool(true).int32(-1).finish();
  },
};

export function readStat(reader: WireReader): Stat {
  return {
    czxid: reader.int64(),
    mzxid: reader.int64(),
    ctime: reader.int64(),
    mtime: reader.int64(),
    version: reader.int32(),
    cversion: reader.int32(),
    aversion: reader.int32(),
    ephemeralOwner: reader.int64(),
    dataLength: reader.int32(),
    numChildren: reader.int32(),
    pzxid: reader.int64(),
  };
}

export function readAcls(reader: WireReader): Acl[] | null {
  return reader.vector(() => ({ perms: reader.int32(), scheme: reader.string(), id: reader.string() }));
}

export function readStrings(reader: WireReader): (string | null)[] | null {
  return reader.vector(() => reader.string());
}

export interface MultiResult {
  /** The operation's code, or -1 for an error entry. */
  readonly type: number;
  readonly err: number;
  readonly path?: string | null;
  readonly stat?: Stat;
  readonly data?: Buffer | null;
  readonly children?: (string | null)[] | null;
}

const multiReaders: Readonly<Record<number, (reader: WireReader) => Partial<MultiResult>>> = {
  [Op.create]: (reader) => ({ path: reader.string() }),
  [Op.create2]: (reader) => ({ path: reader.string(), stat: readStat(reader) }),
  [Op.setData]: (reader) => ({ stat: readStat(reader) }),
  [Op.delete]: () => ({}),
  [Op.check]: () => ({}),
  [Op.getData]: (reader) => ({ data: reader.buffer(), stat: readStat(reader) }),
  [Op.getChildren]: (reader) => ({ children: readStrings(reader) }),
  [Op.error]: (reader) => ({ err: reader.int32() }),
};

/** The result list of a multi or multiRead reply. */
export function readMultiResults(reader: WireReader): MultiResult[] {
  const results: MultiResult[] = [];
  for (;;) {
    const type = reader.int32();
    const done = reader.bool();
    const err = reader.int32();
    if (done) return results;
    const read = multiReaders[type];
    if (read === undefined) throw new Error(`multi result of unknown type ${type}`);
    results.push({ type, err, ...read(reader) });
  }
}

export interface ConnectRequest {
  readonly protocolVersion?: number;
  readonly lastZxidSeen?: bigint;
  readonly timeoutMs?: number;
  readonly sessionId?: bigint;
  readonly password?: Uint8Array | null;
  /** Absent: the last byte is not sent, as clients before 3.4 do. */
  readonly readOnly?: boolean;
}

export interface ConnectResponse {
  readonly protocolVersion: number;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Buffer | null;
  readonly readOnly?: boolean;
}

export function writeConnectRequest(request: ConnectRequest): Buffer {
  const writer = new WireWriter()
    .int32(request.protocolVersion ?? 0)
    .int64(request.lastZxidSeen ?? 0n)
    .int32(request.timeoutMs ?? 30_000)
    .int64(request.sessionId ?? 0n)
    .buffer(request.password === undefined ? Buffer.alloc(16) : request.password);
  if (request.readOnly !== undefined) writer.bool(request.readOnly);
  return writer.finish();
}

export function readConnectResponse(frame: Buffer): ConnectResponse {
  const reader = new WireReader(frame);
  const response = {
    protocolVersion: reader.int32(),
    timeoutMs: reader.int32(),
    sessionId: reader.int64(),
    password: reader.buffer(),
  };
  return reader.remaining > 0 ? { ...response, readOnly: reader.bool() } : response;
}

export function readWatcherEvent(frame: Buffer): WatcherEvent {
  const reader = new WireReader(frame, 4);
  const zxid = reader.int64();
  reader.int32();
  return { zxid, type: reader.int32(), state: reader.int32(), path: reader.string() };
}

/** The password any server of an ensemble computes for a session id: java.util.Random, seeded with the id. */
export function sessionPassword(sessionId: bigint): Buffer {
  const mask = (1n << 48n) - 1n;
  let seed = (sessionId ^ 0xb3415c00n ^ 0x5deece66dn) & mask;
  const password = Buffer.alloc(16);
  for (let at = 0; at < 16; at += 4) {
    seed = (seed * 0x5deece66dn + 0xbn) & mask;
    password.writeInt32LE(Number(BigInt.asIntN(32, seed >> 16n)), at);
  }
  return password;
}
