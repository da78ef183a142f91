/**
 * Bugs planted in the server, and all there are. The simulator's own code knows nothing of them but the disk's manners.
 *
 * docs/simulation.md has the table of how many seeds each took to find; mutants.test.ts demands that it stays so.
 */
import { Ephemerals, S, SessionTable, Tree, WatchTable } from '@zoots/core';
import { type Mutant, oneIn, patch } from './mutant.js';
import { CLIENT_MUTANTS } from './mutants-client.js';

/** The core keeps its overlay to itself; its class is taken from the built file. */
const overlayFile = new URL('../../core/dist/request/outstanding.js', import.meta.url).href;
const { Overlay } = (await import(overlayFile)) as { Overlay: { prototype: object } };

export const MUTANTS: readonly Mutant[] = [
  { name: 'lying-sync', bug: 'syncs are acknowledged and not done', disk: { liesAboutSync: true } },
  {
    name: 'lying-directory',
    bug: 'directory syncs are acknowledged and not done',
    disk: { liesAboutDirectories: true },
  },
  { name: 'early-acknowledgement', bug: 'replies go out before the batch is synced', disk: { acksBeforeSync: true } },
  {
    name: 'dropped-txn',
    bug: 'one setData in 200 is not applied',
    plant: () => {
      const isDropped = oneIn(200);
      return patch(
        Tree.prototype,
        'setData',
        (original) =>
          function (this: Tree, ...args) {
            if (!isDropped()) original.apply(this, args);
          },
      );
    },
  },
  {
    name: 'late-event',
    bug: 'the event of a setData is sent behind the reply',
    onServer: (server) => {
      const late: (() => void)[] = [];
      const { watches } = server;
      const fire = watches.onDataChanged.bind(watches);
      watches.onDataChanged = (id, zxid) => {
        late.push(() => fire(id, zxid));
      };
      const takeDirty = server.takeDirty.bind(server);
      server.takeDirty = () => {
        for (const one of late.splice(0)) one();
        return takeDirty();
      };
    },
  },
  {
    name: 'lost-event',
    bug: 'one deletion in 50 fires no watch',
    plant: () => {
      const isLost = oneIn(50);
      return patch(
        WatchTable.prototype,
        'onDeleting',
        (original) =>
          function (this: WatchTable, ...args) {
            if (!isLost()) original.apply(this, args);
          },
      );
    },
  },
  {
    name: 'immortal-sessions',
    bug: 'sessions never expire',
    plant: () => {
      const known = Object.getOwnPropertyDescriptor(SessionTable.prototype, 'nextExpiryMs') as PropertyDescriptor;
      Object.defineProperty(SessionTable.prototype, 'nextExpiryMs', { get: () => Infinity, configurable: true });
      return () => Object.defineProperty(SessionTable.prototype, 'nextExpiryMs', known);
    },
  },
  {
    name: 'hasty-expiry',
    bug: 'sessions expire at half their timeout',
    plant: () =>
      patch(
        SessionTable.prototype,
        'touch',
        (original) =>
          function (this: SessionTable, session, nowMs) {
            return original.call(this, session, nowMs - session.timeoutMs / 2);
          },
      ),
  },
  {
    name: 'ephemeral-left-behind',
    bug: 'a session that has several ephemerals forgets the last of them',
    plant: () =>
      patch(
        Ephemerals.prototype,
        'of',
        (original) =>
          function (this: Ephemerals, high, low) {
            const ids = [...original.call(this, high, low)];
            return new Set(ids.length > 1 ? ids.slice(0, -1) : ids);
          },
      ),
  },
  {
    name: 'overlay-leak',
    bug: 'one outstanding-change record in 100 is never released',
    plant: () => {
      const isKept = oneIn(100);
      return patch(
        Overlay.prototype,
        'release',
        (original) =>
          function (this: unknown, ...args) {
            if (!isKept()) original.apply(this, args);
          },
      );
    },
  },
  {
    name: 'stale-version-check',
    bug: 'versions are checked against the tree without what is in flight',
    plant: () =>
      patch(
        Overlay.prototype,
        'stat',
        (original) =>
          function (this: { record(id: number): unknown }, id, field) {
            const value = original.call(this, id, field);
            return field === S.version && this.record(id) !== undefined && value > 0 ? value - 1 : value;
          },
      ),
  },
  {
    name: 'quota-ignored',
    bug: 'hard quotas are not enforced',
    onServer: (server) => {
      server.tree.quotas.check = () => 0;
    },
  },
  {
    name: 'acl-ignored',
    bug: 'everybody may do everything',
    onServer: (server) => {
      server.aclChecker.permits = () => true;
    },
  },
  {
    name: 'blurred-snapshot',
    bug: 'rows that change while a snapshot runs are written as they are then',
    onServer: (server) => {
      let listener: Tree['listener'] = null;
      Object.defineProperty(server.tree, 'listener', {
        get: () => listener,
        set: (value: Tree['listener']) => {
          listener = value === null ? null : { beforeChange: () => {}, afterCreate: () => {} };
        },
      });
    },
  },
  {
    name: 'stale-reply-zxid',
    bug: 'reads are answered with the zxid before the last',
    onServer: (server) => {
      server.lastZxid = () => Math.max(0, server.tree.lastProcessedZxid - 1);
    },
  },
  ...CLIENT_MUTANTS,
];
