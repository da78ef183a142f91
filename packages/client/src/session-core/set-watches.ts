/**
 * The setWatches requests that tell a new server what a session watches.
 *
 *   SetWatches   long relativeZxid; vector<ustring> data, exist, child
 *   SetWatches2  the same, then vector<ustring> persistent, recursive
 *
 * The server fires at once what changed since relativeZxid, and registers the rest. Split into frames of a bounded size:
 * one frame with everything could exceed what the server takes (ZOOKEEPER-706). Servers before 3.6 do not know
 * SetWatches2, so it is used only where a list needs it.
 */
import type { ByteWriter } from '@zoots/base';
import { OP, XID } from '@zoots/protocol';

/** Bytes of paths per frame; as in Apache's client, far below the 1 MB that servers take. */
export const SET_WATCHES_BYTES_MAX = 128 * 1024;
const ONE_SHOT_LISTS = 3;
const LENGTH_BYTES = 4;

/** Writes the frames; returns how many. */
export function writeSetWatches(
  writer: ByteWriter,
  lists: readonly (readonly string[])[],
  relativeZxid: number,
  bytesMax = SET_WATCHES_BYTES_MAX,
): number {
  let frames = 0;
  let part: string[][] = lists.map(() => []);
  let partBytes = 0;
  const flush = (): void => {
    if (partBytes === 0) return;
    writeFrame(writer, part, relativeZxid);
    frames++;
    part = lists.map(() => []);
    partBytes = 0;
  };
  lists.forEach((paths, list) => {
    for (const path of paths) {
      (part[list] as string[]).push(path);
      partBytes += path.length + LENGTH_BYTES;
      if (partBytes >= bytesMax) flush();
    }
  });
  flush();
  return frames;
}

function writeFrame(writer: ByteWriter, lists: readonly (readonly string[])[], relativeZxid: number): void {
  const hasPersistent = lists.slice(ONE_SHOT_LISTS).some((paths) => paths.length > 0);
  const lengthAt = writer.length;
  writer.int32(0);
  writer.int32(XID.setWatches);
  writer.int32(hasPersistent ? OP.setWatches2 : OP.setWatches);
  writer.long(relativeZxid);
  for (const paths of hasPersistent ? lists : lists.slice(0, ONE_SHOT_LISTS)) {
    writer.int32(paths.length);
    for (const path of paths) writer.string(path);
  }
  writer.setInt32At(lengthAt, writer.length - lengthAt - LENGTH_BYTES);
}
