/**
 * auth and sasl requests: answered at once, outside the session's order, with zxid 0.
 *
 * auth: AuthPacket{int type, ustring scheme, buffer auth}. `digest` adds `user:base64(hash("user:password"))`, and `super` if
 * that is the configured super digest; `ip` adds what is there already; anything else fails with -115 and closes.
 * Source: ZooKeeper's processPacket and its authentication providers.
 */
import { type ByteReader, type ByteWriter, decodeUtf8, encodeUtf8 } from '@zoots/base';
import { ERROR } from '@zoots/protocol';
import type { CoreConfig, Hashes } from '../ports.js';
import type { Connection } from '../session/connection.js';
import { beginReply, endReply, writeBareReply } from './reply.js';

/** Identities one connection may gather; each costs memory and time in every check. */
const IDENTITIES_MAX = 1000;

export class Authenticator {
  readonly #config: CoreConfig;
  readonly #hashes: Hashes;

  constructor(config: CoreConfig, hashes: Hashes) {
    this.#config = config;
    this.#hashes = hashes;
  }

  /** False: close the connection once the reply is out. */
  auth(connection: Connection, xid: number, reader: ByteReader, out: () => ByteWriter): boolean {
    reader.int32();
    const scheme = reader.string();
    const token = reader.buffer();
    // A packet that does not decode is not answered.
    if (reader.failed) return false;
    const accepted = this.#accept(connection, scheme, token);
    writeBareReply(out(), xid, 0, accepted ? ERROR.ok : ERROR.authFailed);
    return accepted;
  }

  #accept(connection: Connection, scheme: string | null, token: Uint8Array | null): boolean {
    if (connection.identities.length >= IDENTITIES_MAX) return false;
    if (scheme === 'ip') {
      connection.addIdentity({ scheme: 'ip', id: connection.remoteAddress });
      return true;
    }
    if (scheme !== 'digest' || token === null || !this.#config.digestAuthEnabled) return false;
    const id = this.#digestId(token);
    if (id === this.#config.superDigest) connection.addIdentity({ scheme: 'super', id: '' });
    connection.addIdentity({ scheme: 'digest', id });
    return true;
  }

  #digestId(token: Uint8Array): string {
    const text = decodeUtf8(token, 0, token.length);
    const user = text.split(':')[0] as string;
    // Java hashes the text it decoded: of malformed bytes only their replacements are left.
    const hashed = text.includes('\ufffd') ? encodeUtf8(text) : token;
    return `${user}:${base64(this.#hashes.digest(this.#config.digestHash, hashed))}`;
  }

  /** Without SASL configured the answer to any token is null. False: close the connection; a null token is not answered. */
  sasl(xid: number, reader: ByteReader, out: () => ByteWriter): boolean {
    const token = reader.buffer();
    if (reader.failed || token === null) return false;
    const start = beginReply(out(), xid, 0);
    out().int32(-1);
    endReply(out(), start);
    return true;
  }

  /** May this connection send requests other than auth? (sessionRequireClientSASLAuth, enforce.auth) */
  isAdmitted(connection: Connection): boolean {
    const { enabled, schemes } = this.#config.enforceAuth;
    return !enabled || connection.identities.some((identity) => schemes.includes(identity.scheme));
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const have = bytes.length - i;
    const bits = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET.charAt(bits >> 18) + ALPHABET.charAt((bits >> 12) & 63);
    text += have > 1 ? ALPHABET.charAt((bits >> 6) & 63) : '=';
    text += have > 2 ? ALPHABET.charAt(bits & 63) : '=';
  }
  return text;
}
