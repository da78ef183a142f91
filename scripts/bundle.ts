/**
 * Puts the modules of `zoots server` into three files beside its main module (decision 0016): to read and link 160 small
 * modules takes Node more than a third of the time until the first reply. `packages/cli/src/bundled.ts` says
 * when they are used.
 *
 *     node scripts/dist/bundle.js
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledPackages } from '@zoots/cli';
import { build } from 'rolldown';

// No deeper than the modules: what they know of their own place stays true.
const dist = fileURLToPath(new URL('../../packages/cli/dist', import.meta.url));

const { output } = await build({
  input: { server: join(dist, 'commands/server.js') },
  platform: 'node',
  // The packages of others stay outside: the server loads them only for JSON lines and coloured ones.
  external: ['pino', 'pino-pretty'],
  logLevel: 'warn',
  output: {
    format: 'esm',
    entryFileNames: '[name].bundle.js',
    // Not named as a command's bundle is: a part may be called after a module that is called like a command.
    chunkFileNames: '[name].part.js',
    comments: false,
    charset: 'ascii',
  },
  write: false,
});

const chunks = output.filter((file) => file.type === 'chunk').sort((a, b) => Number(a.isEntry) - Number(b.isEntry));
for (const id of chunks.flatMap(({ moduleIds }) => moduleIds)) {
  const name = /packages\/([^/]+)\/dist\//.exec(id)?.[1];
  if (id.startsWith('/') && !bundledPackages.includes(name ?? '')) {
    throw new Error(`${id} is in the server's bundle: name its package in packages/cli/src/bundled.ts`);
  }
}

// The entry is away while the others are written: a build that was cut off leaves no bundle, instead of half of one.
for (const { fileName, isEntry } of chunks) if (isEntry) rmSync(join(dist, fileName), { force: true });
for (const { fileName, code } of chunks) writeFileSync(join(dist, fileName), code);
