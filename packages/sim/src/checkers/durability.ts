/**
 * R1: nothing is told to a client before it is on the platter. Keeps the records that the log was asked to write until the
 * durable image has their bytes under a durable name; whatever leaves the server must not speak of a later zxid.
 *
 * After a restart the same question is asked of what was recovered: a server that serves what only the page cache has
 * (left there by a killed process) tells clients of writes that a power cut can still take away.
 */
import type { DiskImage, Inode } from '../disk-image.js';
import type { TapRecord } from './log-tap.js';
import { fail, hex } from './violation.js';

interface Unproven {
  readonly zxid: number;
  readonly path: string;
  /** The file itself: names may go away. */
  readonly inode: Inode | undefined;
  readonly start: number;
  readonly end: number;
}

export class DurabilityChecker {
  /** Everything up to here is on the platter. */
  durableZxid = 0;
  /** The highest zxid any client-bound byte has spoken of. */
  toldZxid = 0;
  readonly #image: DiskImage;
  readonly #isPromised: boolean;
  #unproven: Unproven[] = [];

  /** `isPromised` false: forceSync is off, only the process may die. */
  constructor(image: DiskImage, isPromised: boolean) {
    this.#image = image;
    this.#isPromised = isPromised;
  }

  onLogged(path: string, record: TapRecord): void {
    const inode = this.#image.names.get(path);
    this.#unproven.push({ zxid: record.zxid, path, inode, start: record.start, end: record.end });
  }

  onSynced(): void {
    let proven = 0;
    for (const one of this.#unproven) {
      if (one.inode === undefined || !one.inode.isDurable(one.start, one.end)) break;
      // The name counts too; a file that retention removed has done its duty.
      if (this.#image.names.get(one.path) === one.inode && !this.#image.isNameDurable(one.path)) break;
      this.durableZxid = one.zxid;
      proven++;
    }
    if (proven > 0) this.#unproven.splice(0, proven);
  }

  onTold(zxid: number, what: string): void {
    if (zxid <= this.toldZxid) return;
    this.toldZxid = zxid;
    if (this.#isPromised && zxid > this.durableZxid) {
      fail('durability', `${what} speaks of ${hex(zxid)}, but only ${hex(this.durableZxid)} is on the platter`);
    }
  }

  /** A server has recovered up to `zxid`. */
  onRecovered(zxid: number, loggedZxid: number): void {
    if (zxid < this.toldZxid) {
      fail(
        'durability',
        `recovered ${hex(zxid)}, but clients were told of ${hex(this.toldZxid)}: acknowledged writes are lost`,
      );
    }
    if (zxid > loggedZxid)
      fail('durability', `recovered ${hex(zxid)}, but nothing above ${hex(loggedZxid)} was ever logged`);
    this.#unproven = this.#unproven.filter((one) => one.zxid <= zxid);
    this.onSynced();
  }
}
