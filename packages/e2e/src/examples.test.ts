/**
 * Every example of the documentation runs against a server of its own and prints what it says it prints. Those of other
 * libraries, for the migration pages, are skipped where the libraries are not installed (the client bench fetches them).
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { startServer } from '@zoots/testing';
import { projectRoot } from './peers/versions.js';

const examples = join(projectRoot, 'examples');
const libraries = join(projectRoot, '.cache/client-bench/node_modules');
const TIMEOUT_MS = 30_000;

/** What an example's last comment says. */
function expectedOutput(file: string): string {
  const [, lines] = /^\/\/ Prints:\n((?:\/\/.*\n)+)$/m.exec(readFileSync(file, 'utf8')) ?? [];
  assert.ok(lines !== undefined, `${file} does not say what it prints`);
  return lines.replace(/^\/\/ ?/gm, '').trimEnd();
}

/** Runs a program with Node; resolves with what it printed, errors included. */
function run(file: string, env: Readonly<Record<string, string>>): Promise<string> {
  const words = ['--enable-source-maps', '--disable-warning=ExperimentalWarning', file];
  const child = spawn(process.execPath, words, { env: { ...process.env, ...env }, timeout: TIMEOUT_MS });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += String(chunk);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code === 0 ? output.trimEnd() : `${output}\nexit ${code ?? signal}`));
  });
}

/** TypeScript runs as the compiler has built it. */
function programOf(name: string): string {
  return join(examples, name.endsWith('.ts') ? `dist/${name.replace(/\.ts$/, '.js')}` : name);
}

function missing(what: string): string | false {
  if (process.env.ZOOTS_CI === '1') throw new Error(`${what}, and with ZOOTS_CI=1 nothing may be skipped`);
  return what;
}

const isExample = (name: string): boolean => /\.(?:ts|mjs|cjs)$/.test(name);
const plain = readdirSync(examples).filter((name) => isExample(name) && name !== 'tls.ts');
const migrations = readdirSync(join(examples, 'migration')).filter(isExample);

for (const name of [...plain, ...migrations.map((each) => join('migration', each))]) {
  const [, library] = /from-(zookeeper|node-zookeeper-client)(?:-npm)?-before/.exec(name) ?? [];
  const isMissing = library !== undefined && !existsSync(join(libraries, library));
  const skip = isMissing && missing(`${library} is not in ${libraries}: run npm run bench -- --clients once`);
  test(`examples/${name}`, { skip }, async () => {
    await using server = await startServer();
    const output = await run(programOf(name), { ZK: server.connectString, NODE_PATH: libraries });
    assert.equal(output, expectedOutput(join(examples, name)));
  });
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

test('examples/tls.ts', {
  skip: !hasOpenssl && missing('there is no openssl to make a certificate with'),
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'zoots-tls-'));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'];
  const made = spawnSync('openssl', [
    ...words,
    '-addext',
    'subjectAltName=DNS:localhost',
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  await using server = await startServer();
  // The server has no TLS of its own yet, so something in front of it has, as is usual today.
  const front = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const back = connectTcp(server.port, '127.0.0.1');
    socket.pipe(back).pipe(socket);
    for (const end of [socket, back]) end.on('error', () => end.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, resolve));
  try {
    const target = `localhost:${(front.address() as AddressInfo).port}`;
    const output = await run(programOf('tls.ts'), { ZK_TLS: target, ZK_CA: cert });
    assert.equal(output, expectedOutput(join(examples, 'tls.ts')));
  } finally {
    front.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
