/**
 * Quotas: limits that clients write below /zookeeper/quota, and the usage the server keeps beside them.
 *
 *   /zookeeper/quota<path>/zookeeper_limits   `count=N,bytes=M`, with hard limits `count=N,bytes=M=;byteHardLimit=X;countHardLimit=Y`
 *   /zookeeper/quota<path>/zookeeper_stats    the usage, in the same form; changed in place by every server
 *
 * A quota is active while its limits znode exists. Only the deepest active quota above a znode counts; the root has none.
 * A usage text that cannot be read (a client may write anything there) is counted afresh from the tree.
 * Source: ZooKeeper's Quotas, StatsTrack and checkQuota.
 */
import { decodeUtf8, encodeUtf8 } from '@zoots/base';
import { ERROR } from '@zoots/protocol';
import { F, NONE, PIN, ROOT, type ZnodeStore } from './znode-store.js';

const QUOTA_PREFIX = '/zookeeper/quota';
const LIMITS_NAME = 'zookeeper_limits';
const STATS_NAME = 'zookeeper_stats';

/** The numbers in a limits or usage text; -1 where absent. */
export class QuotaNumbers {
  readonly #values = new Map<string, number>();

  /** Null if the text does not parse. */
  static parse(text: string): QuotaNumbers | null {
    const numbers = new QuotaNumbers();
    if (text === '') return numbers;
    for (const pair of text.split(/[,;]+/)) {
      if (pair === '') continue;
      const [key, value] = pair.split('=');
      if (key === undefined || value === undefined) return null;
      if (value !== '' && !/^[+-]?\d{1,16}$/.test(value)) return null;
      numbers.#values.set(key, value === '' ? -1 : Number(value));
    }
    return numbers;
  }

  get(key: string): number {
    return this.#values.get(key) ?? -1;
  }

  set(key: string, value: number): void {
    this.#values.set(key, value);
  }

  /** The stray `=` before the further keys keeps parsers of before 3.7 from reading them. */
  toString(): string {
    const further = [...this.#values.keys()].filter((key) => key !== 'count' && key !== 'bytes').sort();
    const tail = further.map((key) => `;${key}=${this.#values.get(key)}`).join('');
    return `count=${this.get('count')},bytes=${this.get('bytes')}${further.length > 0 ? `=${tail}` : ''}`;
  }
}

export class QuotaTable {
  readonly #store: ZnodeStore;
  /** Ids of the paths that have an active quota. */
  readonly #active = new Set<number>();
  /** Writes a usage znode's data; set by the tree. */
  writeUsage: (id: number, text: Uint8Array) => void = () => {};

  constructor(store: ZnodeStore) {
    this.#store = store;
  }

  get isEmpty(): boolean {
    return this.#active.size === 0;
  }

  clear(): void {
    this.#active.clear();
  }

