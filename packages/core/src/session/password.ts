/**
 * The session password: not a secret but a function of the session id, so that a client may resume its session on any
 * server, of any implementation. It is what `java.util.Random`, seeded with id XOR 0xB3415C00, gives for 16 bytes.
 * Source: ZooKeeper's generatePasswd.
 */

const MULTIPLIER_HIGH = 0x5de; // 0x5DEECE66D = 0x5DE * 2^24 + 0xECE66D
const MULTIPLIER_LOW = 0xece66d;
const INCREMENT = 0xb;
const HALF = 0x1000000;

/** 16 bytes for the id given as two int32. */
export function sessionPassword(high: number, low: number): Uint8Array {
  // The generator's 48-bit state, as two halves of 24 bits: every product stays a safe integer.
  const seedLow32 = (low ^ 0xb3415c00 ^ 0xdeece66d) >>> 0;
  // 0x5DEECE66D reaches into bit 34: hence the 5.
  const seedHigh16 = (high ^ 0x5) & 0xffff;
  let stateLow = seedLow32 % HALF;
  let stateHigh = seedHigh16 * 256 + Math.floor(seedLow32 / HALF);
  const password = new Uint8Array(16);
  for (let word = 0; word < 4; word++) {
    const low0 = stateLow * MULTIPLIER_LOW + INCREMENT;
    const carry = Math.floor(low0 / HALF);
    stateHigh = (stateHigh * MULTIPLIER_LOW + stateLow * MULTIPLIER_HIGH + carry) % HALF;
    stateLow = low0 % HALF;
    // Bits 16..47 of the state.
    const value = (stateHigh * 256 + Math.floor(stateLow / 65536)) | 0;
    for (let i = 0; i < 4; i++) password[word * 4 + i] = (value >>> (8 * i)) & 0xff;
  }
  return password;
}
