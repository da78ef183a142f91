/**
 * Writes a snapshot while the server goes on: the caller walks the tree in slices and appends node records to `out`; full
 * blocks go to the disk one after another.
 *
 * The file grows under a temporary name. `finish` seals it, syncs it, renames it, and syncs the directory: a crash leaves
 * either no snapshot or a whole one. An error on the way is kept and reported by `finish`; the caller may look at `error`
 * to stop its walk early. See `snapshot-format.ts` for the bytes.
 */
import { adler32, assert } from '@zoots/base';
import { type Codec, compressorFor, type GzipPort, NO_GZIP } from './compression.js';
import type { Disk, DiskError, DiskFile, Done } from './disk.js';
import { joinPath, type SnapshotCompression, snapshotName, snapshotTemporaryName } from './file-names.js';
import { DIGEST_VERSION, writeSeal, writeSlash, writeSnapshotHeader } from './snapshot-format.js';
import { SnapshotSections } from './snapshot-sections.js';

export interface SnapshotWriterOptions {
  readonly directory: string;
  readonly compression: SnapshotCompression;
  /** Needed for `gz` only. */
  readonly gzip: GzipPort | null;
  /** Write section 7, the digest. */
  readonly hasDigest: boolean;
  /** Write section 8, the zxid. Only together with the digest: a reader cannot tell 8 without 7. */
  readonly hasZxidTrailer: boolean;
}

/** `out` is handed over when it holds this much. */
const BLOCK_BYTES = 256 * 1024;
/** A block may grow past its size by a record; most fit without a new buffer. */
const BLOCK_ROOM_BYTES = BLOCK_BYTES + 64 * 1024;
/** The first block grows, so that the snapshot of a small tree costs little. */
const FIRST_ROOM_BYTES = 16 * 1024;

/**
 * After so much the file is synced. Were a large tree left to the sync at its end, the log's own syncs would wait behind all of it.
 * While a million znodes were written, the slowest of a thousand sets took 70 ms so instead of 105 (medians, on a busy machine).
 */
const SYNC_INTERVAL_BYTES = 8 * 1024 * 1024;

const NO_ROOM = new Uint8Array(0);

interface Block {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly isLast: boolean;
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export class SnapshotWriter extends SnapshotSections {
  /** Name of the finished file, without directory. */
  readonly name: string;
  /** Set by the first failure; the snapshot then cannot be finished. */
  error: DiskError | null = null;
  /** Bytes handed over and not yet written. The caller pauses its walk while this is above a bound of its own. */
  backlogBytes = 0;

  readonly #disk: Disk;
  readonly #options: SnapshotWriterOptions;
  readonly #zxid: number;
  readonly #temporaryPath: string;
  readonly #codec: Codec | null;
  #file: DiskFile | null = null;
  #checksum = 1;
  /** How much of `out` is in the checksum. */
  #checkedBytes = 0;
  /** Handed over and waiting, in order. */
  readonly #blocks: Block[] = [];
  /** The block whose content is being packed and written. */
  #current: Block | null = null;
  /** Output of the codec on its way to the file, in order. */
  readonly #packed: Piece[] = [];
  /**
   * Buffers of written blocks, for the next ones. A fresh one for each would be a whole snapshot's worth of memory to fetch from
   * the system and to give back, and the collector would stop the server for it again and again.
   */
  readonly #spares: Uint8Array[] = [];
  #position = 0;
  #syncedBytes = 0;
  /** The file is being opened, or a block packed, or a piece written. */
  #isBusy = true;
  #isSealed = false;
  #isAborted = false;
  #done: Done | null = null;

  constructor(disk: Disk, options: SnapshotWriterOptions, zxid: number) {
    super(FIRST_ROOM_BYTES);
    this.#disk = disk;
    this.#options = options;
    this.#zxid = zxid;
    this.name = snapshotName(zxid, options.compression);
    this.#temporaryPath = joinPath(options.directory, snapshotTemporaryName(zxid, options.compression));
    this.#codec = compressorFor(options.compression, options.gzip, (bytes, start, end) =>
      this.#packed.push({ bytes, start, end }),
    );
    writeSnapshotHeader(this.out);
    disk.open(this.#temporaryPath, 'create', (error, file) => {
      this.#file = file;
      this.#isBusy = false;
      if (this.#codec === null) this.#fail(NO_GZIP);
      this.error ??= error;
      this.#next();
    });
  }

  /** Hands what is in `out` to the disk when enough has gathered. Call after each slice. */
  pump(): void {
    if (this.out.length >= BLOCK_BYTES) this.#handOver(false);
  }

