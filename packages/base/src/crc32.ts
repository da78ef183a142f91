/**
 * CRC-32 (IEEE 802.3, as zlib's crc32) over a byte range: node digests and gzip trailers need it.
 *
 * Slicing by eight: eight tables of 256 entries let one step consume eight bytes, which is what makes the
 * tree digest affordable on every write.
 */

/** Table k holds the CRC of a byte followed by k zero bytes; the tables lie one after another. */
function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let value = 0; value < 256; value++) {
    let crc = value;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[value] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256];
    tables[at] = (before >>> 8) ^ tables[before & 0xff];
  }
  return tables;
}

const TABLES: Int32Array = makeTables();

/**
 * The CRC, unsigned, of `bytes` from `start` to `end`. `seed` is the CRC of what came before:
 * `crc32(b, 0, n)` equals `crc32(b, k, n, crc32(b, 0, k))`.
 */
export function crc32(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  const tables = TABLES;
  let crc = ~seed;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc =
      tables[1792 + (crc & 0xff)] ^
      tables[1536 + ((crc >>> 8) & 0xff)] ^
      tables[1280 + ((crc >>> 16) & 0xff)] ^
      tables[1024 + (crc >>> 24)] ^
      tables[768 + bytes[at + 4]] ^
      tables[512 + bytes[at + 5]] ^
      tables[256 + bytes[at + 6]] ^
      tables[bytes[at + 7]];
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]) & 0xff];
  return ~crc >>> 0;
}
