/**
 * `npm run build` also puts all of `zoots server` into one file, and what the engine has compiled of it into another
 * (`scripts/bundle.ts`), which nearly halves the time to its first reply (decision 0016). They are used only while they are newer than every
 * build of the packages in them, so that whoever compiles one package runs what he compiled.
 */
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** A command's module. */
export interface CommandModule {
  /** The words behind the command's name; resolves with the exit code. */
  run(words: readonly string[]): Promise<number>;
}

export interface Bundle {
  readonly module: CommandModule;
  readonly script: Script;
}

/** Those whose modules `zoots server` imports. */
export const bundledPackages: readonly string[] = ['base', 'protocol', 'storage', 'core', 'server', 'cli'];

const ID_CHARACTERS = 64;
/** A bundle begins with its id in a comment. */
const HEAD_BYTES = ID_CHARACTERS + 4;

/**
 * What a bundle's file has: an expression, a function around the code of the modules, which must import by `require`. The code has an id of
 * its own, 64 characters.
 */
export function bundleText(code: string, id: string): string {
  if (id.length !== ID_CHARACTERS)
    throw new Error(`the id of a bundle has ${ID_CHARACTERS} characters, not ${id.length}`);
  return `/*${id}*/(function (exports, require, __filename) {\n${code}\n})`;
}

/** The file that has a command's bundle; none need be there. `dist` is the directory of this package's built modules. */
export function bundleFile(command: string, dist: string): string {
  return join(dist, `${command}.bundle.cjs`);
}

/** The bundle is there and not older than what it was made of. */
export function isCurrent(file: string): boolean {
  const builtMs = modifiedMs(file);
  // Compiled packages have this file in a checkout; installed ones come without it, and with a bundle of their own version.
  const compiledMs = (name: string): number => modifiedMs(join(file, '../../..', name, 'dist/lib.tsbuildinfo'));
  return builtMs > 0 && bundledPackages.every((name) => compiledMs(name) <= builtMs);
}

export function loadBundle(file: string): Bundle {
  // In ASCII, so that it stays one byte a character.
  const source = readFileSync(file);
  const cachedData = readCompiled(file, source);
  const options = cachedData === undefined ? { filename: file } : { filename: file, cachedData };
  const script = new Script(source.toString('latin1'), options);
  const exports = {};
  script.runInThisContext()(exports, createRequire(file), file);
  return { module: exports as CommandModule, script };
}

/** Keeps what the engine has compiled of a bundle up to now, for later processes with the same Node. */
export function compiledOf(script: Script, source: Uint8Array): Buffer {
  return Buffer.concat([source.subarray(0, HEAD_BYTES), script.createCachedData()]);
}

/** Beside the bundle. */
export function compiledFile(file: string): string {
  return `${file}.compiled`;
}

/** The engine looks at its version, its flags and the length of the source, and compiles anew if they differ; the id is up to us. */
function readCompiled(file: string, source: Buffer): Buffer | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(compiledFile(file));
  } catch {
    return undefined;
  }
  const isOfSource = bytes.subarray(0, HEAD_BYTES).equals(source.subarray(0, HEAD_BYTES));
  return isOfSource ? bytes.subarray(HEAD_BYTES) : undefined;
}

/** 0 if there is no such file. */
function modifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
