/**
 * What clients did and what they were told: one record per request to a register, a znode that many clients read, write, create and
 * delete. `clients.ts` writes histories, `txn-logs.ts` finds out what became of requests that nobody answered, and
 * `linearizability.ts` judges.
 */

export type OperationKind = 'read' | 'write' | 'cas' | 'create' | 'delete';

/** `refused`: answered with an error that tells of the register's state. `unknown`: not answered. */
export type Outcome = 'ok' | 'refused' | 'unknown';

export interface Operation {
  readonly client: number;
  /** Session id and xid name a request in the transaction logs. */
  readonly session: bigint;
  readonly xid: number;
  readonly key: string;
  readonly kind: OperationKind;
  /** Written; of a read, what was found: null for no znode. No two writes of a history write the same. */
  value: string | null;
  /** The version that a `cas` demands; -1 otherwise. */
  readonly expectedVersion: number;
  /** Of a read: nothing acknowledged before it may be missing. Other reads may be of the past. */
  readonly isLinear: boolean;
  outcome: Outcome;
  /** The znode's version in the answer; -1 when it says none. */
  version: number;
  /** The znode's mzxid in the answer to a read; -1 when it says none. */
  mzxid: number;
  /** Of the answer's header; of a write with an unknown outcome, the one found in the logs; -1 without either. */
  zxid: number;
  /** When it was sent and answered, on one clock; Infinity while unanswered. */
  readonly calledMs: number;
  returnedMs: number;
}

export function isWrite({ kind }: Operation): boolean {
  return kind !== 'read';
}

/** One line for people. */
export function describe(operation: Operation): string {
  const { client, kind, key, value, expectedVersion, version, outcome, zxid, calledMs, returnedMs } = operation;
  const demanded = expectedVersion < 0 ? '' : ` if version ${expectedVersion}`;
  const what = `${kind} ${key} ${value ?? 'nothing'}${demanded}`;
  return `client ${client}: ${what}: ${outcome}, version ${version}, zxid 0x${zxid.toString(16)}, ${calledMs.toFixed(1)} to ${returnedMs.toFixed(1)} ms`;
}