  /**
   * Ends the nodes, seals the file, and makes it durable under its name. The digest is that of the tree as of `digestZxid`
   * (0, 0, 0 = none known).
   */
  finish(digestZxid: number, digestHigh: number, digestLow: number, done: Done): void {
    assert(!this.#isSealed && !this.#isAborted, 'the snapshot is finished already');
    this.#isSealed = true;
    this.#done = done;
    writeSlash(this.out);
    this.#seal();
    if (this.#options.hasDigest) {
      this.out.long(digestZxid);
      this.out.int32(DIGEST_VERSION);
      this.out.longPair(digestHigh, digestLow);
      this.#seal();
      if (this.#options.hasZxidTrailer) {
        this.out.long(this.#zxid);
        this.#seal();
      }
    }
    this.#handOver(true);
  }

  /** Gives the snapshot up and removes the temporary file. */
  abort(done: Done): void {
    assert(!this.#isSealed && !this.#isAborted, 'a finished snapshot cannot be aborted');
    this.#isAborted = true;
    this.#done = done;
    this.#next();
  }

  #seal(): void {
    writeSeal(this.out, this.#updateChecksum());
  }

  #updateChecksum(): number {
    this.#checksum = adler32(this.out.view, this.#checkedBytes, this.out.length, this.#checksum);
    this.#checkedBytes = this.out.length;
    return this.#checksum;
  }

  /** Takes the buffer out of `out` and gives it another one: nothing is copied. */
  #handOver(isLast: boolean): void {
    const out = this.out;
    this.#updateChecksum();
    this.#blocks.push({ bytes: out.bytes, length: out.length, isLast });
    this.backlogBytes += out.length;
    out.bytes = isLast ? NO_ROOM : (this.#spares.pop() ?? new Uint8Array(BLOCK_ROOM_BYTES));
    out.view = new DataView(out.bytes.buffer);
    out.length = 0;
    this.#checkedBytes = 0;
    this.#next();
  }

  /** Does what comes next, unless something is under way: write a piece, pack a block, or end. */
  #next(): void {
    if (this.#isBusy) return;
    const piece = this.#packed[0];
    if (this.error !== null || this.#isAborted) this.#giveUp();
    else if (piece !== undefined) this.#write(piece);
    else if (this.#current !== null) this.#release(this.#current);
    else this.#pack();
  }

  #write(piece: Piece): void {
    this.#isBusy = true;
    (this.#file as DiskFile).write(this.#position, piece.bytes, piece.start, piece.end, false, (error) => {
      this.#isBusy = false;
      this.error ??= error;
      this.#position += piece.end - piece.start;
      this.#packed.shift();
      if (this.error === null && this.#position - this.#syncedBytes >= SYNC_INTERVAL_BYTES) this.#syncSoFar();
      else this.#next();
    });
  }

  #syncSoFar(): void {
    this.#isBusy = true;
    this.#syncedBytes = this.#position;
    (this.#file as DiskFile).sync((error) => {
      this.#isBusy = false;
      this.error ??= error;
      this.#next();
    });
  }

  /** The block is written: its buffer is free, and if it was the last, so is the file. */
  #release(block: Block): void {
    this.#current = null;
    this.backlogBytes -= block.length;
    if (block.bytes.length === BLOCK_ROOM_BYTES) this.#spares.push(block.bytes);
    if (block.isLast) this.#complete();
    else this.#next();
  }

  #pack(): void {
    const block = this.#blocks.shift();
    if (block === undefined) return;
    this.#current = block;
    this.#isBusy = true;
    (this.#codec as Codec).push(block.bytes, 0, block.length, block.isLast, (error) => {
      this.#isBusy = false;
      if (error !== null) this.#fail(error);
      this.#next();
    });
  }

  /** Sync, close, rename, sync the directory: in this order, or a crash could leave a name without content. */
  #complete(): void {
    const file = this.#file as DiskFile;
    const { directory } = this.#options;
    this.#isBusy = true;
    const ended = (error: DiskError | null): void => {
      this.#isBusy = false;
      this.error ??= error;
      this.#codec?.close();
      (this.#done as Done)(error);
    };
    file.sync((syncError) => {
      if (syncError !== null) {
        this.#isBusy = false;
        this.error = syncError;
        this.#giveUp();
        return;
      }
      file.close((closeError) => {
        if (closeError !== null) return ended(closeError);
        this.#disk.rename(this.#temporaryPath, joinPath(directory, this.name), (error) => {
          if (error !== null) ended(error);
          else this.#disk.syncDirectory(directory, ended);
        });
      });
    });
  }

  /** After an error or an abort: lets go of everything, and removes the file once the caller has said so. */
  #giveUp(): void {
    this.#blocks.length = 0;
    this.#packed.length = 0;
    this.#current = null;
    this.backlogBytes = 0;
    const done = this.#done;
    if (done === null) return;
    this.#done = null;
    this.#isBusy = true;
    this.#codec?.close();
    const remove = (): void => this.#disk.remove(this.#temporaryPath, () => done(this.error));
    if (this.#file === null) remove();
    else this.#file.close(remove);
  }

  #fail(message: string): void {
    this.error ??= { code: 'io', path: this.#temporaryPath, message };
  }
}
