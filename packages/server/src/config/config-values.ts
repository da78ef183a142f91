/** Text of a setting to its value, by the row's type. */
import type { ConfigRow, ConfigTypeName, ConfigTypes } from './config-row.js';

/** The value, or a message that says what was expected. */
type Parsed<T> = { readonly value: T } | { readonly expected: string };

type Parser<T> = (text: string, strict: boolean) => Parsed<T>;

const parsers: { readonly [T in ConfigTypeName]: Parser<ConfigTypes[T]> } = {
  int: (text, strict) => integer(text, strict, -2_147_483_648, 2_147_483_647),
  long: (text, strict) => integer(text, strict, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  float: (text) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?[df]?$/i.test(text) ? Number.parseFloat(text) : Number.NaN;
    return Number.isFinite(value) ? { value } : { expected: 'a number' };
  },
  port: (text, strict) => integer(text, strict, 0, 65_535),
  boolean: (text) => {
    const lower = text.toLowerCase();
    return lower === 'true' || lower === 'false' ? { value: lower === 'true' } : { expected: 'true or false' };
  },
  'yes unless no': (text) => ({ value: text !== 'no' }),
  'no unless yes': (text) => ({ value: text === 'yes' }),
  text: (text) => ({ value: text }),
  path: (text) => (text === '' ? { expected: 'a path' } : { value: text }),
  list: (text) => ({
    value: text
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== ''),
  }),
};

/** Decimal; a property may also be hexadecimal (0x…, #…) or octal (0…), as for Java's Integer.decode. */
function integer(text: string, strict: boolean, min: number, max: number): Parsed<number> {
  const value = integerOf(text, strict);
  if (Number.isInteger(value) && value >= min && value <= max) return { value: value + 0 };
  return { expected: min === 0 ? `a number from ${min} to ${max}` : 'an integer in range' };
}

function integerOf(text: string, strict: boolean): number {
  const [, sign, digits] = /^([+-]?)([0-9a-fx#]+)$/i.exec(text) ?? ['', '', ''];
  const magnitude = strict ? decimalOf(digits as string) : decodedOf(digits as string);
  return sign === '-' ? 0 - magnitude : magnitude;
}

function decimalOf(digits: string): number {
  return /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
}

function decodedOf(digits: string): number {
  const hex = /^(?:0x|#)([0-9a-f]+)$/i.exec(digits);
  if (hex !== null) return Number.parseInt(hex[1] as string, 16);
  if (/^0[0-7]+$/.test(digits)) return Number.parseInt(digits, 8);
  return decimalOf(digits);
}

export type ReadValue = { readonly value: unknown; readonly warning: string | null } | { readonly error: string };

/**
 * A row's value from text. `error` for a file key that does not parse or is out of bounds; for a property that does
 * not, the default with a `warning`, which is what Apache's server would run with.
 */
export function readValue(row: ConfigRow<unknown>, text: string): ReadValue {
  const strict = row.sort === 'file key';
  const parsed = (parsers[row.type] as Parser<unknown>)(text, strict);
  if ('expected' in parsed) return refused(row, text, parsed.expected);
  const value = parsed.value;
  if (typeof value === 'number') {
    const { min, max, floor } = row.more;
    if (min !== undefined && value < min) return refused(row, text, `at least ${min}`);
    if (max !== undefined && value > max) return refused(row, text, `at most ${max}`);
    if (floor !== undefined && value < floor) {
      return { value: floor, warning: `${value} is too low: ${floor} is used` };
    }
  }
  return { value, warning: yesOrNoWarning(row, text) };
}

function refused(row: ConfigRow<unknown>, text: string, expected: string): ReadValue {
  if (row.sort === 'file key') return { error: `"${text}" is not ${expected}` };
  // Boolean.getBoolean takes everything but "true" for false.
  if (row.type === 'boolean') return { value: false, warning: `"${text}" is neither true nor false: false is used` };
  return { value: row.default, warning: `"${text}" is not ${expected}: the default ${describe(row.default)} is used` };
}

function describe(value: unknown): string {
  return value === null || value === '' ? '(none)' : String(value);
}

function yesOrNoWarning(row: ConfigRow<unknown>, text: string): string | null {
  if (row.type === 'yes unless no' && text !== 'yes' && text !== 'no')
    return `"${text}" is neither yes nor no: yes is used`;
  if (row.type === 'no unless yes' && text !== 'yes' && text !== 'no')
    return `"${text}" is neither yes nor no: no is used`;
  return null;
}
