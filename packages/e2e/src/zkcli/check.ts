/** One line of the report. */
export interface Check {
  readonly name: string;
  /** Resolves with what was seen; fails with the difference, or with PeerMissingError. */
  run(): Promise<string>;
}
