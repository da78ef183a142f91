/**
 * The syntax of zoo.cfg: Java's .properties.
 *
 * A logical line is one or more natural lines (ended by LF, CR or CRLF), joined where a line ends in an odd number of
 * backslashes; leading blanks of the following line are dropped then. A line whose first character is `#` or `!` is a
 * comment, and comments do not continue. The key ends at the first unescaped `=`, `:` or blank; blanks around that
 * separator are dropped. `\t \n \r \f \uXXXX` are escapes, a backslash before any other character vanishes.
 *
 * ZooKeeper trims keys and values and lets the last of several equal keys win; the caller sees all of them, with the
 * number of the line on which each begins (from 1), so that messages can point there.
 */

export interface PropertyEntry {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** A `\u` that is not followed by four hex digits: the one thing that this syntax forbids. */
export class PropertiesSyntaxError extends Error {
  override readonly name = 'PropertiesSyntaxError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** Entries in the order of the file. Throws {@link PropertiesSyntaxError}. */
export function parseProperties(text: string): PropertyEntry[] {
  const entries: PropertyEntry[] = [];
  for (const logical of logicalLines(text)) entries.push(parseEntry(logical.text, logical.line));
  return entries;
}

interface LogicalLine {
  readonly text: string;
  readonly line: number;
}

function logicalLines(text: string): LogicalLine[] {
  // A byte order mark is not a part of the first key.
  const naturalLines = (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text).split(/\r\n|\r|\n/);
  const result: LogicalLine[] = [];
  for (let i = 0; i < naturalLines.length; i++) {
    let joined = dropLeadingBlanks(naturalLines[i] as string);
    if (joined === '' || joined[0] === '#' || joined[0] === '!') continue;
    const line = i + 1;
    while (endsInOddBackslashes(joined)) {
      joined = joined.slice(0, -1);
      if (i + 1 === naturalLines.length) break;
      joined += dropLeadingBlanks(naturalLines[++i] as string);
    }
    result.push({ text: joined, line });
  }
  return result;
}

function dropLeadingBlanks(line: string): string {
  let start = 0;
  while (start < line.length && isBlank(line[start] as string)) start++;
  return line.slice(start);
}

function isBlank(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\f';
}

function endsInOddBackslashes(line: string): boolean {
  let count = 0;
  while (count < line.length && line[line.length - 1 - count] === '\\') count++;
  return count % 2 === 1;
}

function parseEntry(line: string, lineNumber: number): PropertyEntry {
  let keyEnd = 0;
  while (keyEnd < line.length && !isBlank(line[keyEnd] as string) && line[keyEnd] !== '=' && line[keyEnd] !== ':') {
    keyEnd += line[keyEnd] === '\\' ? 2 : 1;
  }
  let valueStart = Math.min(keyEnd, line.length);
  while (valueStart < line.length && isBlank(line[valueStart] as string)) valueStart++;
  if (line[valueStart] === '=' || line[valueStart] === ':') valueStart++;
  while (valueStart < line.length && isBlank(line[valueStart] as string)) valueStart++;
  return {
    key: unescapeText(line.slice(0, keyEnd), lineNumber).trim(),
    value: unescapeText(line.slice(valueStart), lineNumber).trim(),
    line: lineNumber,
  };
}

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

function unescapeText(raw: string, lineNumber: number): string {
  if (!raw.includes('\\')) return raw;
  let text = '';
  for (let i = 0; i < raw.length; i++) {
    if (raw[i] !== '\\') {
      text += raw[i];
      continue;
    }
    const escaped = raw[++i];
    if (escaped === undefined) break;
    if (escaped !== 'u') {
      text += escapes[escaped] ?? escaped;
      continue;
    }
    const digits = raw.slice(i + 1, i + 5);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
      throw new PropertiesSyntaxError(lineNumber, `\\u must be followed by four hex digits, not "${digits}"`);
    }
    text += String.fromCharCode(Number.parseInt(digits, 16));
    i += 4;
  }
  return text;
}
