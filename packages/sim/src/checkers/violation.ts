/** A checker saw what must not be. Ends the run. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly checker: string;

  constructor(checker: string, message: string) {
    super(`${checker}: ${message}`);
    this.checker = checker;
  }
}

export function fail(checker: string, message: string): never {
  throw new Violation(checker, message);
}

export function hex(zxid: number): string {
  return `0x${zxid.toString(16)}`;
}
