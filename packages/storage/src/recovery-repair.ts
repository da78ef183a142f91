/**
 * What recovery may change on disk, and how: done only after everything has been found good, and durable before the server
 * goes on. Each step can be repeated after a crash in the middle of it.
 */
import { ByteWriter } from '@zoots/base';
import type { Disk, DiskError, DiskFile, Done } from './disk.js';
import { parentPath } from './file-names.js';
import { MARK_BYTES, MARK_OFFSET, RECORD_END, writeMark } from './txn-log-format.js';

export type RepairStep =
  /** Cut a log behind its last good record. */
  | { readonly kind: 'cut'; readonly path: string; readonly sizeBytes: number }
  /** Write the end byte that the last record lacks. */
  | { readonly kind: 'end-byte'; readonly path: string; readonly offset: number }
  /** Clear the durable mark of a file whose writer did not finish it. */
  | { readonly kind: 'clear-mark'; readonly path: string }
  | { readonly kind: 'remove'; readonly path: string };

/** Carries out the steps one after another, then syncs the directories from which files were removed. */
export function repair(disk: Disk, steps: readonly RepairStep[], done: Done): void {
  const directories = new Set<string>();
  for (const step of steps) if (step.kind === 'remove') directories.add(parentPath(step.path));
  const actions = steps.map((step) => (next: Done) => carryOut(disk, step, next));
  for (const directory of directories) actions.push((next) => disk.syncDirectory(directory, next));
  runInTurn(actions, done);
}

function runInTurn(actions: readonly ((next: Done) => void)[], done: Done): void {
  const runFrom = (index: number): void => {
    const action = actions[index];
    if (action === undefined) done(null);
    else action((error) => (error === null ? runFrom(index + 1) : done(error)));
  };
  runFrom(0);
}

function carryOut(disk: Disk, step: RepairStep, done: Done): void {
  if (step.kind === 'remove') {
    disk.remove(step.path, done);
    return;
  }
  disk.open(step.path, 'write', (error, file) => {
    if (error !== null || file === null) return done(error);
    change(file, step, (changeError) => file.close((closeError) => done(changeError ?? closeError)));
  });
}

function change(file: DiskFile, step: RepairStep, done: Done): void {
  const syncThen = (error: DiskError | null): void => (error === null ? file.sync(done) : done(error));
  if (step.kind === 'cut') {
    // The mark goes first: a file that is cut below its mark would look as if durable records had vanished.
    clearMark(file, (error) => (error === null ? file.truncate(step.sizeBytes, syncThen) : done(error)));
  } else if (step.kind === 'end-byte') {
    file.write(step.offset, Uint8Array.of(RECORD_END), 0, 1, true, done);
  } else clearMark(file, done);
}

function clearMark(file: DiskFile, done: Done): void {
  const bytes = new ByteWriter(MARK_BYTES);
  writeMark(bytes, 0);
  file.write(MARK_OFFSET, bytes.bytes, 0, MARK_BYTES, true, done);
}
