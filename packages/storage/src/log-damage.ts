/**
 * Torn or corrupt? The verdict on the first place of a log where no valid record begins and not all is zero.
 *
 * A crash explains exactly this: the last batch was being written into zeros, and some of its 512-byte sectors (or all
 * from some byte on) did not arrive. Its records were acknowledged to nobody, so they may be cut off. Everything else is
 * corruption of what was once durable, and the caller must refuse: cutting would lose acknowledged records silently.
 *
 * The rules, in order. R is where the bad record begins, L the last byte of the file that is not zero.
 *  1. R lies before the durable mark: corrupt.
 *  2. Entry and checksum agree, only the end byte is wrong: missing (zero) with nothing behind it means complete, other
 *     content means corrupt.
 *  3. The record ends where its length says, but the checksum disagrees by what one flipped bit does: corrupt.
 *  4. The checksum agrees with the bytes up to some other end byte: the length was damaged, corrupt.
 *  5. There is no mark, and a valid record follows, or more than one record's worth of bytes: corrupt.
 *  6. The record goes on beyond L, so its end never arrived: torn.
 *  7. A sector of the record is all zero: torn.
 *  8. Otherwise: corrupt.
 * Rules 3 and 4 keep a record that naturally holds a sector of zeros from passing as torn after a bit flip: the
 * checksum is linear, so the place of a single flipped bit can be computed from it.
 */
import { adler32 } from '@zoots/base';
import {
  ENTRY_BYTES_MAX,
  ENTRY_BYTES_MIN,
  RECORD_END,
  RECORD_HEAD_BYTES,
  RECORD_OVERHEAD_BYTES,
  SECTOR_BYTES,
} from './txn-log-format.js';

const MODULUS = 65521;

/** What is known about the damaged place. */
export interface DamagedPlace {
  /** The file's bytes from `offset` on, up to `lastNonZero` or ENTRY_BYTES_MAX of them. */
  readonly window: Uint8Array;
  /** R: where in the file the first bad record begins. */
  readonly offset: number;
  /** L. */
  readonly lastNonZero: number;
  readonly fileBytes: number;
  /** The durable mark of the file, 0 if it has none. */
  readonly mark: number;
}

export interface DamageVerdict {
  /** `complete`: the record is whole, its end byte is missing, and it is the last one. */
  readonly kind: 'torn' | 'corrupt' | 'complete';
  /** What was found, for people. */
  readonly reason: string;
}

const torn = (reason: string): DamageVerdict => ({ kind: 'torn', reason });
const corrupt = (reason: string): DamageVerdict => ({ kind: 'corrupt', reason });

/** The bad record as its own head describes it; offsets count from R. */
interface BadRecord {
  readonly storedHigh: number;
  readonly stored: number;
  readonly length: number;
  /** Where the end byte should be. */
  readonly end: number;
  /** The length is one that a record of this file could have. */
  readonly fits: boolean;
  /** Checksum of the entry, if `fits`; bytes behind L count as zeros. */
  readonly actual: number;
  /** The byte at `end`; 0 behind L. */
  readonly endByte: number;
}

/** The verdict, by the rules above. */
export function judgeDamage(place: DamagedPlace): DamageVerdict {
  const { offset, mark, lastNonZero } = place;
  if (mark > 0 && offset < mark) return corrupt(`everything before offset ${mark} was durable`);
  const record = readBadRecord(place);
  const content = judgeContent(place, record);
  if (content !== null) return content;
  if (mark === 0) {
    const follower = findValidRecord(place.window, lastNonZero - offset + 1);
    if (follower >= 0) return corrupt(`a valid record follows at offset ${offset + follower}`);
    if (lastNonZero - offset >= place.window.length) return corrupt('more than one record follows');
  }
  return judgeEvidence(place, record);
}

