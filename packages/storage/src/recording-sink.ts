/**
 * A RecoverySink that writes down what it is given, one line each, so that two recoveries can be compared as text.
 * For tests and for looking into files; it refuses nothing by itself.
 */
import { pairToHex, pairToNumber, toHex } from '@zoots/base';
import type { RecoverySink } from './recovery.js';
import { ENTRY_ZXID_OFFSET } from './txn-log-format.js';

export class RecordingSink implements RecoverySink {
  lines: string[] = [];
  resetCount = 0;
  /** Set to refuse the record of this zxid. */
  undecodableZxid = -1;

  reset(): void {
    this.lines = [];
    this.resetCount++;
  }

  onSession(high: number, low: number, timeoutMs: number): void {
    this.lines.push(`session ${pairToHex(high, low)} ${timeoutMs}`);
  }

  onAcl(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.lines.push(`acl ${id} ${hexOf(bytes, start, end)}`);
  }

  onNode(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    statStart: number,
  ): boolean {
    const data = dataStart < 0 ? 'null' : hexOf(bytes, dataStart, dataEnd);
    const path = hexOf(bytes, pathStart, pathEnd);
    this.lines.push(`node ${path} ${data} ${aclId} ${hexOf(bytes, statStart, statStart + 60)}`);
    return true;
  }

  onSnapshotEnd(
    zxid: number,
    digestZxid: number,
    digestVersion: number,
    digestHigh: number,
    digestLow: number,
  ): boolean {
    this.lines.push(`end ${toHex(zxid)} ${toHex(digestZxid)} v${digestVersion} ${pairToHex(digestHigh, digestLow)}`);
    return true;
  }

  onTxn(bytes: Uint8Array, start: number, end: number): string | null {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const at = start + ENTRY_ZXID_OFFSET;
    const zxid = pairToNumber(view.getInt32(at), view.getInt32(at + 4));
    if (zxid === this.undecodableZxid) return 'as told';
    this.lines.push(`txn ${toHex(zxid)} ${hexOf(bytes, start, end)}`);
    return null;
  }
}

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function hexOf(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += DIGITS[bytes[i]];
  return text;
}
