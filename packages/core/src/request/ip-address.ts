/** IP addresses as bytes, for the `ip` scheme: an ACL id is an address, or an address and the number of bits that count. */

/** 4 or 16 bytes, or null if the text is not an address. */
export function parseIpAddress(text: string): number[] | null {
  return text.includes(':') ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): number[] | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const bytes: number[] = [];
  for (const part of parts) {
    if (!/^[+-]?\d{1,10}$/.test(part)) return null;
    const value = Number(part);
    if (value < 0 || value > 255) return null;
    bytes.push(value);
  }
  return bytes;
}

function parseV6(text: string): number[] | null {
  const withoutZone = text.split('%')[0] as string;
  const halves = withoutZone.split('::');
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0] as string);
  const tail = halves.length === 2 ? groupsOf(halves[1] as string) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

function groupsOf(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.') && index === parts.length - 1) {
      const bytes = parseV4(part);
      if (bytes === null) return null;
      groups.push(
        ((bytes[0] as number) << 8) | (bytes[1] as number),
        ((bytes[2] as number) << 8) | (bytes[3] as number),
      );
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}

interface Network {
  readonly bytes: readonly number[];
  readonly bits: number;
}

function parseNetwork(id: string): Network | null {
  const slash = id.indexOf('/');
  const bytes = parseIpAddress(slash < 0 ? id : id.slice(0, slash));
  if (bytes === null) return null;
  if (slash < 0) return { bytes, bits: bytes.length * 8 };
  const bitsText = id.slice(slash + 1);
  if (!/^[+-]?\d{1,9}$/.test(bitsText)) return null;
  const bits = Number(bitsText);
  return bits < 0 || bits > bytes.length * 8 ? null : { bytes, bits };
}

/** Stricter than what an address may look like: an ACL holds no zone, and no IPv4 address inside an IPv6 one. */
export function isValidIpId(id: string): boolean {
  if (id.includes(':') && /[.%]/.test(id)) return false;
  return parseNetwork(id) !== null;
}

/** Do the first `bits` bits of the connection's address equal the ACL's? Families never mix. */
export function ipMatches(address: string, aclId: string): boolean {
  const network = parseNetwork(aclId);
  const own = parseIpAddress(address);
  if (network === null || own === null || own.length !== network.bytes.length) return false;
  for (let bit = 0; bit < network.bits; bit += 8) {
    const mask = network.bits - bit >= 8 ? 0xff : (0xff00 >> (network.bits - bit)) & 0xff;
    if (((own[bit >> 3] as number) & mask) !== ((network.bytes[bit >> 3] as number) & mask)) return false;
  }
  return true;
}
