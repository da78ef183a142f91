/** Why recovery refuses, and what the operator can do about it. */

/** Recovery refused: nothing was changed on disk. */
export interface RecoveryError {
  /** Path of the file (or directory) concerned. */
  readonly file: string;
  /** Where in it; in a compressed snapshot, in the uncompressed stream. */
  readonly offset: number;
  readonly message: string;
  /** What to do. */
  readonly remedy: string;
}

const COPY =
  'restore the file from a copy; or, in an ensemble, move the data directory away and let this server fetch the state from the others';

const EPOCH_COPY =
  'restore acceptedEpoch and currentEpoch from the same copy as the logs; or move the data directory away and let this server fetch the state from the others';

export const REMEDIES = {
  disk: 'check the disk, the mount, and the permissions of the directory',
  corrupt: `${COPY}; or, accepting the loss of this record and all later ones, cut the file with zkTxnLogToolkit.sh`,
  undecodable: `${COPY}; or start the version of the server that wrote this record`,
  gap: `put the missing log files back next to this one; or ${COPY}; or, accepting a state in which these transactions are missing, start once with -Dzoots.recovery.allowGaps=true`,
  snapshot: `${COPY}; an older snapshot serves if the logs from it on are all there`,
  noSnapshot:
    'put the snapshot files back; or, if these logs are the whole history (an upgrade from 3.4 without a snapshot), start once with -Dzookeeper.snapshot.trust.empty=true',
  misplaced:
    'dataDir and dataLogDir differ: move snapshot files to dataDir/version-2 and log files to dataLogDir/version-2',
  truncate:
    'move the data directory away and let this server fetch the whole state from its leader; the old directory still holds everything it held',
  epochFile: `it must be readable and hold one decimal number; ${EPOCH_COPY}`,
  acceptedEpoch: `a promise to a leader was lost: ${EPOCH_COPY}`,
  currentEpoch: `the epoch files are older than the log beside them: ${EPOCH_COPY}`,
} as const;

/** One line for the log. */
export function describeRecoveryError(error: RecoveryError): string {
  return `${error.file}: ${error.message} (at offset ${error.offset}). Remedy: ${error.remedy}`;
}
