/**
 * Keeps what the engine compiles while the bundled server starts and serves a first session, so that later starts need not compile it.
 * Called by `bundle.ts`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import { bundleFile, compiledFile, compiledOf, loadBundle } from '@zoots/cli';
import { connect } from '@zoots/client';
import { replaceFile } from './replace-file.js';

const file = bundleFile('server', fileURLToPath(new URL('../../packages/cli/dist', import.meta.url)));

// What was compiled under other flags is refused, and a process that starts has not set its own yet.
v8.setFlagsFromString = () => {};
const { module, script } = loadBundle(file);

const directory = mkdtempSync(join(tmpdir(), 'zoots-bundle-'));
process.on('exit', () => rmSync(directory, { recursive: true }));
const port = await freePort();
void module.run([String(port), directory]).then((code) => {
  throw new Error(`the server ended with code ${code}`);
});

const client = await connect(`127.0.0.1:${port}`, { sessionTimeoutMs: 10_000 });
await client.create('/a', new Uint8Array(128));
await client.set('/a', new Uint8Array(128));
await client.get('/a', { watch: () => {} });
await client.exists('/a');
await client.children('/');
await client.delete('/a');
await client.close();

replaceFile(compiledFile(file), compiledOf(script, readFileSync(file)));
process.exit(0);

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
