import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openDataDirectories } from './data-directories.js';
import { StartupError } from './running-server.js';

const root = mkdtempSync(join(tmpdir(), 'zoots-directories-'));
after(() => rmSync(root, { recursive: true, force: true }));

async function refusal(dataDir: string, dataLogDir = dataDir, datadirAutocreate = true): Promise<string> {
  try {
    (await openDataDirectories({ dataDir, dataLogDir, datadirAutocreate })).release();
  } catch (error) {
    assert.ok(error instanceof StartupError, String(error));
    assert.equal(error.exitCode, 3);
    assert.ok(!error.message.includes('\n'));
    return error.message;
  }
  return assert.fail('was opened');
}

test('missing directories are made, version-2 included', async () => {
  const [dataDir, dataLogDir] = [join(root, 'a', 'b'), join(root, 'c')];
  const lock = await openDataDirectories({ dataDir, dataLogDir, datadirAutocreate: true });
  assert.ok(existsSync(join(dataDir, 'version-2')) && existsSync(join(dataLogDir, 'version-2')));
  await assert.rejects(openDataDirectories({ dataDir, dataLogDir: dataDir, datadirAutocreate: true }));
  lock.release();
});

test('unless datadir.autocreate is false', async () => {
  assert.match(await refusal(join(root, 'none'), join(root, 'none'), false), /version-2 is missing and datadir/);
  assert.ok(!existsSync(join(root, 'none')));
});

test('what is in the way is named', async () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  assert.match(await refusal(file), /^dataDir .*file cannot be created: a (part of the path|file of this name)/);
  assert.match(await refusal(join(file, 'below')), /^dataDir .* cannot be created: a part of the path is a file$/);
  assert.match(await refusal(join(root, 'ok'), join(file, 'x')), /^dataLogDir /);
});

/** Opens a directory in a process without root's right to write everywhere; what it said. */
function refusalWithoutRoot(dataDir: string): string {
  const script = `
    const { openDataDirectories } = await import(${JSON.stringify(new URL('./data-directories.js', import.meta.url).href)});
    if (process.getuid?.() === 0) process.setuid(65534);
    const dataDir = process.argv[1];
    await openDataDirectories({ dataDir, dataLogDir: dataDir, datadirAutocreate: true }).catch((error) => {
      console.log(error.exitCode + ' ' + error.message);
    });`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script, dataDir], {
    encoding: 'utf8',
  }).stdout.trim();
}

test('a directory without write permission', () => {
  chmodSync(root, 0o755);
  const readOnly = join(root, 'read-only');
  mkdirSync(join(readOnly, 'version-2'), { recursive: true });
  for (const path of [join(readOnly, 'version-2'), readOnly]) chmodSync(path, 0o555);
  assert.match(
    refusalWithoutRoot(readOnly),
    /^3 dataDir .*read-only is not writable for this user: permission denied$/,
  );
  assert.match(refusalWithoutRoot(join(readOnly, 'x')), /^3 dataDir .* cannot be created: permission denied$/);
});

test('a place where nothing can be made', { skip: !existsSync('/proc/self') }, async () => {
  assert.match(await refusal('/proc/zoots'), /^dataDir \/proc\/zoots cannot be created: /);
});
