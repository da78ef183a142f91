/**
 * What the servers' tree holds as far as replies have shown, kept only to aim requests: most should name nodes that
 * exist, with versions that match. It misses much (the deletes of a multi, the end of a session) and mends itself
 * when a reply says that there is no such node.
 */
import { WireReader } from '../wire/bytes.js';
import { Op, readMultiResults, readStat, type Stat } from '../wire/records.js';
import type { Prng } from './prng.js';
import type { RequestStep } from './steps.js';

const noNode = -101;

export class TreeGuess {
  readonly #stats = new Map<string, Stat | null>();
  #paths: string[] = [];

  get size(): number {
    return this.#paths.length;
  }

  /** A node that probably exists, never the root. */
  existing(prng: Prng): string {
    return this.#paths.length === 0 ? '/a' : prng.pick(this.#paths);
  }

  stat(path: string | null): Stat | null {
    return path === null ? null : (this.#stats.get(path) ?? null);
  }

  #add(path: string | null | undefined, stat: Stat | null): void {
    if (path === null || path === undefined || path === '' || path === '/' || path.startsWith('/zookeeper')) return;
    if (!this.#stats.has(path)) this.#paths.push(path);
    this.#stats.set(path, stat);
  }

  #remove(path: string | null): void {
    if (path === null || !this.#stats.has(path)) return;
    this.#paths = this.#paths.filter((other) => other !== path && !other.startsWith(`${path}/`));
    for (const other of [...this.#stats.keys()]) {
      if (other === path || other.startsWith(`${path}/`)) this.#stats.delete(other);
    }
  }

  /** Learns from one reply frame. Damaged requests and odd replies teach nothing. */
  observe(request: RequestStep, frame: Buffer): void {
    try {
      const err = frame.readInt32BE(12);
      if (err === 0) this.#learn[request.type]?.(request, new WireReader(frame, 16));
      else if (err === noNode && pathOps.has(request.type)) this.#remove(pathOf(request));
    } catch {
      // The reply is not what the request's type promises; comparing it is the runner's business.
    }
  }

  readonly #learn: Readonly<Record<number, (request: RequestStep, reply: WireReader) => void>> = {
    [Op.create]: (_, reply) => this.#add(reply.string(), null),
    [Op.create2]: (_, reply) => this.#add(reply.string(), readStat(reply)),
    [Op.createContainer]: (_, reply) => this.#add(reply.string(), readStat(reply)),
    [Op.createTTL]: (_, reply) => this.#add(reply.string(), readStat(reply)),
    [Op.delete]: (request) => this.#remove(pathOf(request)),
    [Op.deleteContainer]: (request) => this.#remove(pathOf(request)),
    [Op.exists]: (request, reply) => this.#add(pathOf(request), readStat(reply)),
    [Op.setData]: (request, reply) => this.#add(pathOf(request), readStat(reply)),
    [Op.setACL]: (request, reply) => this.#add(pathOf(request), readStat(reply)),
    [Op.getData]: (request, reply) => {
      reply.buffer();
      this.#add(pathOf(request), readStat(reply));
    },
    [Op.multi]: (_, reply) => {
      for (const { path, stat } of readMultiResults(reply)) this.#add(path, stat ?? null);
    },
  };
}

/** Operations for which NoNode speaks of the very path they name; for a create it speaks of the parent. */
const pathOps = new Set<number>([
  Op.delete,
  Op.exists,
  Op.getData,
  Op.setData,
  Op.getACL,
  Op.setACL,
  Op.getChildren,
  Op.getChildren2,
]);

function pathOf({ body }: RequestStep): string | null {
  return new WireReader(body).string();
}
