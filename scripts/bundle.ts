/**
 * Puts the modules of `zoots server` into one file beside its main module, and what the engine has compiled of it into another
 * (decision 0016): to read, link and compile 160 small modules takes Node more than half of the time until the first reply.
 * `packages/cli/src/bundled.ts` says when they are used.
 *
 *     node scripts/dist/bundle.js
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledPackages, bundleFile, bundleText, compiledFile } from '@zoots/cli';
import { build } from 'rolldown';
import { replaceFile } from './replace-file.js';

// No deeper than the modules: what they know of their own place stays true.
const dist = fileURLToPath(new URL('../../packages/cli/dist', import.meta.url));
const file = bundleFile('server', dist);

const { output } = await build({
  input: join(dist, 'commands/server.js'),
  platform: 'node',
  // The packages of others stay outside: the server loads them only for JSON lines and coloured ones.
  external: ['pino', 'pino-pretty'],
  logLevel: 'warn',
  output: {
    // Of modules there is no way to keep what the engine has compiled.
    format: 'cjs',
    dynamicImportInCjs: false,
    comments: false,
    charset: 'ascii',
  },
  write: false,
});

const [bundle, ...others] = output;
if (others.length > 0) {
  // A module that is imported on demand alone would be a second file; all are linked into one, so that constants stay constants.
  throw new Error(`the server's bundle has more than one part: ${others.map(({ fileName }) => fileName).join(', ')}`);
}
for (const id of bundle.moduleIds) {
  const name = /packages\/([^/]+)\/dist\//.exec(id)?.[1];
  if (id.startsWith('/') && !bundledPackages.includes(name ?? '')) {
    throw new Error(`${id} is in the server's bundle: name its package in packages/cli/src/bundled.ts`);
  }
}

replaceFile(file, bundleText(bundle.code, createHash('sha256').update(bundle.code).digest('hex')));

// In a process of its own, since a server changes the engine's flags. Without that file a server only starts later.
const warmUp = fileURLToPath(new URL('compile-bundle.js', import.meta.url));
const { status } = spawnSync(process.execPath, [warmUp], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 30_000 });
if (status !== 0) console.error(`${warmUp} failed: the server starts without ${compiledFile(file)}`);
