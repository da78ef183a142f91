/**
 * Four letter words: where a connection's first four bytes, read as a frame length, are one of these, the client asks for a
 * text instead of a session. All are larger than any frame may be.
 */

const WORDS = [
  'conf',
  'cons',
  'crst',
  'dirs',
  'dump',
  'envi',
  'gtmk',
  'ruok',
  'stmk',
  'srst',
  'srvr',
  'stat',
  'wchc',
  'wchp',
  'wchs',
  'mntr',
  'isro',
  'hash',
  // Not one of Apache's: which role in an ensemble, and why.
  'role',
] as const;

/** What telnet sends for an interrupt; known, and closed without a word. */
const TELNET_CLOSE = 0xfff4fffd | 0;

const byLength = new Map<number, string>([[TELNET_CLOSE, 'telnet close']]);
for (const word of WORDS) {
  let value = 0;
  for (let i = 0; i < 4; i++) value = (value << 8) | word.charCodeAt(i);
  byLength.set(value, word);
}

export const COMMAND_WORDS: readonly string[] = WORDS;

/** The word that a length field spells, or undefined. */
export function commandWordOf(lengthField: number): string | undefined {
  return byLength.get(lengthField);
}
