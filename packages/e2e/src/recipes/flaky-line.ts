/** A line to the server that can be cut: a TCP relay on a port of its own. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export class FlakyLine implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number, server: Server) {
    this.port = port;
    this.#server = server;
  }

  static async open(port: number, serverPort: number): Promise<FlakyLine> {
    const server = createServer();
    const line = new FlakyLine(port, server);
    server.on('connection', (near) => line.#relay(near, connect(serverPort, '127.0.0.1')));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return line;
  }

  #relay(near: Socket, far: Socket): void {
    const cut = (): void => {
      for (const socket of [near, far]) {
        this.#sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', cut);
      socket.on('close', cut);
    }
    near.pipe(far);
    far.pipe(near);
  }

  /** Both ends learn of it at once. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cutAll();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
