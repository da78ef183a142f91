/** Numbers as Java reads them: an optional sign, digits, and within range; anything else is no number. */

const INT_MAX = 2n ** 31n - 1n;
const LONG_MAX = 2n ** 63n - 1n;

/** A 32-bit integer; null if the word is none. */
export function parseInt32(word: string): number | null {
  const value = parseWithin(word, INT_MAX, 10);
  return value === null ? null : Number(value);
}

/** A 64-bit integer; null if the word is none. */
export function parseInt64(word: string, radix: 10 | 16 = 10): bigint | null {
  return parseWithin(word, LONG_MAX, radix);
}

function parseWithin(word: string, max: bigint, radix: 10 | 16): bigint | null {
  const match = (radix === 10 ? /^([+-]?)(\d+)$/ : /^([+-]?)([\da-f]+)$/i).exec(word);
  if (match === null) return null;
  const size = BigInt(radix === 10 ? (match[2] as string) : `0x${match[2]}`);
  const value = match[1] === '-' ? -size : size;
  return value > max || value < -max - 1n ? null : value;
}
