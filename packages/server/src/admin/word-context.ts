/** What the texts of four letter words are made from, and how Java prints the numbers in them. */
import { F, type Server } from '@zoots/core';
import type { ServerConfig } from '../config/server-config.js';

export interface WordContext {
  readonly server: Server;
  readonly config: ServerConfig;
  /** The port that is really bound. */
  readonly clientPort: number;
  readonly startedMs: number;
}

/** A Java double: at most four decimals, at least one. */
export function javaDouble(value: number): string {
  const rounded = Math.round(value * 10_000) / 10_000;
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
}

/** As it stands before a port. */
export function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** Of the znode with this id. */
export function pathOf(server: Server, id: number): string {
  const { store } = server.tree;
  const start = store.pathStart(id);
  return Buffer.from(store.pathChunk(id).subarray(start, start + store.get(id, F.pathLength))).toString('utf8');
}
