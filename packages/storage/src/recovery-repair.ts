/**
 * What recovery may change on disk, and how: done only after everything has been found good, and durable before the server
 * goes on. Each step can be repeated after a crash in the middle of it.
 *
 * A log whose writer was killed may hold records that are in the page cache and not on the disk. They are part of the
 * recovered state from now on, so they must become durable first: otherwise the next log would be durable, and after a
 * power cut its predecessor not, which is a gap. Behind the durable mark the bytes are even written anew, because after a
 * failed sync the kernel takes pages for clean that never reached the disk.
 */
import { ByteWriter } from '@zoots/base';
import type { Disk, DiskError, DiskFile, Done } from './disk.js';
import { MARK_BYTES, MARK_OFFSET, RECORD_END, writeMark } from './txn-log-format.js';

export type RepairStep =
  | {
      /** Make a log durable as far as its last good record. */
      readonly kind: 'finish';
      readonly path: string;
      /** Behind the last good record. */
      readonly end: number;
      /** Cut the file there. */
      readonly isCut: boolean;
      /** The durable mark, 0 for none: the bytes behind it are written anew, and it is cleared. */
      readonly mark: number;
      /** Where the end byte of the last record is missing, -1 if it is not. */
      readonly missingEndAt: number;
    }
  | { readonly kind: 'remove'; readonly path: string };

/** One step of a change to the disk. */
export type Action = (next: Done) => void;

/** Carries out the steps one after another, then syncs the directories. */
export function repair(disk: Disk, steps: readonly RepairStep[], directories: readonly string[], done: Done): void {
  const actions = steps.map(
    (step): Action =>
      (next) =>
        step.kind === 'remove' ? disk.remove(step.path, next) : finish(disk, step, next),
  );
  for (const directory of new Set(directories)) actions.push((next) => disk.syncDirectory(directory, next));
  runInTurn(actions, done);
}

/** Takes the steps one after another; the first error ends it. */
export function runInTurn(actions: readonly Action[], done: Done): void {
  const runFrom = (index: number): void => {
    const action = actions[index];
    if (action === undefined) done(null);
    else action((error) => (error === null ? runFrom(index + 1) : done(error)));
  };
  runFrom(0);
}

function finish(disk: Disk, step: RepairStep & { kind: 'finish' }, done: Done): void {
  disk.open(step.path, 'write', (error, file) => {
    if (error !== null || file === null) return done(error);
    const actions: Action[] = [];
    const { mark, missingEndAt, end } = step;
    if (mark > 0) actions.push((next) => rewrite(file, mark, Math.min(end, file.sizeBytes), next));
    if (missingEndAt >= 0)
      actions.push((next) => file.write(missingEndAt, Uint8Array.of(RECORD_END), 0, 1, false, next));
    if (step.isCut) actions.push((next) => file.truncate(end, next));
    actions.push((next) => file.sync(next));
    // Only now: without the mark, a hole that a crash brought back would count as corruption.
    if (mark > 0) actions.push((next) => clearMark(file, next));
    runInTurn(actions, (stepError) => file.close((closeError) => done(stepError ?? closeError)));
  });
}

/** Writes the bytes from `start` to `end` as they are, so that the next sync takes them along whatever the kernel thinks. */
function rewrite(file: DiskFile, start: number, end: number, done: Done): void {
  const bytes = new Uint8Array(Math.min(REWRITE_BYTES, Math.max(0, end - start)));
  const from = (position: number): void => {
    const count = Math.min(bytes.length, end - position);
    if (count <= 0) {
      done(null);
      return;
    }
    file.read(position, bytes, 0, count, (readError, byteCount) => {
      if (readError !== null) return done(readError);
      if (byteCount === 0) return done(null);
      file.write(position, bytes, 0, byteCount, false, (error: DiskError | null) =>
        error === null ? from(position + byteCount) : done(error),
      );
    });
  };
  from(start);
}

const REWRITE_BYTES = 256 * 1024;

function clearMark(file: DiskFile, done: Done): void {
  const bytes = new ByteWriter(MARK_BYTES);
  writeMark(bytes, 0);
  file.write(MARK_OFFSET, bytes.bytes, 0, MARK_BYTES, true, done);
}
