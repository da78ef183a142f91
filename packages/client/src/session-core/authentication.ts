/**
 * The identities of a session. A server keeps them per connection, so each new connection hears them first, all of them.
 * Their answers come in order of their own, with the xid -4.
 */
import { type ByteWriter, encodeUtf8 } from '@zoots/base';
import { ERROR, OP, XID } from '@zoots/protocol';
import type { AuthInfo } from './session-ports.js';

const LENGTH_BYTES = 4;

interface Entry {
  readonly info: AuthInfo;
  /** Null once it has been told. */
  onDone: ((code: number) => void) | null;
}

export class Authentication {
  readonly #entries: Entry[];
  #unanswered: Entry[] = [];

  constructor(infos: readonly AuthInfo[]) {
    this.#entries = infos.map((info) => ({ info, onDone: null }));
  }

  /** `out` is null while there is no connection; the next one hears it. */
  add(info: AuthInfo, onDone: (code: number) => void, out: ByteWriter | null): void {
    const entry = { info, onDone };
    this.#entries.push(entry);
    if (out !== null) this.#send(entry, out);
  }

  sendAll(out: ByteWriter): void {
    for (const entry of this.#entries) this.#send(entry, out);
  }

  /** AuthPacket: int type (0), ustring scheme, buffer auth. */
  #send(entry: Entry, out: ByteWriter): void {
    const { scheme, auth } = entry.info;
    const lengthAt = out.length;
    out.int32(0);
    out.int32(XID.auth);
    out.int32(OP.auth);
    out.int32(0);
    out.string(scheme);
    out.buffer(typeof auth === 'string' ? encodeUtf8(auth) : auth);
    out.setInt32At(lengthAt, out.length - lengthAt - LENGTH_BYTES);
    this.#unanswered.push(entry);
  }

  /** False if the identity was refused. */
  onReply(code: number): boolean {
    const entry = this.#unanswered.shift();
    this.#tell(entry, code);
    return code === ERROR.ok;
  }

  onDisconnected(): void {
    this.#unanswered = [];
  }

  failAll(): void {
    for (const entry of this.#entries) this.#tell(entry, ERROR.authFailed);
  }

  #tell(entry: Entry | undefined, code: number): void {
    const onDone = entry?.onDone;
    if (entry === undefined || onDone === null || onDone === undefined) return;
    entry.onDone = null;
    onDone(code);
  }
}
