/**
 * What the application was promised about its watches, whatever connections come and go: everything that a server tells
 * goes to everybody whom it concerns, once; a one-shot watch has fired before a read shows the change; on each new
 * connection the server hears of all that are left, relative to what this client has seen; persistent ones are told that
 * there may be a gap.
 *
 * Which watcher an event concerns is written down here a second time, from the sheet and not from the client's registry.
 * Source: `client-protocol.md` section 8.
 */
import { WATCH_LISTS, type WatchAsk, type Watcher, type WatchList } from '@zoots/client/session-core';
import { ERROR, EVENT } from '@zoots/protocol';
import { type Model, parentOf } from '../model.js';
import type { Request } from '../request.js';
import { fail, hex } from './violation.js';

/** Lists of one-shot watches, and which events end them. */
const ENDED_BY: Readonly<Record<'data' | 'exist' | 'child', readonly number[]>> = {
  data: [EVENT.nodeCreated, EVENT.nodeDeleted, EVENT.nodeDataChanged],
  exist: [EVENT.nodeCreated, EVENT.nodeDeleted, EVENT.nodeDataChanged],
  child: [EVENT.nodeDeleted, EVENT.nodeChildrenChanged],
};
const ONE_SHOT = ['data', 'exist', 'child'] as const;
const LASTING = ['persistent', 'recursive'] as const;

/** What a removeWatches request of each watcher type takes away. */
export const LISTS_OF_TYPE: Readonly<Record<number, readonly WatchList[]>> = {
  1: ['child'],
  2: ['data', 'exist'],
  3: WATCH_LISTS,
  4: ['persistent'],
  5: ['recursive'],
};

export class SimWatcher implements Watcher {
  readonly path: string;
  /** What the read that set it saw: mzxid, or pzxid for children; 0 if there was no znode. */
  seenZxid = 0;
  readonly #watches: ClientWatches;

  constructor(path: string, watches: ClientWatches) {
    this.path = path;
    this.#watches = watches;
  }

  onEvent(type: number, path: string, zxid: number): void {
    this.#watches.onTold(this, `event ${type} ${path} of ${zxid}`, this.#watches.toHear);
    this.#watches.onHeard();
  }

  onGap(path: string): void {
    this.#watches.onTold(this, `the gap of ${path}`, this.#watches.toHearOfGap);
  }

  onRemoved(path: string): void {
    this.#watches.onTold(this, `the removal of ${path}`, this.#watches.toHearOfRemoval);
  }
}

