/**
 * What the differential test does to both servers, as data: a run is a list of steps, and a list of steps can be
 * cut down, written to a file and played again. A step never holds what a server invented (session ids,
 * passwords, absolute zxids): it names sessions by number and zxids by distance, and each side fills in its own.
 */

export interface RequestStep {
  readonly xid: number;
  readonly type: number;
  readonly body: Buffer;
  /** Present: the first eight bytes of the body are replaced by (last zxid seen + this). For setWatches. */
  readonly zxidDelta?: number;
}

export type PasswordKind = 'right' | 'wrong' | 'null' | 'empty' | 'short';

export type Step =
  | {
      /** A new TCP connection with its first frame. A connection still open in the slot is cut first. */
      readonly kind: 'open';
      readonly slot: number;
      readonly timeoutMs: number;
      readonly protocolVersion: number;
      /** Null: the byte is not sent. */
      readonly readOnly: boolean | null;
      /** Null: a new session. A number: the n-th session ever confirmed in this run. 'unknown': an id nobody gave out. */
      readonly session: number | 'unknown' | null;
      readonly password: PasswordKind;
      /** lastZxidSeen: null sends 0, otherwise last zxid seen + this. */
      readonly zxidDelta: number | null;
      readonly trailing: Buffer;
    }
  /** Requests of one connection in one write; every reply is awaited. */
  | { readonly kind: 'burst'; readonly slot: number; readonly requests: readonly RequestStep[] }
  /** Bytes that break the framing, on an open connection or as the first thing on a new one. The server must close. */
  | { readonly kind: 'raw'; readonly slot: number; readonly fresh: boolean; readonly bytes: Buffer }
  /** The client's end vanishes; the session lives on. */
  | { readonly kind: 'cut'; readonly slot: number }
  /** The client's end vanishes, and we wait until the session has expired. */
  | { readonly kind: 'expire'; readonly slot: number }
  /** A ping on every connection: everything that was under way has arrived. */
  | { readonly kind: 'settle' };

/** Steps as JSON lines, Buffers in hex. */
export function stepsToText(steps: readonly Step[]): string {
  const replacer = function (this: Record<string, unknown>, key: string, value: unknown): unknown {
    const own = this[key];
    return Buffer.isBuffer(own) ? `hex:${own.toString('hex')}` : value;
  };
  return steps.map((step) => JSON.stringify(step, replacer)).join('\n');
}

export function stepsFromText(text: string): Step[] {
  const reviver = (_key: string, value: unknown): unknown =>
    typeof value === 'string' && value.startsWith('hex:') ? Buffer.from(value.slice(4), 'hex') : value;
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line, reviver) as Step);
}
