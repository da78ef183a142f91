/**
 * What a check of the recipes is: a row with a name and something to run against one real server. Tables of rows are in the
 * files beside this one; `../recipes.ts` runs them all, against ours and Apache's.
 */

/** Where a row runs: one server, and a part of its tree that nobody else touches. */
export interface Stage {
  /** `zoots`, `apache-3.8.0`, `apache-3.8.0x3` … */
  readonly kind: string;
  /** Of the server, or of the first of several. */
  readonly port: number;
  readonly ports: readonly number[];
  readonly connectString: string;
  /** An existing znode for this row alone, such as `/rows/7`. */
  readonly root: string;
  /** An existing directory for this row alone. */
  readonly workDir: string;
  /** For whatever is random in the row; from the command line. */
  readonly seed: number;
  /** SIGKILL, and the same server again with the same data and port; of several, the leader. Resolves when it serves. */
  restartServer(): Promise<void>;
  /** A line that belongs to the row's result: figures that were seen. */
  note(text: string): void;
}

export interface RecipeRow {
  readonly name: string;
  /** Fails by throwing. PeerMissingError (no Python, no Java …) skips the row, or fails it with ZOOTS_CI=1. */
  readonly run: (stage: Stage) => Promise<void>;
  /** Whether it runs where there are three servers, too. Default false. */
  readonly isForEnsembles?: boolean;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `condition` holds; throws with `what` if it does not within `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}
