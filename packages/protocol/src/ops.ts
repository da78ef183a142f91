/**
 * The op table: one row per operation code a client may send, and the facts everybody else reads from it.
 *
 * `flow` decides how intake treats the request:
 * - `read`: answered from the local tree, in session order.
 * - `write`: prepared, logged, committed, applied, answered.
 * - `session`: belongs to the connection or session, in session order, but touches no znode (ping, watches, sync …).
 * - `immediate`: answered at once, outside the session's order, and without touching the session (auth, sasl).
 *
 * Source: ZooKeeper's ZooDefs.OpCode and Request.isValid.
 */

export const OP = {
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

export type OpName = keyof typeof OP;
export type OpFlow = 'read' | 'write' | 'session' | 'immediate';

export interface OpRow {
  readonly code: number;
  readonly name: OpName;
  readonly flow: OpFlow;
  /** The four letters that `cons` shows as the last operation. */
  readonly shortName: string;
  /** May stand in a multi (14), in a multiRead (22), or in neither. */
  readonly inMulti: 'multi' | 'multiRead' | null;
}

function row(name: OpName, flow: OpFlow, shortName: string, inMulti: 'multi' | 'multiRead' | null = null): OpRow {
  return { code: OP[name], name, flow, shortName, inMulti };
}

/**
 * Every op a client may send on its own. `check` is missing on purpose: alone it is refused (ZOOKEEPER-2623 shows what
 * accepting it did). So are the internal createSession, error and notification.
 */
export const OP_ROWS: readonly OpRow[] = [
  row('create', 'write', 'CREA', 'multi'),
  row('delete', 'write', 'DELE', 'multi'),
  row('exists', 'read', 'EXIS'),
  row('getData', 'read', 'GETD', 'multiRead'),
  row('setData', 'write', 'SETD', 'multi'),
  row('getACL', 'read', 'GETA'),
  row('setACL', 'write', 'SETA'),
  row('getChildren', 'read', 'GETC', 'multiRead'),
  row('sync', 'session', 'SYNC'),
  row('ping', 'session', 'PING'),
  row('getChildren2', 'read', 'GETC'),
  row('multi', 'write', 'MULT'),
  row('create2', 'write', 'CREA', 'multi'),
  row('reconfig', 'write', 'RECO'),
  row('checkWatches', 'session', 'CHKW'),
  row('removeWatches', 'session', 'REMW'),
  row('createContainer', 'write', 'CREA', 'multi'),
  row('deleteContainer', 'write', 'DELE'),
  row('createTTL', 'write', 'CREA', 'multi'),
  row('multiRead', 'read', 'MLTR'),
  row('auth', 'immediate', 'NA'),
  row('setWatches', 'session', 'SETW'),
  row('sasl', 'immediate', 'NA'),
  row('getEphemerals', 'read', 'GETE'),
  row('getAllChildrenNumber', 'read', 'GETACN'),
  row('setWatches2', 'session', 'STW2'),
  row('addWatch', 'session', 'ADDW'),
  row('whoAmI', 'session', 'HOMI'),
  row('closeSession', 'write', 'CLOS'),
];

const LOWEST = -11;
const byCode: (OpRow | undefined)[] = [];
for (const entry of OP_ROWS) byCode[entry.code - LOWEST] = entry;

/** The row of an op code, or undefined if a client must not send it (answered -6 and closed). */
export function opRow(code: number): OpRow | undefined {
  return byCode[code - LOWEST];
}

/** Transaction types that share a code with no client op. */
export const TXN_CREATE_SESSION = OP.createSession;
export const TXN_ERROR = OP.error;

/** Reserved xids. */
export const XID = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const;

/** Watch event types and the only state a server sends. */
export const EVENT = { nodeCreated: 1, nodeDeleted: 2, nodeDataChanged: 3, nodeChildrenChanged: 4 } as const;
export const STATE_SYNC_CONNECTED = 3;

export const PERM = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

/** Create modes as sent in the `flags` field. */
export const CREATE_MODE = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  persistentTtl: 5,
  persistentSequentialTtl: 6,
} as const;

export function isEphemeralMode(flags: number): boolean {
  return flags === CREATE_MODE.ephemeral || flags === CREATE_MODE.ephemeralSequential;
}

export function isSequentialMode(flags: number): boolean {
  return (
    flags === CREATE_MODE.persistentSequential ||
    flags === CREATE_MODE.ephemeralSequential ||
    flags === CREATE_MODE.persistentSequentialTtl
  );
}

export function isTtlMode(flags: number): boolean {
  return flags === CREATE_MODE.persistentTtl || flags === CREATE_MODE.persistentSequentialTtl;
}