function readBadRecord(place: DamagedPlace): BadRecord {
  const { window, offset, lastNonZero, fileBytes } = place;
  const used = Math.min(window.length, lastNonZero - offset + 1);
  const head = new Uint8Array(RECORD_HEAD_BYTES);
  head.set(window.subarray(0, Math.min(used, RECORD_HEAD_BYTES)));
  const view = new DataView(head.buffer);
  const length = view.getInt32(8);
  const end = RECORD_HEAD_BYTES + length;
  const fits = length > 0 && length <= ENTRY_BYTES_MAX && offset + end <= fileBytes;
  const held = Math.max(RECORD_HEAD_BYTES, Math.min(end, used));
  const content = new DataView(window.buffer, window.byteOffset, window.byteLength);
  const actual = fits ? adlerOfZeros(adler32(content, RECORD_HEAD_BYTES, held), end - held) : 0;
  const endByte = fits && end < used ? window[end] : 0;
  return { storedHigh: view.getInt32(0), stored: view.getUint32(4), length, end, fits, actual, endByte };
}

/** Continues a checksum over `count` zero bytes. */
function adlerOfZeros(seed: number, count: number): number {
  const low = seed & 0xffff;
  const high = ((seed >>> 16) + low * (count % MODULUS)) % MODULUS;
  return high * 65536 + low;
}

/** Rules 2 to 4: what the content of the record itself proves. Null if it proves nothing. */
function judgeContent(place: DamagedPlace, record: BadRecord): DamageVerdict | null {
  const { fits, stored, storedHigh, actual, endByte, end } = record;
  if (fits && actual === stored) {
    const isLast = place.lastNonZero < place.offset + end;
    if (endByte === 0 && storedHigh === 0 && isLast) return { kind: 'complete', reason: 'its end byte is missing' };
    if (endByte !== 0) return corrupt(storedHigh === 0 ? 'its end byte is wrong' : 'its checksum field is damaged');
  } else if (fits && endByte === RECORD_END && isOneBitApart(place.window, record)) {
    return corrupt('one bit is flipped');
  }
  const otherEnd = findOtherEnd(place, record);
  return otherEnd < 0 ? null : corrupt(`its length is damaged (it ends at offset ${place.offset + otherEnd})`);
}

/** Whether one flipped bit, in the checksum or in the entry, turns the record into a valid one. */
function isOneBitApart(window: Uint8Array, record: BadRecord): boolean {
  if (record.storedHigh !== 0) return false;
  const difference = record.stored ^ record.actual;
  if ((difference & (difference - 1)) === 0) return true;
  // Giving bit k of byte i of n another value changes the low sum by d = ±2^k, and the high one by (n - i)·d.
  const lowChange = ((record.stored & 0xffff) - (record.actual & 0xffff) + MODULUS) % MODULUS;
  const highChange = ((record.stored >>> 16) - (record.actual >>> 16) + MODULUS) % MODULUS;
  for (let bit = 0; bit < 8; bit++) {
    if (lowChange === 1 << bit && hasBitAt(window, record, quotient(highChange, bit), bit, 0)) return true;
    if (lowChange === MODULUS - (1 << bit) && hasBitAt(window, record, quotient(MODULUS - highChange, bit), bit, 1))
      return true;
  }
  return false;
}

/** `value` / 2^bit modulo 65521; 32761 is one half there. */
function quotient(value: number, bit: number): number {
  let result = value % MODULUS;
  for (let i = 0; i < bit; i++) result = (result * 32761) % MODULUS;
  return result;
}

/** Whether some byte, `weight` (modulo 65521) from the end of the entry, has `bit` set to `value`. */
function hasBitAt(window: Uint8Array, record: BadRecord, weight: number, bit: number, value: number): boolean {
  for (let distance = weight === 0 ? MODULUS : weight; distance <= record.length; distance += MODULUS) {
    if (((window[record.end - distance] >> bit) & 1) === value) return true;
  }
  return false;
}

