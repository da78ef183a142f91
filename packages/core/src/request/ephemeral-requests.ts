/** Which requests ask for an ephemeral: a local session becomes global for them, or may not make them. */
import { ByteReader } from '@zoots/base';
import { isEphemeralMode, OP } from '@zoots/protocol';
import { readCreateRequest } from './prepare-create.js';
import { forEachMultiPart } from './prepare-multi.js';

/** The request's body is `bytes` from `start` to `end`; one that cannot be decoded asks for nothing. */
export function asksForEphemeral(op: number, bytes: Uint8Array, start: number, end: number): boolean {
  // Reads ask here, too: nothing is made for them.
  if (op !== OP.create && op !== OP.create2 && op !== OP.multi) return false;
  const reader = new ByteReader().reset(bytes, start, end);
  if (op === OP.multi) {
    let found = false;
    forEachMultiPart(reader, (type, part) => {
      found ||= isEphemeralCreate(type, part);
    });
    return found;
  }
  return isEphemeralCreate(op, reader);
}

function isEphemeralCreate(op: number, reader: ByteReader): boolean {
  if (op !== OP.create && op !== OP.create2) return false;
  const request = readCreateRequest(reader, op);
  return request !== null && isEphemeralMode(request.flags);
}
