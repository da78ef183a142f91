import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Script } from 'node:vm';
import { bundleFile, bundleText, compiledFile, compiledOf, isCurrent, loadBundle } from './bundled.js';

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'bundled-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a bundle is used only while it is newer than every package in it', (t) => {
  const packages = temporaryDirectory(t);
  const write = (file: string, seconds: number): void => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
    utimesSync(file, seconds, seconds);
  };
  const buildOf = (name: string): string => join(packages, name, 'dist/lib.tsbuildinfo');
  const bundle = bundleFile('server', join(packages, 'cli/dist'));
  assert.equal(isCurrent(bundle), false, 'no bundle');
  write(bundle, 100);
  assert.equal(isCurrent(bundle), true, 'installed: nothing was compiled here');
  for (const name of ['base', 'protocol', 'storage', 'core', 'server', 'cli']) write(buildOf(name), 99);
  assert.equal(isCurrent(bundle), true, 'newer than all');
  write(buildOf('core'), 101);
  assert.equal(isCurrent(bundle), false, 'core was compiled since');
});

test('what the engine compiled of a bundle is used for this bundle and no other', async (t) => {
  const bundle = bundleFile('answer', temporaryDirectory(t));
  const sourceOf = (answer: number): Buffer =>
    Buffer.from(bundleText(`exports.run = async () => ${answer};`, String(answer).repeat(32)));
  const loaded = async (): Promise<[answer: number, isRejected: boolean | undefined]> => {
    const { module, script } = loadBundle(bundle);
    return [await module.run([]), script.cachedDataRejected];
  };
  writeFileSync(bundle, sourceOf(41));
  assert.deepEqual(await loaded(), [41, undefined], 'nothing compiled yet');

  writeFileSync(compiledFile(bundle), compiledOf(loadBundle(bundle).script, sourceOf(41)));
  assert.deepEqual(await loaded(), [41, false]);

  // The engine itself looks only at the length.
  writeFileSync(bundle, sourceOf(42));
  assert.deepEqual(await loaded(), [42, undefined], 'compiled from something else');

  writeFileSync(compiledFile(bundle), '');
  assert.deepEqual(await loaded(), [42, undefined], 'cut off');
  // Another answer, because the engine remembers what it has compiled in this process.
  writeFileSync(bundle, sourceOf(43));
  const foreign = compiledOf(new Script('0'), sourceOf(43));
  writeFileSync(compiledFile(bundle), foreign.fill(0, 68, 72));
  assert.deepEqual(await loaded(), [43, true], 'of another Node');
});

test('a bundle finds modules from its own place', async (t) => {
  const bundle = bundleFile('place', temporaryDirectory(t));
  writeFileSync(join(dirname(bundle), 'there.cjs'), 'exports.answer = 42;');
  const run =
    "exports.run = async () => require('./there.cjs').answer + require('node:path').basename(__filename).length;";
  writeFileSync(bundle, bundleText(run, '0'.repeat(64)));
  assert.equal(await loadBundle(bundle).module.run([]), 42 + 'place.bundle.cjs'.length);
});
