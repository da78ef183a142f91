/**
 * The model's view of quotas. Limits at /zookeeper/quota<path>/zookeeper_limits, usage beside them in zookeeper_stats; only
 * the deepest path with limits counts. Source: `semantics.md` section 8.
 *
 * Whether a quota is exceeded is asked of the usage that is *applied* when the server prepares the write, and while writes
 * are in flight the log does not tell exactly which that was. Where the possible states disagree, the server's word is taken.
 */
import { type Logged, type Model, parentOf } from './model.js';

const TOP = '/zookeeper/quota';

function numberIn(text: string | null | undefined, key: string): number {
  const found = new RegExp(`(?:^|[,;])${key}=(-?\\d+)`).exec(text ?? '');
  return found === null ? -1 : Number(found[1]);
}

export class ModelQuota {
  readonly #model: Model;
  /** Usage znodes whose text an earlier start of the server has changed, and when. */
  readonly #recountedAt = new Map<string, number>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** The deepest path with limits at or above `path`, as of `zxid`. */
  #deepest(path: string, zxid: number): string | null {
    for (let at = path; at !== '/'; at = parentOf(at)) {
      if (this.#model.at(`${TOP}${at}/zookeeper_limits`, zxid) !== undefined) return at;
    }
    return null;
  }

  isExceeded(write: Logged & { readonly part: number }, path: string, bytes: number, count: number): boolean {
    const verdicts = write.quotaStates.map((zxid) => this.#isExceededAt(zxid, path, bytes, count));
    if (verdicts.every((verdict) => verdict === verdicts[0])) return verdicts[0] === true;
    return write.exceededPart === write.part;
  }

  #isExceededAt(zxid: number, path: string, bytes: number, count: number): boolean {
    const target = this.#deepest(path, zxid);
    if (target === null) return false;
    const limits = this.#model.at(`${TOP}${target}/zookeeper_limits`, zxid)?.data;
    const usage = this.#model.at(`${TOP}${target}/zookeeper_stats`, zxid);
    if (usage === undefined) return false;
    const countMax = numberIn(limits, 'countHardLimit');
    const bytesMax = numberIn(limits, 'byteHardLimit');
    if (count !== 0 && countMax > -1 && numberIn(usage.data, 'count') + count > countMax) return true;
    return bytes !== 0 && bytesMax > -1 && numberIn(usage.data, 'bytes') + bytes > bytesMax;
  }

  onCreated(zxid: number, path: string, bytes: number): void {
    if (path.startsWith(`${TOP}/`) && path.endsWith('/zookeeper_stats')) this.#recount(zxid, path);
    this.#addUsage(zxid, path, bytes, 1);
  }

  onDeleting(zxid: number, path: string, bytes: number): void {
    this.#addUsage(zxid, path, -bytes, -1);
  }

  onDataChanged(zxid: number, path: string, bytes: number): void {
    this.#addUsage(zxid, path, bytes, 0);
  }

  #addUsage(zxid: number, path: string, bytes: number, count: number): void {
    const target = this.#deepest(path, Number.MAX_SAFE_INTEGER);
    if (target === null) return;
    const statsPath = `${TOP}${target}/zookeeper_stats`;
    const stats = this.#model.now(statsPath);
    if (stats === undefined) return;
    const newCount = numberIn(stats.data, 'count') + count;
    const newBytes = numberIn(stats.data, 'bytes') + bytes;
    this.#model.overwrite(statsPath, zxid, `count=${newCount},bytes=${newBytes}`);
  }

  #recount(zxid: number, statsPath: string): void {
    const target = parentOf(statsPath.slice(TOP.length));
    if (target === '/' || this.#model.now(target) === undefined) return;
    let count = 0;
    let bytes = 0;
    for (const path of this.#model.pathsAt(Number.MAX_SAFE_INTEGER)) {
      if (path !== target && !path.startsWith(`${target}/`)) continue;
      count++;
      bytes += this.#model.now(path)?.data?.length ?? 0;
    }
    this.#model.overwrite(statsPath, zxid, `count=${count},bytes=${bytes}`);
  }

  /**
   * A server that starts counts every usage afresh, but as of the snapshot it loads, and lets the log's txns add to that.
   * Where a quota was there all the time since, the sum is what a fresh count gives now. Where the usage znode is younger
   * than the snapshot, it is what it was, unless an earlier start had counted it afresh. In between, `real` says: what the usage of a quota without limits is, or of limits
   * that came after the snapshot, depends on which snapshot that was.
   */
  onServerStarted(snapshotZxid: number, real: (path: string) => string | null): void {
    const { lastZxid } = this.#model;
    for (const path of this.#model.pathsAt(lastZxid)) {
      if (!path.startsWith(`${TOP}/`) || !path.endsWith('/zookeeper_stats')) continue;
      const base = parentOf(path);
      const isOlder = (other: string): boolean => (this.#model.now(other)?.czxid ?? lastZxid + 1) <= snapshotZxid;
      const wasRecounted = (this.#recountedAt.get(path) ?? -1) >= (this.#model.now(path)?.czxid ?? 0);
      if (!isOlder(path) && !wasRecounted) continue;
      this.#recountedAt.set(path, lastZxid);
      const isSteady = isOlder(path) && isOlder(`${base}/zookeeper_limits`) && isOlder(base.slice(TOP.length));
      if (isSteady) this.#recount(lastZxid, path);
      else this.#model.overwrite(path, lastZxid, real(path) ?? '');
    }
  }
}
