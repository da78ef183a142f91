/** What the process ends with: Apache ZooKeeper's codes, which init scripts and supervisors look at. */
export const exitCodes = {
  ok: 0,
  unexpected: 1,
  /** Bad command line or configuration. */
  badConfiguration: 2,
  /** The data directory is missing, unwritable or in use. */
  dataDirectory: 3,
  adminServer: 4,
  /** A snapshot could not be written, or a log not synced. */
  snapshotIo: 10,
  /** A txn of the log did not fit the tree. */
  txnMismatch: 12,
  quorumPacket: 13,
  electionPort: 14,
} as const;
