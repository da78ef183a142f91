/**
 * Bugs planted in the client's session core. Its parts are patched in their classes, taken from the built files; where the core
 * has no part to patch, the simulated process around it does wrong what the core would have done wrong.
 */
import type { ByteWriter } from '@zoots/base';
import { type SessionRequest, type WatchAsk, WatchRegistry } from '@zoots/client/session-core';
import { ERROR, OP } from '@zoots/protocol';
import { CoreProcess } from './core-process.js';
import { CoreRequest } from './core-request.js';
import { type Mutant, oneIn, patch } from './mutant.js';

async function classOf(file: string, name: string): Promise<{ readonly prototype: object }> {
  const url = new URL(`../../client/dist/session-core/${file}`, import.meta.url).href;
  const module = (await import(url)) as Record<string, { readonly prototype: object }>;
  return module[name] as { readonly prototype: object };
}

const Liveness = await classOf('liveness.js', 'Liveness');
const Authentication = await classOf('authentication.js', 'Authentication');
const RequestQueue = await classOf('request-queue.js', 'RequestQueue');

/** Replaces a getter of a class; returns the undo. */
function patchGetter(prototype: object, name: string, make: (original: () => unknown) => () => unknown): () => void {
  const known = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
  Object.defineProperty(prototype, name, { ...known, get: make(known.get as () => unknown) });
  return () => Object.defineProperty(prototype, name, known);
}

interface Queue {
  readonly length: number;
  shift(): SessionRequest | undefined;
  at(index: number): SessionRequest;
}

interface Life {
  onPong(): void;
  readonly silentAtMs: number;
}

export const CLIENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'write-sent-again',
    bug: 'the client sends writes in flight again over the next connection',
    plant: () => patchGetter(CoreRequest.prototype, 'isRepeatable', () => () => true),
  },
  {
    name: 'outcome-embellished',
    bug: 'the client says of every failed request that it was not sent',
    plant: () =>
      patch(
        CoreRequest.prototype,
        'onFailed',
        (original) =>
          function (this: CoreRequest, reason) {
            original.call(this, reason, 'not-sent');
          },
      ),
  },
  {
    name: 'request-forgotten',
    bug: 'one emptied line of requests in 20 loses its last',
    plant: () => {
      const isForgotten = oneIn(20);
      return patch(
        RequestQueue.prototype,
        'drain',
        (original) =>
          function (this: Queue) {
            const all: SessionRequest[] = original.call(this);
            return all.length > 0 && isForgotten() ? all.slice(0, -1) : all;
          },
      );
    },
  },
  {
    name: 'answer-of-another',
    bug: 'the answer to a cancelled request goes to the next one',
    plant: () =>
      patch(
        RequestQueue.prototype,
        'peek',
        (original) =>
          function (this: Queue) {
            const first: SessionRequest | undefined = original.call(this);
            if (first?.stage !== 'abandoned' || this.length < 2) return first;
            this.shift();
            const next = this.at(0);
            next.xid = first.xid;
            return next;
          },
      ),
  },
  {
    name: 'child-watches-forgotten',
    bug: 'the client does not set its child watches again',
    plant: () =>
      patch(
        WatchRegistry.prototype,
        'paths',
        (original) =>
          function (this: WatchRegistry) {
            const lists: readonly (readonly string[])[] = original.call(this);
            return lists.map((paths, i) => (i === 2 ? [] : paths));
          },
      ),
  },
  {
    name: 'wrong-list',
    bug: 'a watch for a znode to come is set again as one of its data',
    plant: () =>
      patch(
        WatchRegistry.prototype,
        'onReply',
        (original) =>
          function (this: WatchRegistry, ask: WatchAsk, code: number) {
            original.call(this, ask, code === ERROR.noNode && ask.listIfMissing !== null ? ERROR.ok : code);
          },
      ),
  },
  {
    name: 'event-told-twice',
    bug: 'one event in 50 is told to its watchers twice',
    plant: () => {
      const isDoubled = oneIn(50);
      return patch(
        WatchRegistry.prototype,
        'dispatch',
        (original) =>
          function (this: WatchRegistry, ...args) {
            const before = this.size;
            original.apply(this, args);
            // Of lasting watches: one-shot ones are gone by now.
            if (before > 0 && isDoubled()) original.apply(this, args);
          },
      );
    },
  },
  {
    name: 'gap-not-told',
    bug: 'persistent watches are not told of a gap',
    plant: () => patch(WatchRegistry.prototype, 'announceGap', () => () => {}),
  },
  {
    name: 'wandering-zxid',
    bug: 'of several setWatches frames the later ones are relative to a later zxid',
    plant: () =>
      patch(
        CoreProcess.prototype,
        'write',
        (original) =>
          function (this: CoreProcess, filled: ByteWriter) {
            moveLaterSetWatches(filled);
            return original.call(this, filled);
          },
      ),
  },
  {
    name: 'zxid-of-events',
    bug: 'an event moves on what the client has seen, though others of the same txn may be on their way',
    plant: () =>
      patch(
        CoreProcess.prototype,
        'onEvent',
        (original) =>
          function (this: CoreProcess, type: number, path: string, zxid: number) {
            original.call(this, type, path, zxid);
            this.core.lastZxid = Math.max(this.core.lastZxid, zxid);
          },
      ),
  },
  {
    name: 'auth-not-repeated',
    bug: 'the client presents its identities on its first connection alone',
    plant: () => {
      const known = new WeakSet<object>();
      return patch(
        Authentication.prototype,
        'sendAll',
        (original) =>
          function (this: object, out: ByteWriter) {
            if (!known.has(this)) original.call(this, out);
            known.add(this);
          },
      );
    },
  },
  {
    name: 'life-from-receipt',
    bug: 'the session is held alive for a timeout after the last answer came',
    plant: () => {
      const timeouts = new WeakMap<object, number>();
      const undoTimeout = patch(
        Liveness.prototype,
        'onEstablished',
        (original) =>
          function (this: object, timeoutMs: number, ...rest) {
            timeouts.set(this, timeoutMs);
            original.call(this, timeoutMs, ...rest);
          },
      );
      const undoLost = patchGetter(
        Liveness.prototype,
        'lostAtMs',
        () =>
          function (this: unknown) {
            const life = this as Life;
            // Two thirds of the timeout after the receipt, and the last third.
            return life.silentAtMs + (timeouts.get(life) ?? 0) / 3;
          },
      );
      return () => {
        undoTimeout();
        undoLost();
      };
    },
  },
  {
    name: 'ping-believed',
    bug: 'a ping counts as heard when it is sent',
    plant: () =>
      patch(
        Liveness.prototype,
        'onPing',
        (original) =>
          function (this: Life, nowMs: number) {
            original.call(this, nowMs);
            this.onPong();
          },
      ),
  },
];

/** Frames: int32 length, int32 xid, int32 op, long relativeZxid. */
function moveLaterSetWatches(filled: ByteWriter): void {
  const view = new DataView(filled.bytes.buffer, filled.bytes.byteOffset, filled.length);
  let isLater = false;
  for (let at = 0; at + 20 <= filled.length; at += 4 + view.getInt32(at)) {
    const op = view.getInt32(at + 8);
    if (op !== OP.setWatches && op !== OP.setWatches2) continue;
    if (isLater) view.setUint32(at + 16, view.getUint32(at + 16) + 1);
    isLater = true;
  }
}
