/**
 * What a planted bug is: a collaborator of the server or of the client patched from outside, to see whether the checkers
 * find it. `plant` patches a class and returns how to take that back; `onServer` changes one server's own objects as it is
 * made. The bugs are in mutants.ts and mutants-client.ts.
 */
import type { Server } from '@zoots/core';
import type { DiskManner } from './sim-disk.js';

export interface Mutant {
  readonly name: string;
  /** What is wrong, for people. */
  readonly bug: string;
  readonly disk?: Partial<DiskManner>;
  readonly plant?: () => () => void;
  readonly onServer?: (server: Server) => void;
}

// biome-ignore lint/suspicious/noExplicitAny: methods of any shape are replaced here.
export type AnyMethod = (...args: any[]) => any;

/** Replaces a method of a class; returns the undo. */
export function patch(prototype: object, name: string, make: (original: AnyMethod) => AnyMethod): () => void {
  const holder = prototype as Record<string, AnyMethod>;
  const original = holder[name] as AnyMethod;
  holder[name] = make(original);
  return () => {
    holder[name] = original;
  };
}

/** True once in `every` calls. */
export function oneIn(every: number): () => boolean {
  let count = 0;
  return () => ++count % every === 0;
}
