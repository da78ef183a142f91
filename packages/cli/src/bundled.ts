/**
 * `npm run build` also puts all of `zoots server` into one file, and what the engine has compiled of it into another
 * (`scripts/bundle.ts`), which nearly halves the time to its first reply (decision 0016). They are used only while they are newer than every
 * build of the packages in them, so that whoever compiles one package runs what he compiled.
 */
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

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

/** What stands around the modules of a bundle, so that the file is an expression: a function. They import nothing but by `require`. */
export const bundleFrame: readonly [head: string, tail: string] = [
  '(function (exports, require, __filename) {\n',
  '\n})',
];

/** The file that has a command's bundle; none need be there. `dist` is the directory of this package's built modules. */
export function bundleFile(command: string, dist: string): string {
  return join(dist, `${command}.bundle.cjs`);
}

/** The bundle is there and not older than what it was made of. */
export function isCurrent(file: string): boolean {
  const builtMs = modifiedMs(file);
  // Compiled packages have this file in a checkout; installed ones come without it, and with a bundle of their own version.
  const compiledMs = bundledPackages.map((name) => modifiedMs(join(file, '../../..', name, 'dist/lib.tsbuildinfo')));
  return builtMs > 0 && compiledMs.every((ms) => ms <= builtMs);
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
  return Buffer.concat([sumOf(source), script.createCachedData()]);
}

/** Beside the bundle. */
export function compiledFile(file: string): string {
  return `${file}.compiled`;
}

/** The engine looks at its version, its flags and the length of the source, and compiles anew if they differ; the rest is up to us. */
function readCompiled(file: string, source: Uint8Array): Buffer | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(compiledFile(file));
  } catch {
    return undefined;
  }
  return bytes.subarray(0, SUM_BYTES).equals(sumOf(source)) ? bytes.subarray(SUM_BYTES) : undefined;
}

const SUM_BYTES = 4;

function sumOf(source: Uint8Array): Buffer {
  const sum = Buffer.alloc(SUM_BYTES);
  sum.writeUInt32BE(crc32(source));
  return sum;
}

/** 0 if there is no such file. */
function modifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
