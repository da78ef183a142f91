/** How tests name a session. */

/**
 * A session: its id, as a number or as the 8 bytes that some clients have, or a client that has a `session` with an `id`, as
 * @zoots/client's.
 */
export type SessionReference =
  | bigint
  | Uint8Array
  | { readonly id: bigint }
  | { readonly session: { readonly id: bigint } | null };

export function idOf(reference: SessionReference): bigint {
  if (typeof reference === 'bigint') return reference;
  if (reference instanceof Uint8Array) {
    return new DataView(reference.buffer, reference.byteOffset, reference.byteLength).getBigInt64(0);
  }
  if ('id' in reference) return reference.id;
  if (reference.session === null) throw new Error('the client has no session');
  return reference.session.id;
}
