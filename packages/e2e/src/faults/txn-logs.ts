/**
 * What the transaction logs of the servers say: the last word on requests that nobody answered. A transaction names the session and
 * the xid of its request. Format: an old friend's, read here without a line of the server's own code; checksums are not looked at.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isWrite, type Operation } from './history.js';

const headerBytes = 16;
const errorType = -1;

export interface LoggedTxn {
  readonly zxid: number;
  readonly session: bigint;
  readonly cxid: number;
  /** -1: it changed nothing. */
  readonly type: number;
}

/** All transactions in the logs of a server that is at rest, by zxid. */
export function readTxnLogs(dataDir: string): Map<number, LoggedTxn> {
  const directory = join(dataDir, 'version-2');
  const txns = new Map<number, LoggedTxn>();
  for (const name of readdirSync(directory).filter((each) => each.startsWith('log.'))) {
    const bytes = readFileSync(join(directory, name));
    let at = headerBytes;
    while (at + 12 < bytes.length) {
      const length = bytes.readInt32BE(at + 8);
      const entry = at + 12;
      // Zeros behind the last record, or a record that a crash cut short.
      if (length <= 0 || entry + length >= bytes.length) break;
      const zxid = Number(bytes.readBigInt64BE(entry + 12));
      txns.set(zxid, {
        zxid,
        session: bytes.readBigInt64BE(entry),
        cxid: bytes.readInt32BE(entry + 8),
        type: bytes.readInt32BE(entry + 28),
      });
      at = entry + length + 1;
    }
  }
  return txns;
}

export interface LogFindings {
  readonly problems: string[];
  /** Requests without an answer that took effect, those that did not, and those that only the answers to others can tell. */
  readonly happened: number;
  readonly neverHappened: number;
  readonly open: number;
}

interface Finding {
  readonly txn: LoggedTxn;
  serverCount: number;
}

/**
 * Holds the logs of a whole ensemble of three at rest against each other, and decides in `history` what became of unanswered writes.
 * What two servers logged is committed: they count as done and get their zxid. What none logged is taken out. What one server logged
 * stays unknown: the others may have been sent a snapshot instead, or it is the tail of a leader that was replaced.
 */
export function settleUnknown(history: Operation[], dataDirs: readonly string[]): LogFindings {
  const problems: string[] = [];
  const findings = new Map<number, Finding>();
  for (const [at, log] of dataDirs.map(readTxnLogs).entries()) {
    for (const [zxid, txn] of log) {
      const known = findings.get(zxid);
      if (known === undefined) {
        findings.set(zxid, { txn, serverCount: 1 });
        continue;
      }
      known.serverCount++;
      const isSame = known.txn.session === txn.session && known.txn.cxid === txn.cxid && known.txn.type === txn.type;
      if (!isSame)
        problems.push(`server ${at + 1} logged another transaction at 0x${zxid.toString(16)} than the others`);
    }
  }
  const byRequest = new Map([...findings.values()].map((each) => [`${each.txn.session} ${each.txn.cxid}`, each]));
  const counts = { happened: 0, neverHappened: 0, open: 0 };
  const kept = history.filter((operation) => {
    const finding = byRequest.get(`${operation.session} ${operation.xid}`);
    if (operation.outcome !== 'unknown') {
      if (isWrite(operation) && operation.outcome === 'ok') problems.push(...contradiction(operation, finding));
      return true;
    }
    if (!isWrite(operation)) return false;
    const fate = fateOf(finding);
    counts[fate]++;
    if (fate === 'happened') operation.outcome = 'ok';
    operation.zxid = finding?.txn.zxid ?? -1;
    return fate !== 'neverHappened';
  });
  history.splice(0, history.length, ...kept);
  return { problems, ...counts };
}

function fateOf(finding: Finding | undefined): 'happened' | 'neverHappened' | 'open' {
  if (finding === undefined || finding.txn.type === errorType) return 'neverHappened';
  return finding.serverCount >= 2 ? 'happened' : 'open';
}

function contradiction({ kind, key, zxid }: Operation, finding: Finding | undefined): string[] {
  if (finding?.txn.zxid === zxid) return [];
  const where = finding === undefined ? 'in no log' : `at 0x${finding.txn.zxid.toString(16)} in the logs`;
  return [`acknowledged with 0x${zxid.toString(16)} and ${where}: ${kind} ${key}`];
}
