/**
 * Path rules, on the path's bytes as they came (UTF-8).
 *
 * Valid: starts with `/`, no trailing `/` (except the root), no empty, `.` or `..` component, and none of the characters
 * U+0000–001F, U+007F–009F, U+D800–F8FF, U+FFF0–FFFF; the rule counts UTF-16 units, so every supplementary character is
 * refused through its surrogates. Malformed UTF-8 decodes to U+FFFD, which the last range refuses.
 * Source: ZooKeeper's PathUtils.validatePath.
 */

const SLASH = 0x2f;
const DOT = 0x2e;

export function isValidPath(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end || bytes[start] !== SLASH) return false;
  if (end - start === 1) return true;
  if (bytes[end - 1] === SLASH) return false;
  let componentStart = start + 1;
  for (let i = start + 1; i <= end; i++) {
    const byte = i === end ? SLASH : (bytes[i] as number);
    if (byte === SLASH) {
      if (!isValidComponent(bytes, componentStart, i)) return false;
      componentStart = i + 1;
    } else if (byte < 0x20 || byte === 0x7f) return false;
    else if (byte >= 0x80) {
      const next = skipAllowedSequence(bytes, i, end);
      if (next < 0) return false;
      i = next - 1;
    }
  }
  return true;
}

function isValidComponent(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0) return false;
  if (bytes[start] !== DOT || length > 2) return true;
  return length === 2 && bytes[start + 1] !== DOT;
}

/** Offset behind a well-formed, allowed multi-byte character at `at`, or -1. */
function skipAllowedSequence(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number;
  if (first >= 0xc2 && first <= 0xdf) {
    if (at + 1 >= end || !isContinuation(bytes[at + 1] as number)) return -1;
    const unit = ((first & 0x1f) << 6) | ((bytes[at + 1] as number) & 0x3f);
    return unit <= 0x9f ? -1 : at + 2;
  }
  if (first >= 0xe0 && first <= 0xef) {
    if (at + 2 >= end || !isContinuation(bytes[at + 1] as number) || !isContinuation(bytes[at + 2] as number))
      return -1;
    const unit =
      ((first & 0x0f) << 12) | (((bytes[at + 1] as number) & 0x3f) << 6) | ((bytes[at + 2] as number) & 0x3f);
    if (unit < 0x800 || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0) return -1;
    return at + 3;
  }
  return -1;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/** What create and delete ask before anything else: a slash somewhere, and no NUL. */
export function hasSlashAndNoNul(bytes: Uint8Array, start: number, end: number): boolean {
  let slash = false;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte === SLASH) slash = true;
    else if (byte === 0) return false;
  }
  return slash;
}

/** Offset of the last slash in the range, or -1. */
export function lastSlash(bytes: Uint8Array, start: number, end: number): number {
  for (let i = end - 1; i >= start; i--) if (bytes[i] === SLASH) return i;
  return -1;
}

/** The ten digits behind a sequential name: `%010d` of a signed int32 (the minus sign counts as one). */
export function formatSequence(counter: number): string {
  if (counter >= 0) return String(counter).padStart(10, '0');
  return `-${String(-counter).padStart(9, '0')}`;
}
