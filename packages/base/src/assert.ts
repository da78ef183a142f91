/** Assertions stay on in production: a broken invariant stops the process before it can reach the disk. */

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** `message` is a constant string, so that a passing assertion costs one branch and no allocation. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The end of an exhaustive switch: a compile error where a case is missing, a crash where a cast lied. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${String(value)}`);
}