/** Rule 4: an end byte, other than where the length says, up to which the checksum agrees. -1 if there is none. */
function findOtherEnd(place: DamagedPlace, record: BadRecord): number {
  const { window, lastNonZero, offset } = place;
  const used = Math.min(window.length, lastNonZero - offset + 1);
  if (record.storedHigh !== 0) return -1;
  const wantedLow = record.stored & 0xffff;
  const wantedHigh = record.stored >>> 16;
  let low = 1;
  let high = 0;
  for (let at = RECORD_HEAD_BYTES; at < used; at++) {
    const byte = window[at];
    const isEnd = byte === RECORD_END && low === wantedLow && high === wantedHigh && at !== record.end;
    if (isEnd && at > RECORD_HEAD_BYTES) return at;
    low += byte;
    if (low >= MODULUS) low -= MODULUS;
    high += low;
    if (high >= MODULUS) high -= MODULUS;
  }
  return -1;
}

/** Rule 5: where in the window, behind its first byte, a whole valid record lies. -1 if nowhere. */
function findValidRecord(window: Uint8Array, nonZeroBytes: number): number {
  const used = Math.min(window.length, nonZeroBytes);
  const view = new DataView(window.buffer, window.byteOffset, window.byteLength);
  const last = used - RECORD_OVERHEAD_BYTES - ENTRY_BYTES_MIN;
  for (let at = 1; at <= last; at++) {
    if (view.getInt32(at) !== 0) continue;
    const length = view.getInt32(at + 8);
    const end = at + RECORD_HEAD_BYTES + length;
    if (length < ENTRY_BYTES_MIN || end >= used || window[end] !== RECORD_END) continue;
    if (view.getUint32(at + 4) === adler32(view, at + RECORD_HEAD_BYTES, end)) return at;
  }
  return -1;
}

/** Rules 6 to 8: is there something that a crash leaves? */
function judgeEvidence(place: DamagedPlace, record: BadRecord): DamageVerdict {
  const { offset, lastNonZero } = place;
  const nonZeroBytes = lastNonZero - offset + 1;
  if (nonZeroBytes <= RECORD_HEAD_BYTES) return torn('the record breaks off in its head');
  const isLengthSane = record.length > 0 && record.length <= ENTRY_BYTES_MAX;
  if (isLengthSane && record.end >= nonZeroBytes) return torn('the record breaks off');
  const recordBytes = isLengthSane ? record.end + 1 : RECORD_OVERHEAD_BYTES;
  const sector = findLostSector(place, recordBytes);
  if (sector >= 0) return torn(`the sector at offset ${sector} was never written`);
  if (isChecksumCutBySector(place, record)) return torn('the record breaks off at a sector border');
  return corrupt('its checksum does not agree with its content');
}

/** Rule 7: offset of an all-zero sector (or of the part of it behind R) of a record of `recordBytes`; -1 if none. */
function findLostSector(place: DamagedPlace, recordBytes: number): number {
  const { window, offset, fileBytes } = place;
  const end = Math.min(offset + recordBytes, fileBytes);
  for (let sector = offset - (offset % SECTOR_BYTES); sector < end; sector += SECTOR_BYTES) {
    const from = Math.max(sector, offset);
    const to = Math.min(sector + SECTOR_BYTES, fileBytes);
    // The upper half of a checksum is zero anyway: a piece that short is no evidence.
    if (to - from >= 8 && isZero(window, from - offset, to - offset)) return from;
  }
  return -1;
}

/** Bytes behind the window count as zero only if they lie behind L; the window ends there or is very long. */
function isZero(window: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (at < window.length && window[at] !== 0) return false;
  return true;
}

/** The first sector holds only 5 to 7 bytes of the record, was lost, and took the head of the checksum with it. */
function isChecksumCutBySector(place: DamagedPlace, record: BadRecord): boolean {
  const lost = SECTOR_BYTES - (place.offset % SECTOR_BYTES) - 4;
  if (lost < 1 || lost > 3 || !record.fits || record.endByte !== RECORD_END || record.storedHigh !== 0) return false;
  const kept = 2 ** (8 * (4 - lost));
  return record.stored < kept && record.actual % kept === record.stored;
}
