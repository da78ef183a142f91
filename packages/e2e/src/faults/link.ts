/**
 * A proxy on the way from one server to one port of another, and what may happen there: nothing, silence, a cut, slowness, for each
 * direction apart. It needs no rights on the machine.
 *
 * In silence the bytes wait, as TCP's do while packets are lost, and go on when it ends. A connection that is asked for while one
 * direction is silent waits, too: its opener believes to have one, which is the worst that a network can do.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

const host = '127.0.0.1';

/** What becomes of bytes in one direction. `cut`: connections break, and none can be made. */
export type Way = 'open' | 'silent' | 'cut';

interface Pair {
  readonly opener: Socket;
  target: Socket | null;
}

export interface LinkOptions {
  readonly port: number;
  readonly targetPort: number;
  /** Replaced wherever it stands in the first bytes of a connection: servers tell each other addresses to dial back. */
  readonly rewrite?: readonly [from: string, to: string];
}

export class Link {
  readonly #options: LinkOptions;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** From the one that opens connections to the other, and back. */
  #there: Way = 'open';
  #back: Way = 'open';
  #delayMs: () => number = () => 0;

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#server = createServer({ pauseOnConnect: true }, (opener) => this.#onOpener(opener));
  }

  static async open(options: LinkOptions): Promise<Link> {
    const link = new Link(options);
    await new Promise<void>((resolve, reject) => {
      link.#server.once('error', reject);
      link.#server.listen(options.port, host, resolve);
    });
    return link;
  }

  async close(): Promise<void> {
    this.#breakAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  set(there: Way, back: Way): void {
    this.#there = there;
    this.#back = back;
    if (there === 'cut' || back === 'cut') this.#breakAll();
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /** Asked for each chunk; chunks of one connection stay in order. */
  delay(delayMs: () => number): void {
    this.#delayMs = delayMs;
  }

  /** Connections break; new ones can be made. */
  reset(): void {
    this.#breakAll();
  }

  #breakAll(): void {
    for (const { opener, target } of this.#pairs) {
      opener.destroy();
      target?.destroy();
    }
  }

  #onOpener(opener: Socket): void {
    if (this.#there === 'cut' || this.#back === 'cut') {
      opener.destroy();
      return;
    }
    const pair: Pair = { opener, target: null };
    this.#pairs.add(pair);
    this.#watch(pair, opener);
    this.#apply(pair);
  }

  #watch(pair: Pair, socket: Socket): void {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#pairs.delete(pair);
      pair.opener.destroy();
      pair.target?.destroy();
    });
  }

  #apply(pair: Pair): void {
    if (pair.target === null) {
      if (this.#there === 'open' && this.#back === 'open') this.#dial(pair);
      return;
    }
    for (const [socket, way] of [
      [pair.opener, this.#there],
      [pair.target, this.#back],
    ] as const) {
      if (way === 'open') socket.resume();
      else socket.pause();
    }
  }

  #dial(pair: Pair): void {
    const target = connect(this.#options.targetPort, host);
    pair.target = target;
    this.#watch(pair, target);
    this.#carry(pair.opener, target, this.#options.rewrite);
    this.#carry(target, pair.opener);
    this.#apply(pair);
  }

  #carry(from: Socket, to: Socket, rewrite?: readonly [from: string, to: string]): void {
    let isFirst = rewrite !== undefined;
    let earliestMs = 0;
    // A stream keeps its order, whenever timers fire.
    const waiting: Buffer[] = [];
    from.on('data', (chunk: Buffer) => {
      const bytes = isFirst && rewrite !== undefined ? replaced(chunk, ...rewrite) : chunk;
      isFirst = false;
      const delayMs = this.#delayMs();
      if (delayMs === 0 && waiting.length === 0) {
        if (!to.write(bytes)) {
          from.pause();
          to.once('drain', () => this.#applyTo(from));
        }
        return;
      }
      const nowMs = performance.now();
      earliestMs = Math.max(earliestMs, nowMs + delayMs);
      waiting.push(bytes);
      setTimeout(() => to.write(waiting.shift() as Buffer), earliestMs - nowMs);
    });
    from.on('end', () => to.end());
  }

  #applyTo(from: Socket): void {
    for (const pair of this.#pairs) if (pair.opener === from || pair.target === from) this.#apply(pair);
  }
}

/** `to` has the length of `from`, as the bytes before it may hold a length. */
function replaced(chunk: Buffer, from: string, to: string): Buffer {
  const at = chunk.indexOf(from);
  if (at < 0) return chunk;
  const bytes = Buffer.from(chunk);
  bytes.write(to, at, 'latin1');
  return bytes;
}