export class ClientWatches {
  /** Watchers that must be told of the event, gap or removal at hand, before anything else happens. */
  readonly toHear = new Set<SimWatcher>();
  readonly toHearOfGap = new Set<SimWatcher>();
  readonly toHearOfRemoval = new Set<SimWatcher>();
  readonly #name: string;
  readonly #model: Model;
  /** Whether every event and every read is permitted: then no change may go unnoticed. */
  readonly #isOpen: boolean;
  readonly #live: Readonly<Record<WatchList, Map<string, Set<SimWatcher>>>> = {
    data: new Map(),
    exist: new Map(),
    child: new Map(),
    persistent: new Map(),
    recursive: new Map(),
  };
  /** Of the connection at hand: what setWatches has still to say, by list. */
  #toSay: Set<string>[] | null = null;
  #relativeZxid = -1;
  /** The application does something from within an event. */
  onHeard: () => void = () => {};

  constructor(name: string, model: Model, isOpen: boolean) {
    this.#name = name;
    this.#model = model;
    this.#isOpen = isOpen;
  }

  // ---- registration ----

  /** A server consented to `ask` at `zxid`. */
  onConsent(ask: WatchAsk, code: number, zxid: number): void {
    const list = code === ERROR.ok ? ask.list : code === ERROR.noNode ? ask.listIfMissing : null;
    if (list === null) return;
    const watcher = ask.watcher as SimWatcher;
    watcher.seenZxid = this.#stateOf(list, ask.path, zxid);
    const watchers = this.#live[list].get(ask.path);
    if (watchers === undefined) this.#live[list].set(ask.path, new Set([watcher]));
    else watchers.add(watcher);
  }

  #stateOf(list: WatchList, path: string, zxid: number): number {
    const node = this.#model.at(path, zxid);
    if (node === undefined) return 0;
    return list === 'child' ? node.pzxid : node.mzxid;
  }

  /** The application takes its watchers back: call before it tells the registry so. */
  onRemoving(type: number, path: string): void {
    for (const list of LISTS_OF_TYPE[type] ?? []) {
      for (const watcher of this.#live[list].get(path) ?? []) this.toHearOfRemoval.add(watcher);
      this.#live[list].delete(path);
    }
  }

  // ---- events ----

  onEvent(type: number, path: string): void {
    this.demandTold();
    for (const list of ONE_SHOT) {
      if (!ENDED_BY[list].includes(type)) continue;
      for (const watcher of this.#live[list].get(path) ?? []) this.toHear.add(watcher);
      this.#live[list].delete(path);
    }
    for (const watcher of this.#live.persistent.get(path) ?? []) this.toHear.add(watcher);
    if (type === EVENT.nodeChildrenChanged) return;
    for (let at = path; ; at = parentOf(at)) {
      for (const watcher of this.#live.recursive.get(at) ?? []) this.toHear.add(watcher);
      if (at === '/') return;
    }
  }

  onTold(watcher: SimWatcher, what: string, due: Set<SimWatcher>): void {
    if (due.delete(watcher)) return;
    fail(
      'client watches',
      `${this.#name}: the watcher of ${watcher.path} was told of ${what}, which is not for it, or again`,
    );
  }

  /** Whoever had to be told has been. */
  demandTold(): void {
    const [left] = [...this.toHear, ...this.toHearOfGap, ...this.toHearOfRemoval];
    if (left === undefined) return;
    const what = this.toHear.size > 0 ? 'an event' : this.toHearOfGap.size > 0 ? 'a gap' : 'its removal';
    fail('client watches', `${this.#name}: the watcher of ${left.path} was not told of ${what}`);
  }

  /** A read of `path` was answered as of `zxid`: whoever watches it must know of every change up to there. */
  onShown(path: string, zxid: number): void {
    if (!this.#isOpen) return;
    for (const list of ONE_SHOT) {
      const watchers = this.#live[list].get(path);
      if (watchers === undefined) continue;
      const now = this.#stateOf(list, path, zxid);
      for (const { seenZxid } of watchers) {
        if (seenZxid === now) continue;
        fail(
          'client watches',
          `${this.#name}: a reply as of ${hex(zxid)} shows ${path} as of ${hex(now)}; its ${list} watch saw ${hex(seenZxid)} and has not fired`,
        );
      }
    }
  }

  /** Everything up to `zxid` has come: the same of every path. */
  demandNothingMissed(zxid: number): void {
    const paths = new Set(ONE_SHOT.flatMap((list) => [...this.#live[list].keys()]));
    for (const path of paths) this.onShown(path, zxid);
  }

  // ---- reconnects ----

  /** A server accepted the session: it must hear of every watch, and whoever watches for long, of the gap. */
  onAccepted(): void {
    const lists = WATCH_LISTS.map((list) => new Set(this.#live[list].keys()));
    this.#toSay = lists.some((list) => list.size > 0) ? lists : null;
    this.#relativeZxid = -1;
    for (const list of LASTING) {
      for (const watchers of this.#live[list].values()) for (const one of watchers) this.toHearOfGap.add(one);
    }
  }

  onDisconnected(): void {
    this.#toSay = null;
    // The next connection makes another gap.
    this.toHearOfGap.clear();
  }

  /** `deliveredZxid`, `lastZxid`: of the newest reply that the application saw, and that came. */
  onSetWatches(request: Request, deliveredZxid: number, lastZxid: number): void {
    const { relativeZxid } = request;
    if (relativeZxid < deliveredZxid || relativeZxid > lastZxid) {
      fail(
        'client watches',
        `${this.#name}: setWatches is relative to ${hex(relativeZxid)}, the last reply to ${hex(lastZxid)}`,
      );
    }
    if (this.#relativeZxid !== -1 && this.#relativeZxid !== relativeZxid) {
      fail('client watches', `${this.#name}: setWatches frames of one connection are relative to different zxids`);
    }
    this.#relativeZxid = relativeZxid;
    request.lists.forEach((paths, i) => {
      for (const path of paths) {
        if (this.#toSay?.[i]?.delete(path) === true) continue;
        fail(
          'client watches',
          `${this.#name}: setWatches sets the ${WATCH_LISTS[i]} watch of ${path}, which nobody has`,
        );
      }
    });
  }

  /** Something else is sent: setWatches must have said everything. */
  demandSaid(): void {
    const toSay = this.#toSay;
    if (toSay === null) return;
    this.#toSay = null;
    toSay.forEach((paths, i) => {
      for (const path of paths)
        fail('client watches', `${this.#name}: the ${WATCH_LISTS[i]} watch of ${path} is not set again`);
    });
  }
}
