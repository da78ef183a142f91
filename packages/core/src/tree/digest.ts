/**
 * The tree's digest, version 2: the sum modulo 2^64 of one CRC-32 per znode.
 *
 * A znode's value is the CRC-32 of its path (the root's is empty), its data if not null, and 60 bytes of stat: czxid, mzxid,
 * pzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner (an order of its own). Znodes below /zookeeper/ count 0.
 * The part over path and data is kept apart (`contentCrc`), so that a change of the stat alone costs 60 bytes.
 * Source: ZooKeeper's DigestCalculator and AdHash.
 */
import { crc32 } from '@zoots/base';
import { F, ROOT, type ZnodeStore } from './znode-store.js';

const STAT_BYTES = 60;

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

  add(value: number): void {
    const sum = (this.low >>> 0) + value;
    if (sum > 0xffffffff) this.high = (this.high + 1) | 0;
    this.low = sum | 0;
  }

  subtract(value: number): void {
    const difference = (this.low >>> 0) - value;
    if (difference < 0) this.high = (this.high - 1) | 0;
    this.low = difference | 0;
  }

  equals(high: number, low: number): boolean {
    return this.high === (high | 0) && this.low === (low | 0);
  }
}

/** Computes znode values; holds the scratch space for the 60 bytes. */
export class NodeDigest {
  readonly #bytes = new Uint8Array(STAT_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);

  /** CRC-32 over path and the data in the range (`start` -1: null data). */
  contentCrc(store: ZnodeStore, id: number, data: Uint8Array, start: number, end: number): number {
    return start < 0 ? this.pathCrc(store, id) : crc32(data, start, end, this.pathCrc(store, id));
  }

  pathCrc(store: ZnodeStore, id: number): number {
    if (id === ROOT) return 0;
    const start = store.pathStart(id);
    return crc32(store.pathChunk(id), start, start + store.pathLength(id), 0);
  }

  /** The value of the znode as it stands in the store. */
  ofRow(store: ZnodeStore, id: number): number {
    if (store.isUnderSystem(id)) return 0;
    const start = store.dataLength(id) < 0 ? -1 : store.dataStart(id);
    const content = this.contentCrc(store, id, store.dataChunk(id), start, start + store.dataLength(id));
    return this.ofRowWith(store, id, content);
  }

  /** The same where the CRC of path and data is known. */
  ofRowWith(store: ZnodeStore, id: number, contentCrc: number): number {
    const page = store.page(id);
    const at = store.rowAt(id);
    const view = this.#view;
    view.setInt32(0, page[at + F.czxid] as number);
    view.setInt32(4, page[at + F.czxid + 1] as number);
    view.setInt32(8, page[at + F.mzxid] as number);
    view.setInt32(12, page[at + F.mzxid + 1] as number);
    view.setInt32(16, page[at + F.pzxid] as number);
    view.setInt32(20, page[at + F.pzxid + 1] as number);
    view.setInt32(24, page[at + F.ctime] as number);
    view.setInt32(28, page[at + F.ctime + 1] as number);
    view.setInt32(32, page[at + F.mtime] as number);
    view.setInt32(36, page[at + F.mtime + 1] as number);
    view.setInt32(40, page[at + F.version] as number);
    view.setInt32(44, page[at + F.cversion] as number);
    view.setInt32(48, page[at + F.aversion] as number);
    view.setInt32(52, page[at + F.owner] as number);
    view.setInt32(56, page[at + F.owner + 1] as number);
    return crc32(this.#bytes, 0, STAT_BYTES, contentCrc);
  }

  /** The same for a stat that is not (yet) in the store: 15 int32 in the order of Stat on the wire. */
  ofStat(stat: Int32Array, contentCrc: number): number {
    const view = this.#view;
    view.setInt32(0, stat[0] as number);
    view.setInt32(4, stat[1] as number);
    view.setInt32(8, stat[2] as number);
    view.setInt32(12, stat[3] as number);
    view.setInt32(16, stat[13] as number);
    view.setInt32(20, stat[14] as number);
    for (let i = 4; i < 13; i++) view.setInt32(8 + i * 4, stat[i] as number);
    return crc32(this.#bytes, 0, STAT_BYTES, contentCrc);
  }
}
