/**
 * What one connection must be told, and when. Holds the connection's watches as the server should have them, goes through
 * the model's txns in step with the replies, and compares every notification with what is due.
 *
 * The rule that makes this exact: a reply that says zxid z comes after every event of txns up to z and before every event of
 * later ones. So no event may be missing when a reply comes, none may come early, and none twice.
 * Source: `semantics.md` section 7.
 */
import { EVENT, type Id } from '@zoots/protocol';
import { type Model, type ModelEvent, parentOf } from '../model.js';
import { permits } from '../model-acl.js';
import type { Request } from '../request.js';
import { fail, hex } from './violation.js';

const STANDARD = 1;
const PERSISTENT = 2;
const RECURSIVE = 4;
const READ = 1;

interface Due {
  readonly zxid: number;
  readonly type: number;
  readonly path: string;
}

export class WatchView {
  readonly name: string;
  /** Events of txns up to here are accounted for. */
  position: number;
  identities: readonly Id[] = [];
  readonly #model: Model;
  readonly data = new Map<string, number>();
  readonly child = new Map<string, number>();
  /** Of the one-shot data watches, those that wait for a znode to come. */
  readonly waitsForCreation = new Set<string>();
  #due: Due[] = [];
  /** Events without a zxid, which belong to the setWatches that will be answered next. */
  #rearmed: Due[] = [];
  notificationCount = 0;

  constructor(name: string, model: Model, zxid: number) {
    this.name = name;
    this.#model = model;
    this.position = zxid;
  }

  get hasWatches(): boolean {
    return this.data.size > 0 || this.child.size > 0;
  }

  // ---- frames ----

  onNotification(zxid: number, type: number, path: string): void {
    this.notificationCount++;
    if (zxid === -1) {
      this.#rearmed.push({ zxid, type, path });
      return;
    }
    while (this.#due.length === 0 && this.position < zxid) this.#advance(zxid);
    const due = this.#due.shift();
    if (due !== undefined && due.zxid === zxid && due.type === type && due.path === path) return;
    const instead = due === undefined ? 'nothing was due' : `due was ${describe(due)}`;
    fail('watches', `${this.name} got ${describe({ zxid, type, path })}; ${instead}`);
  }

  /** Any reply that carries a zxid. */
  onReply(zxid: number): void {
    if (zxid < this.position) {
      fail('watches', `${this.name} got a reply of ${hex(zxid)} after an event or reply of ${hex(this.position)}`);
    }
    if (!this.hasWatches && this.#due.length === 0) {
      if (zxid > this.position) this.position = zxid;
    } else while (this.position < zxid) this.#advance(zxid);
    const missing = this.#due[0];
    if (missing !== undefined) {
      fail('watches', `${this.name} got a reply of ${hex(zxid)} before the event ${describe(missing)}`);
    }
  }

  /** To the next txn, or to the limit if there is none up to it. */
  #advance(limitZxid: number): void {
    const next = this.#model.txnAfter(this.position);
    if (next === undefined || next.zxid > limitZxid) {
      this.position = limitZxid;
      return;
    }
    this.position = next.zxid;
    for (const event of next.events) this.#fire(event, this.position);
  }

