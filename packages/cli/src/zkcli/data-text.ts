/** A znode's data as `get` prints it: as text, as base64, as a hex dump. */

const RULE = '         +-------------------------------------------------+';
const HEAD = '         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |';
const EDGE = '+--------+-------------------------------------------------+----------------+';

/** The forms by the option of `get` that asks for them; '' is without one. */
export const dataForms: Readonly<Record<'' | 'b' | 'x', (data: Buffer) => string>> = {
  '': (data) => data.toString('utf8'),
  b: (data) => data.toString('base64'),
  x: hexDump,
};

/** In the layout of Netty, which Apache's uses: a row for 16 bytes, in a frame; nothing at all without bytes. */
export function hexDump(data: Buffer): string {
  if (data.length === 0) return '';
  const rows: string[] = [];
  for (let at = 0; at < data.length; at += 16) {
    const bytes = [...data.subarray(at, at + 16)];
    const hex = bytes.map((byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('');
    const text = bytes.map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    rows.push(`|${at.toString(16).padStart(8, '0')}|${hex.padEnd(48)} |${text.padEnd(16)}|`);
  }
  return [RULE, HEAD, EDGE, ...rows, EDGE].join('\n');
}
