/**
 * The number at the end of a sequential znode's name, and the order that it gives.
 *
 * A server makes it from a signed 32-bit counter of the parent, printed with `%010d`: `0000000007`, after 2³¹ creates and
 * deletes `-2147483648`, and later `-000000001`. Names of one queue differ in front of it, by library and by kind: Zoots and
 * Curator write `_c_<uuid>-lock-0000000007`, kazoo `<uuid>__lock__0000000007`. So only the end counts here.
 */

const highest = 2 ** 31 - 1;
/** Below it, a negative number has ten digits behind its sign, and the sign stands before them like a hyphen of the name. */
const lowestOfNineDigits = 10 ** 9;

/** The sequence number of a znode's name; null if it has none. */
export function sequenceOf(name: string): number | null {
  const ten = name.slice(-10);
  if (/^-\d{9}$/.test(ten)) return -Number(ten.slice(1));
  if (!/^\d{10}$/.test(ten)) return null;
  const value = Number(ten);
  // `lock-1234567890` is a number after a hyphen; `lock--1234567890` and `__lock__-1234567890` are negative ones.
  if (value >= lowestOfNineDigits && value <= highest + 1 && /[-_]-$/.test(name.slice(0, -10))) return -value;
  return value <= highest ? value : null;
}

/** Negative if `left` was handed out before `right`; right over the wrap-around, for numbers less than 2³¹ apart. */
export function compareSequences(left: number, right: number): number {
  return (left - right) | 0;
}
