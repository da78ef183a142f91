/** Bugs planted in the disk, and in what the server makes of its answers; for several scenarios. */
import { patch } from '../../mutant.js';
import { SimDisk } from '../../sim-disk.js';

/** Snapshots that a truncation sets aside stay where the next start finds them. */
export const keepsNewerSnapshots = (): (() => void) =>
  patch(SimDisk.prototype, 'rename', (original) => {
    return function (this: SimDisk, from: string, to: string, done: (error: null) => void) {
      if (to.includes('undone')) this.list('/', () => done(null));
      else original.call(this, from, to, done);
    };
  });

/** Errors of writes to the log reach nobody. */
export function swallowWriteErrors(): () => void {
  type Write = (at: number, bytes: Uint8Array, start: number, end: number, sync: boolean, done: Ended) => void;
  type Ended = (error: unknown) => void;
  return patch(SimDisk.prototype, 'open', (original) => {
    return function (
      this: SimDisk,
      path: string,
      mode: string,
      done: (error: unknown, file: { write: Write } | null) => void,
    ) {
      original.call(this, path, mode, (error: unknown, file: { write: Write } | null) => {
        if (file !== null && path.includes('/log.')) {
          const write = file.write.bind(file);
          file.write = (at, bytes, start, end, sync, then) => write(at, bytes, start, end, sync, () => then(null));
        }
        done(error, file);
      });
    };
  });
}
