/**
 * Which module of a command is loaded: `npm run build` also puts all of `zoots server` into a few files (`scripts/bundle.ts`),
 * which takes a third off the time to its first reply (decision 0016). They are used only while they are newer than every build of
 * the packages in them, so that whoever compiles one package runs what he compiled.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Those whose modules `zoots server` imports. */
export const bundledPackages: readonly string[] = ['base', 'protocol', 'storage', 'core', 'server', 'cli'];

/** The file to import, below `dist`, the directory of this package's built modules. */
export function moduleOf(command: string, dist: string): string {
  const bundle = `${command}.bundle.js`;
  const builtMs = modifiedMs(join(dist, bundle));
  // Compiled packages have this file in a checkout; installed ones come without it, and with a bundle of their own version.
  const isCurrent = (name: string): boolean => modifiedMs(join(dist, '../..', name, 'dist/lib.tsbuildinfo')) <= builtMs;
  return builtMs > 0 && bundledPackages.every(isCurrent) ? bundle : `commands/${command}.js`;
}

/** 0 if there is no such file. */
function modifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