  onCreated(id: number): void {
    if (this.#store.isUnderSystem(id)) this.#onSystemNode(id, true);
    if (this.#active.size > 0) this.#addUsage(this.#deepest(id), Math.max(this.#store.dataLength(id), 0), 1);
  }

  onDeleting(id: number): void {
    if (this.#store.isUnderSystem(id)) this.#onSystemNode(id, false);
    if (this.#active.size > 0) this.#addUsage(this.#deepest(id), -Math.max(this.#store.dataLength(id), 0), -1);
  }

  onDataChanged(id: number, bytesDelta: number): void {
    if (this.#active.size > 0) this.#addUsage(this.#deepest(id), bytesDelta, 0);
  }

  /**
   * May a create (`count` 1) or setData (`count` 0) with this change of bytes pass? `id` is the path's, `parent` its
   * parent's (the znode itself may not exist yet). Hard limits only; applied usage, as in Apache.
   */
  check(id: number, parent: number, bytesDelta: number, count: number): number {
    if (this.#active.size === 0) return ERROR.ok;
    const target = this.#deepest(id === NONE ? parent : id);
    if (target === NONE) return ERROR.ok;
    const limits = this.#numbersAt(target, LIMITS_NAME);
    const usage = this.#numbersAt(target, STATS_NAME);
    if (limits === null || usage === null) return ERROR.ok;
    if (count !== 0 && exceeds(usage.get('count') + count, limits.get('countHardLimit'))) return ERROR.quotaExceeded;
    if (bytesDelta !== 0 && exceeds(usage.get('bytes') + bytesDelta, limits.get('byteHardLimit'))) {
      return ERROR.quotaExceeded;
    }
    return ERROR.ok;
  }

  /** After a load: every quota is found again and its usage counted from the tree. */
  rebuild(): void {
    for (const id of this.#active) this.#store.unpin(id, PIN.quota);
    this.#active.clear();
    const path = encodeUtf8(QUOTA_PREFIX);
    const top = this.#store.find(path, 0, path.length);
    if (top === NONE || !this.#store.isPresent(top)) return;
    const stats: number[] = [];
    this.#walk(top, (id) => {
      if (this.#nameIs(id, LIMITS_NAME)) this.#onSystemNode(id, true);
      else if (this.#nameIs(id, STATS_NAME)) stats.push(id);
    });
    for (const id of stats) this.#onSystemNode(id, true);
  }

  #onSystemNode(id: number, created: boolean): void {
    const isLimits = this.#nameIs(id, LIMITS_NAME);
    if (!isLimits && !(created && this.#nameIs(id, STATS_NAME))) return;
    const target = this.#targetOf(id, isLimits && created);
    if (target === NONE) return;
    if (!isLimits) {
      if (this.#store.isPresent(target)) this.#recount(target, id);
      else this.#store.releaseUnpinned(target);
    } else if (created) {
      this.#active.add(target);
      this.#store.pin(target, PIN.quota);
    } else if (this.#active.delete(target)) this.#store.unpin(target, PIN.quota);
  }

  /** The id of the path a quota znode is about; NONE for the root's and for znodes elsewhere. */
  #targetOf(id: number, intern: boolean): number {
    const store = this.#store;
    const start = store.pathStart(id);
    const chunk = store.pathChunk(id);
    const path = decodeUtf8(chunk, start, start + store.pathLength(id));
    if (!path.startsWith(`${QUOTA_PREFIX}/`)) return NONE;
    const target = encodeUtf8(path.slice(QUOTA_PREFIX.length, path.lastIndexOf('/')));
    if (target.length === 0) return NONE;
    return intern ? store.intern(target, 0, target.length) : store.find(target, 0, target.length);
  }

  #nameIs(id: number, name: string): boolean {
    const store = this.#store;
    const start = store.pathStart(id);
    const end = start + store.pathLength(id);
    const nameStart = start + store.nameOffset(id);
    return end - nameStart === name.length && decodeUtf8(store.pathChunk(id), nameStart, end) === name;
  }

  /** The deepest active quota at or above the znode, or NONE. */
  #deepest(id: number): number {
    for (let at = id; at !== NONE && at !== ROOT; at = this.#parentOf(at)) {
      if (this.#active.has(at)) return at;
    }
    return NONE;
  }

  /** By path where the znode is not applied yet: a quota holds for what is in flight below it, too. */
  #parentOf(id: number): number {
    const store = this.#store;
    if (store.isPresent(id)) return store.get(id, F.parent);
    const start = store.pathStart(id);
    return store.find(store.pathChunk(id), start, start + Math.max(store.nameOffset(id) - 1, 1));
  }

  #quotaNode(target: number, name: string): number {
    const store = this.#store;
    const start = store.pathStart(target);
    const path = decodeUtf8(store.pathChunk(target), start, start + store.pathLength(target));
    const bytes = encodeUtf8(`${QUOTA_PREFIX}${path}/${name}`);
    const id = store.find(bytes, 0, bytes.length);
    return id !== NONE && store.isPresent(id) ? id : NONE;
  }

  #numbersAt(target: number, name: string): QuotaNumbers | null {
    const id = this.#quotaNode(target, name);
    return id === NONE ? null : QuotaNumbers.parse(this.#dataText(id));
  }

  #dataText(id: number): string {
    const start = this.#store.dataStart(id);
    return decodeUtf8(this.#store.dataChunk(id), start, start + Math.max(this.#store.dataLength(id), 0));
  }

  #addUsage(target: number, bytesDelta: number, countDelta: number): void {
    if (target === NONE) return;
    const id = this.#quotaNode(target, STATS_NAME);
    if (id === NONE) return;
    const usage = QuotaNumbers.parse(this.#dataText(id));
    if (usage === null) {
      this.#recount(target, id);
      return;
    }
    usage.set('count', usage.get('count') + countDelta);
    usage.set('bytes', usage.get('bytes') + bytesDelta);
    this.writeUsage(id, encodeUtf8(usage.toString()));
  }

  #recount(target: number, stats: number): void {
    let count = 0;
    let bytes = 0;
    this.#walk(target, (id) => {
      count++;
      bytes += Math.max(this.#store.dataLength(id), 0);
    });
    this.writeUsage(stats, encodeUtf8(`count=${count},bytes=${bytes}`));
  }

  /** The znode and everything below it, without recursion. */
  #walk(top: number, visit: (id: number) => void): void {
    const store = this.#store;
    let at = top;
    for (;;) {
      visit(at);
      let next = store.get(at, F.firstChild);
      while (next === NONE && at !== top) {
        next = store.get(at, F.nextSibling);
        if (next === NONE) at = store.get(at, F.parent);
      }
      if (next === NONE) return;
      at = next;
    }
  }
}

function exceeds(value: number, limit: number): boolean {
  return limit > -1 && value > limit;
}
