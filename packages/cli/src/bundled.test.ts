import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { moduleOf } from './bundled.js';
import { sections } from './command-table.js';

test('only the server has a bundle, whatever its parts are called', () => {
  const dist = fileURLToPath(new URL('.', import.meta.url));
  for (const name of sections.flatMap(({ commands }) => Object.keys(commands))) {
    if (name !== 'server') assert.equal(moduleOf(name, dist), `commands/${name}.js`);
  }
});

test('a bundle is used only while it is newer than every package in it', (t) => {
  const packages = mkdtempSync(join(tmpdir(), 'bundled-'));
  t.after(() => rmSync(packages, { recursive: true }));
  const dist = join(packages, 'cli/dist');
  const write = (name: string, seconds: number): void => {
    const file = join(packages, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
    utimesSync(file, seconds, seconds);
  };
  const [bundle, modules] = ['server.bundle.js', 'commands/server.js'];
  assert.equal(moduleOf('server', dist), modules, 'no bundle');
  write('cli/dist/server.bundle.js', 100);
  assert.equal(moduleOf('server', dist), bundle, 'installed: nothing was compiled here');
  for (const name of ['base', 'protocol', 'storage', 'core', 'server', 'cli'])
    write(`${name}/dist/lib.tsbuildinfo`, 99);
  assert.equal(moduleOf('server', dist), bundle, 'newer than all');
  write('core/dist/lib.tsbuildinfo', 101);
  assert.equal(moduleOf('server', dist), modules, 'core was compiled since');
  assert.equal(moduleOf('status', dist), 'commands/status.js', 'a command without a bundle');
});
