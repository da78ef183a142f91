/**
 * Sections 2 to 4 of a snapshot (see `snapshot-format.ts`) as they are written, wherever they go: into a file, or to a
 * learner. The walk over the tree writes through this and knows nothing of the rest.
 */
import { ByteWriter } from '@zoots/base';

export class SnapshotSections {
  /** The caller appends raw node records { ustring path, buffer data, long acl, StatPersisted } here. */
  readonly out: ByteWriter;

  constructor(roomBytes: number) {
    this.out = new ByteWriter(roomBytes);
  }

  beginSessions(count: number): void {
    this.out.int32(count);
  }

  session(high: number, low: number, timeoutMs: number): void {
    this.out.longPair(high, low);
    this.out.int32(timeoutMs);
  }

  beginAcls(count: number): void {
    this.out.int32(count);
  }

  /** `bytes` from `start` to `end` are an encoded vector<ACL>. */
  acl(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.out.long(id);
    this.out.raw(bytes, start, end);
  }
}
