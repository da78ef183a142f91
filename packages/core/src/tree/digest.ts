/**
 * The tree's digest, version 2: the sum modulo 2^64 of one CRC-32 per znode.
 *
 * A znode's value is the CRC-32 of its path (the root's is empty), its data if not null, and 60 bytes of stat: czxid, mzxid,
 * pzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner (an order of its own). Znodes below /zookeeper/ count 0.
 * The part over path and data is kept apart (`contentCrc`), so that a change of the stat alone need not read them; see stat-crc.ts.
 * Source: ZooKeeper's DigestCalculator and AdHash.
 */
import { crc32 } from '@zoots/base';
import { crcWithStat } from './stat-crc.js';
import { ROOT, type ZnodeStore } from './znode-store.js';

/** Adds and subtracts 32-bit values in 64 bits. */
export class DigestSum {
  high = 0;
  low = 0;

  set(high: number, low: number): void {
    this.high = high | 0;
    this.low = low | 0;
  }

  copy(other: DigestSum): void {
    this.high = other.high;
    this.low = other.low;
  }

  /** An int32, taken as unsigned. */
  add(value: number): void {
    const sum = (this.low >>> 0) + (value >>> 0);
    if (sum > 0xffffffff) this.high = (this.high + 1) | 0;
    this.low = sum | 0;
  }

  subtract(value: number): void {
    const difference = (this.low >>> 0) - (value >>> 0);
    if (difference < 0) this.high = (this.high - 1) | 0;
    this.low = difference | 0;
  }

  equals(high: number, low: number): boolean {
    return this.high === (high | 0) && this.low === (low | 0);
  }
}

/** Computes znode values. */
export class NodeDigest {
  /** CRC-32 over path and the data in the range (`start` -1: null data). */
  contentCrc(store: ZnodeStore, id: number, data: Uint8Array, start: number, end: number): number {
    return start < 0 ? this.pathCrc(store, id) : crc32(data, start, end, this.pathCrc(store, id));
  }

  pathCrc(store: ZnodeStore, id: number): number {
    if (id === ROOT) return 0;
    const start = store.pathStart(id);
    return crc32(store.pathChunk(id), start, start + store.pathLength(id), 0);
  }

  /** The value, as an int32, of the znode as it stands in the store. */
  ofRow(store: ZnodeStore, id: number): number {
    if (store.isUnderSystem(id)) return 0;
    const start = store.dataLength(id) < 0 ? -1 : store.dataStart(id);
    const content = this.contentCrc(store, id, store.dataChunk(id), start, start + store.dataLength(id));
    return this.ofRowWith(store, id, content);
  }

  /** The same where the CRC of path and data is known. */
  ofRowWith(store: ZnodeStore, id: number, contentCrc: number): number {
    return crcWithStat(store.statOf(id), store.statStart, contentCrc);
  }
}
