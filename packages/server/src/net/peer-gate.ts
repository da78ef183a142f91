/**
 * A gate on the connections to other members, for whoever tests with members in one process: `held`, they stay open and nothing is
 * read, as from a process that hangs; `closed`, they break and none can be made, as behind a network that fails.
 */
import type { Socket } from 'node:net';
import type { Gate } from './client-listener.js';

export class PeerGate {
  #state: Gate = 'open';
  readonly #sockets = new Set<Socket>();
  /** What happened to connections while the gate was held. */
  readonly #unheard: (() => void)[] = [];

  get state(): Gate {
    return this.#state;
  }

  set state(state: Gate) {
    this.#state = state;
    if (state !== 'held') for (const event of this.#unheard.splice(0)) event();
    for (const socket of this.#sockets) this.#apply(socket);
  }

  /** Every socket passes here, before anything of it is read. */
  admit(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    if (this.#state !== 'open') this.#apply(socket);
  }

  /** An event of a connection that is no bytes: told now, or when the gate is held no more. */
  tell(event: () => void): void {
    if (this.#state === 'held') this.#unheard.push(event);
    else event();
  }

  #apply(socket: Socket): void {
    if (this.#state === 'open') socket.resume();
    else if (this.#state === 'held') socket.pause();
    else socket.destroy();
  }
}
