/**
 * Every bound in one place, and why no queue can grow without end.
 *
 * What a client can make the server hold, and what stops it:
 * - unread frames: the shell stops reading a socket while its connection is `isPaused`; at most one chunk (64 KiB) and one
 *   frame (jute.maxbuffer) are held beside the kernel's own buffer.
 * - requests in flight: `globalOutstandingLimit` over all connections of those that are prepared and not yet applied, and twice as many reads
 *   parked behind them; beyond either a connection that has requests in flight is paused until it is below again. `requestBytesMax`
 *   bounds their bytes the same way.
 * - replies: a connection whose unsent replies exceed `outBytesMax` is paused until the kernel took them.
 *   A large child list is lent to its replies and not copied, so that it is there once however many clients ask for it.
 * - watches, sessions, znodes: bounded by memory alone, as in Apache; `maxClientCnxns` bounds connections per address.
 * The outstanding-change records and the log batch hold what is in flight and nothing else, so the same bounds hold for them.
 */

/** Unsent reply bytes of one connection at which its requests wait. */
export const OUT_BYTES_MAX = 4 * 1024 * 1024;
/** Reply buffers that nobody uses and that are kept for the next replies; and the bytes of those above 64 KiB. */
export const FREE_WRITERS_MAX = 1024;
export const FREE_LARGE_WRITERS_BYTES_MAX = 8 * 1024 * 1024;
/** Reads that may be parked over all connections, as a multiple of `globalOutstandingLimit`. */
export const PARKED_PER_OUTSTANDING = 2;
/** Bytes of requests in flight over all connections at which reading pauses. */
export const REQUEST_BYTES_IN_FLIGHT_MAX = 64 * 1024 * 1024;
/** Frames of one connection handled in one turn before others get theirs. */
export const FRAMES_PER_TURN_MAX = 1000;
/** Requests of one connection that may be in flight before it is paused, whatever the global limit says. */
export const REQUESTS_PER_CONNECTION_MAX = 4096;
/** Bytes a snapshot may encode in one turn, and may have waiting for the disk. */
export const SNAPSHOT_SLICE_BYTES = 128 * 1024;
export const SNAPSHOT_BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
/** How soon a snapshot that waits for the disk is looked at again. */
export const SNAPSHOT_POLL_MS = 2;
/** Children from which on a parent's list is kept encoded: tree/child-lists.ts. */
export const CHILD_LIST_COUNT_MIN = 32;
/** Bytes from which on such a list is sent as it lies there, without a copy in the reply. */
export const CHILD_LIST_LOAN_BYTES_MIN = 16 * 1024;
/** What all such lists may take together; beyond it the one read longest ago goes. */
export const CHILD_LISTS_BYTES_MAX = 64 * 1024 * 1024;
/** Znodes looked at for a container or TTL in one turn. */
export const EXPIRY_SLICE_COUNT = 2000;
/** Entries of the digest log (`hash`), one for each zxid that this interval divides. */
export const DIGEST_LOG_INTERVAL = 128;
export const DIGEST_LOG_MAX = 1024;
