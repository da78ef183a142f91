/** What a check of the command line is: a name, and something to run against two real servers. */
import type { Peer, PeerKind } from '../peers/peer.js';

export interface RealServer {
  readonly kind: PeerKind;
  readonly connectString: string;
  /** Where its snapshots and logs are. */
  readonly dataDir: string;
  readonly peer: Peer;
  /** SIGKILL, and again on the same data and port. */
  restart(): Promise<void>;
}

export interface CliStage {
  /** The server that the row is about. */
  readonly server: RealServer;
  /** Another one, of another kind. */
  readonly other: RealServer;
  /** A directory for this row alone. */
  readonly workDir: string;
  /** A path for this row alone; nothing is there. */
  readonly root: string;
  /** Figures that were seen. */
  note(text: string): void;
}

export interface CliRow {
  readonly name: string;
  /** Fails by throwing. */
  readonly run: (stage: CliStage) => Promise<void>;
}

/** Waits until `condition` holds; throws with `what` if it does not in time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 20_000) {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
