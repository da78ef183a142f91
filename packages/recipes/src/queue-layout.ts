/**
 * How the entries of a queue are named and what they hold, for the queues of kazoo and of Curator.
 *
 * Curator's entries are framed: version 0x00010001 as int, then for each item the byte 1, its length as int, its bytes; a byte 2
 * at the end. Numbers are big-endian.
 */
import type { Data } from '@zoots/client';

/**
 * - `kazoo`: `entry-PPP-NNNNNNNNNN`, data as it is. Queue, LockingQueue; PPP is the priority, 100 by default.
 * - `curator`: `queue-NNNNNNNNNN`, framed data. DistributedQueue, -PriorityQueue, -DelayQueue.
 * - `curator-simple`: `qn-NNNNNNNNNN`, data as it is. SimpleDistributedQueue.
 */
export type QueueLayoutName = 'kazoo' | 'curator' | 'curator-simple';

export interface QueueLayout {
  /** What every entry's name begins with; other znodes are left alone. */
  readonly prefix: string;
  /** Prefix of a sequential entry without a priority. */
  readonly plain: string;
  /** Null: the layout has no priorities. */
  readonly withPriority: ((priority: number) => string) | null;
  readonly encode: (data: Data) => Data;
  /** An entry of Curator may hold several items. */
  readonly decode: (data: Buffer | null, path: string) => (Buffer | null)[];
}

const asIs = {
  encode: (data: Data): Data => data,
  decode: (data: Buffer | null): (Buffer | null)[] => [data],
};

export const QUEUE_LAYOUTS: Readonly<Record<QueueLayoutName, QueueLayout>> = {
  kazoo: { prefix: 'entry-', plain: 'entry-100-', withPriority: kazooPriority, ...asIs },
  curator: { prefix: 'queue-', plain: 'queue-', withPriority: curatorPriority, encode: frame, decode: unframe },
  'curator-simple': { prefix: 'qn-', plain: 'qn-', withPriority: null, ...asIs },
};

export function kazooPriority(priority: number): string {
  if (!Number.isInteger(priority) || priority < 0 || priority > 999) {
    throw new RangeError(`priority ${priority}: must be an integer from 0 to 999`);
  }
  return `entry-${String(priority).padStart(3, '0')}-`;
}

/** Hex digits of the 32-bit number after a 1, or after a 0 for negative ones, so that names sort as the numbers do. */
function curatorPriority(priority: number): string {
  if ((priority | 0) !== priority) throw new RangeError(`priority ${priority}: must be a 32-bit integer`);
  const hex = (priority >>> 0).toString(16).toUpperCase().padStart(8, '0');
  return `queue-${priority >= 0 ? 1 : 0}${hex}`;
}

/** `queue-|<hex milliseconds since 1970>|`, followed by the sequence number. */
export function delayPrefix(dueMs: number): string {
  return `queue-|${dueMs.toString(16).toUpperCase().padStart(8, '0')}|`;
}

/** When an entry of a delay queue is due, in milliseconds since 1970; 0 (now) for names of other kinds, as in Curator. */
export function dueMsOf(name: string): number {
  const [, hex] = /\|([0-9A-Fa-f]+)\|[^|]*$/.exec(name) ?? [];
  return hex === undefined ? 0 : Number.parseInt(hex, 16);
}

const FRAME_VERSION = 0x00010001;
const ITEM = 1;
const END = 2;

function frame(data: Data): Buffer {
  const item = typeof data === 'string' ? Buffer.from(data) : (data ?? new Uint8Array(0));
  const head = Buffer.alloc(9);
  head.writeInt32BE(FRAME_VERSION, 0);
  head.writeInt8(ITEM, 4);
  head.writeInt32BE(item.length, 5);
  return Buffer.concat([head, item, Uint8Array.of(END)]);
}

function unframe(data: Buffer | null, path: string): Buffer[] {
  const broken = (): Error => new Error(`${path}: not an entry of Curator's queues; is another layout right?`);
  if (data === null || data.length < 5 || data.readInt32BE(0) !== FRAME_VERSION) throw broken();
  const items: Buffer[] = [];
  let at = 4;
  while (data[at] !== END) {
    if (data[at] !== ITEM || at + 5 > data.length) throw broken();
    const length = data.readInt32BE(at + 1);
    if (length < 0 || at + 5 + length >= data.length) throw broken();
    items.push(data.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return items;
}