  #fire(event: ModelEvent, zxid: number): void {
    const { type, path } = event;
    let isHit = false;
    if (type === EVENT.nodeChildrenChanged) isHit = this.#spend(this.child, path);
    else {
      isHit = this.#spend(this.data, path) || this.#isBelowRecursive(path);
      if (type === EVENT.nodeDeleted) isHit = this.#spend(this.child, path) || isHit;
    }
    if (isHit && permits(event.acls, READ, this.identities)) this.#due.push({ zxid, type, path });
  }

  /** Is there a watch at the path? One-shot ones are gone afterwards. */
  #spend(table: Map<string, number>, path: string): boolean {
    const modes = table.get(path);
    if (modes === undefined) return false;
    if (table === this.data) this.waitsForCreation.delete(path);
    set(table, path, modes & ~STANDARD);
    return true;
  }

  #isBelowRecursive(path: string): boolean {
    for (let at = path; ; at = parentOf(at)) {
      if (((this.data.get(at) ?? 0) & RECURSIVE) !== 0) return true;
      if (at === '/') return false;
    }
  }

  // ---- registration ----

  watchData(path: string, waitsForCreation: boolean): void {
    this.data.set(path, (this.data.get(path) ?? 0) | STANDARD);
    if (waitsForCreation) this.waitsForCreation.add(path);
    else this.waitsForCreation.delete(path);
  }

  watchChildren(path: string): void {
    this.child.set(path, (this.child.get(path) ?? 0) | STANDARD);
  }

  addWatch(path: string, mode: number): void {
    const bits = mode === 1 ? RECURSIVE : PERSISTENT;
    this.data.set(path, (this.data.get(path) ?? 0) | bits);
    if (mode === 0) this.child.set(path, (this.child.get(path) ?? 0) | bits);
  }

  /** Types: 1 children, 2 data, 3 any, 4 persistent, 5 persistent recursive. */
  has(path: string, type: number): boolean {
    const data = this.data.get(path) ?? 0;
    const child = this.child.get(path) ?? 0;
    if (type === 1) return (child & STANDARD) !== 0;
    if (type === 2) return (data & STANDARD) !== 0;
    if (type === 4) return ((data | child) & PERSISTENT) !== 0;
    if (type === 5) return (data & RECURSIVE) !== 0;
    return (data | child) !== 0;
  }

  remove(path: string, type: number): boolean {
    if (!this.has(path, type)) return false;
    const data = this.data.get(path) ?? 0;
    const child = this.child.get(path) ?? 0;
    if (type === 2 || type === 3) this.waitsForCreation.delete(path);
    set(this.data, path, type === 3 ? 0 : data & ~(REMOVED_FROM_DATA[type] ?? 0));
    set(this.child, path, type === 3 ? 0 : child & ~(REMOVED_FROM_CHILD[type] ?? 0));
    return true;
  }

  /** The lists with which a client sets its watches again on another connection. */
  lists(): readonly string[][] {
    const having = (table: Map<string, number>, mode: number): string[] =>
      [...table].filter(([, modes]) => (modes & mode) !== 0).map(([path]) => path);
    const data = having(this.data, STANDARD);
    return [
      data.filter((path) => !this.waitsForCreation.has(path)),
      data.filter((path) => this.waitsForCreation.has(path)),
      having(this.child, STANDARD),
      having(this.child, PERSISTENT),
      having(this.data, RECURSIVE),
    ];
  }

  /** setWatches was answered at `zxid`: the events that came before the answer must be these, and the rest is registered. */
  onSetWatches(request: Request, zxid: number): void {
    const { relativeZxid } = request;
    const due: Due[] = [];
    const [data = [], exist = [], child = [], persistent = [], recursive = []] = request.lists;
    const add = (type: number, path: string): number => due.push({ zxid: -1, type, path });
    for (const path of data) {
      const node = this.#model.at(path, zxid);
      if (node === undefined) add(EVENT.nodeDeleted, path);
      else if (node.mzxid > relativeZxid) add(EVENT.nodeDataChanged, path);
      else this.watchData(path, false);
    }
    for (const path of exist) {
      if (this.#model.at(path, zxid) !== undefined) add(EVENT.nodeCreated, path);
      else this.watchData(path, true);
    }
    for (const path of child) {
      const node = this.#model.at(path, zxid);
      if (node === undefined) add(EVENT.nodeDeleted, path);
      else if (node.pzxid > relativeZxid) add(EVENT.nodeChildrenChanged, path);
      else this.watchChildren(path);
    }
    for (const path of persistent) this.addWatch(path, 0);
    for (const path of recursive) this.addWatch(path, 1);
    const got = this.#rearmed;
    this.#rearmed = [];
    const isEqual = got.length === due.length && got.every((one, i) => describe(one) === describe(due[i] as Due));
    if (!isEqual) {
      const text = (list: Due[]): string => `[${list.map(describe).join(', ')}]`;
      fail(
        'watches',
        `${this.name}: setWatches at ${hex(zxid)} since ${hex(relativeZxid)} fired ${text(got)}, not ${text(due)}`,
      );
    }
  }
}

const REMOVED_FROM_DATA: Readonly<Record<number, number>> = { 2: STANDARD, 4: PERSISTENT, 5: RECURSIVE };
const REMOVED_FROM_CHILD: Readonly<Record<number, number>> = { 1: STANDARD, 4: PERSISTENT };
const EVENT_NAMES = ['', 'created', 'deleted', 'changed', 'children changed'];

function set(table: Map<string, number>, path: string, modes: number): void {
  if (modes === 0) table.delete(path);
  else table.set(path, modes);
}

function describe(due: Due): string {
  return `"${EVENT_NAMES[due.type] ?? due.type} ${due.path}" of ${due.zxid === -1 ? 'setWatches' : hex(due.zxid)}`;
}
