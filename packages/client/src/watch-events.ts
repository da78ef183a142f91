/** From the core's watchers to the application's listeners. */
import { EVENT } from '@zoots/protocol';
import { stripBase } from './paths.js';
import type { Watcher } from './session-core/index.js';
import { throwLater } from './throw-later.js';
import type { WatchEvent, WatchEventType, WatchListener } from './types.js';

const TYPES: Readonly<Record<number, WatchEventType>> = {
  [EVENT.nodeCreated]: 'created',
  [EVENT.nodeDeleted]: 'deleted',
  [EVENT.nodeDataChanged]: 'changed',
  [EVENT.nodeChildrenChanged]: 'children',
};

/** An event of a type that no server of today sends reads as a gap: look again. */
export function watchEvent(type: number, path: string, zxid: number): WatchEvent {
  return { type: TYPES[type] ?? 'gap', path, zxid: zxid > 0 ? zxid : null };
}

/** An exception of a listener is the application's: it must not disturb the session. */
export function tell(listener: WatchListener, event: WatchEvent): void {
  try {
    listener(event);
  } catch (error) {
    throwLater(error);
  }
}

/** The watcher behind `get(path, { watch })`. */
export class OneShotWatcher implements Watcher {
  readonly #listener: WatchListener;
  readonly #base: string;

  constructor(listener: WatchListener, base: string) {
    this.#listener = listener;
    this.#base = base;
  }

  onEvent(type: number, path: string, zxid: number): void {
    tell(this.#listener, watchEvent(type, stripBase(this.#base, path), zxid));
  }

  onGap(): void {}

  onRemoved(): void {}
}
