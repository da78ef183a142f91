/** What the texts of four letter words are made from, and how Java prints the numbers in them. */
import type { Server } from '@zoots/core';
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
