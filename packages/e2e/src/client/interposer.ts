/**
 * A TCP proxy that understands frames, between a client and its server: it counts requests, cuts connections at a chosen
 * request, swallows answers, refuses, or falls silent.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { OP } from '@zoots/protocol';
import { freePort } from '../peers/peer.js';

/**
 * What becomes of a request: `pass`; `cut-before` the server sees it; `cut-after` the server has answered it, and the client
 * does not hear.
 */
export type Verdict = 'pass' | 'cut-before' | 'cut-after';

/** `silent`: connections are accepted and stay open, and nothing comes through either way. */
export type Openness = 'open' | 'refusing' | 'silent';

/** Its xid is a connect request's or one of the protocol's own. */
const NO_REQUEST = Number.NaN;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Request whose answer must not come through. */
  fatalXid: number;
  readonly fromClient: FrameSplitter;
  readonly fromServer: FrameSplitter;
}

class FrameSplitter {
  #bytes: Buffer = Buffer.alloc(0);

  /** Whole frames, each with its length field. */
  push(chunk: Buffer): Buffer[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const frames: Buffer[] = [];
    while (this.#bytes.length >= 4) {
      const end = 4 + this.#bytes.readInt32BE(0);
      if (this.#bytes.length < end) break;
      frames.push(this.#bytes.subarray(0, end));
      this.#bytes = this.#bytes.subarray(end);
    }
    return frames;
  }
}

export class Interposer {
  readonly port: number;
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #sockets = new Set<Socket>();
  #openness: Openness = 'open';
  /** Asked for every request of a client; pings, auth and handshakes are not asked about. */
  onRequest: (op: number) => Verdict = () => 'pass';
  /** Requests that went on to the server, by operation. */
  readonly forwarded = new Map<number, number>();
  /** Connections that clients made. */
  connectionCount = 0;

  private constructor(port: number, targetPort: number) {
    this.port = port;
    this.#targetPort = targetPort;
    this.#server = createServer((client) => this.#onClient(client));
  }

  static async open(targetPort: number): Promise<Interposer> {
    const interposer = new Interposer(await freePort(), targetPort);
    await new Promise<void>((resolve, reject) => {
      interposer.#server.once('error', reject);
      interposer.#server.listen(interposer.port, '127.0.0.1', resolve);
    });
    return interposer;
  }

  get connectString(): string {
    return `127.0.0.1:${this.port}`;
  }

  get openness(): Openness {
    return this.#openness;
  }

  set openness(openness: Openness) {
    this.#openness = openness;
    if (openness === 'refusing') this.cut();
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #onClient(client: Socket): void {
    this.connectionCount++;
    if (this.#openness === 'refusing') {
      client.destroy();
      return;
    }
    const server = connect(this.#targetPort, '127.0.0.1');
    const link: Link = {
      client,
      server,
      fatalXid: NO_REQUEST,
      fromClient: new FrameSplitter(),
      fromServer: new FrameSplitter(),
    };
    this.#links.add(link);
    const end = (): void => {
      this.#links.delete(link);
      for (const socket of [client, server]) {
        this.#sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', end);
    }
    client.on('data', (chunk) => this.#forward(link, link.fromClient.push(chunk), end));
    server.on('data', (chunk) => this.#answer(link, link.fromServer.push(chunk), end));
  }

  #forward(link: Link, frames: readonly Buffer[], cut: () => void): void {
    if (this.#openness === 'silent') return;
    for (const frame of frames) {
      const op = opOf(frame);
      if (op > 0 && op !== OP.ping && op !== OP.auth) {
        const verdict = this.onRequest(op);
        if (verdict === 'cut-before') {
          cut();
          return;
        }
        if (verdict === 'cut-after') link.fatalXid = frame.readInt32BE(4);
        this.forwarded.set(op, (this.forwarded.get(op) ?? 0) + 1);
      }
      link.server.write(frame);
    }
  }

  #answer(link: Link, frames: readonly Buffer[], cut: () => void): void {
    if (this.#openness === 'silent') return;
    for (const frame of frames) {
      if (frame.length >= 8 && frame.readInt32BE(4) === link.fatalXid) {
        cut();
        return;
      }
      link.client.write(frame);
    }
  }
}

/** 0 for a connect request, whose first field is the protocol version 0. */
function opOf(frame: Buffer): number {
  return frame.length >= 12 && frame.readInt32BE(4) !== 0 ? frame.readInt32BE(8) : 0;
}
