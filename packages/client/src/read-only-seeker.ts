/**
 * Looks for a server that takes writes while the client is at a read-only one: asks them in turn with the four letter word
 * `isro`, at first after 100 ms, then after pauses that double up to a minute.
 */
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import type { ServerAddress } from './types.js';

const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 60_000;
const ANSWER_MS_MAX = 1_000;

export class ReadOnlySeeker {
  readonly #servers: () => readonly ServerAddress[];
  readonly #tls: TlsOptions | null;
  readonly #onFound: (server: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #next = 0;
  #isRunning = false;

  constructor(servers: () => readonly ServerAddress[], tls: TlsOptions | null, onFound: (server: number) => void) {
    this.#servers = servers;
    this.#tls = tls;
    this.#onFound = onFound;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#later(PAUSE_MIN_MS);
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  #later(pauseMs: number): void {
    this.#timer = setTimeout(async () => {
      const servers = this.#servers();
      const index = this.#next++ % servers.length;
      const isReadWrite = await this.#ask(servers[index] as ServerAddress);
      if (!this.#isRunning) return;
      if (isReadWrite) this.#onFound(index);
      else this.#later(Math.min(pauseMs * 2, PAUSE_MAX_MS));
    }, pauseMs);
  }

  #ask({ host, port }: ServerAddress): Promise<boolean> {
    return new Promise((resolve) => {
      let text = '';
      const socket =
        this.#tls === null ? connectTcp({ host, port }) : connectTls({ host, port, servername: host, ...this.#tls });
      socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy());
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(text === 'rw'));
      socket.write('isro');
    });
  }
}
