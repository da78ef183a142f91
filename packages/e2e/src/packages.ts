/**
 * The packages as users get them: packed, installed with npm into an empty directory, imported, required, type-checked.
 *
 *   npm run build && node packages/e2e/dist/packages.js
 *
 * The client and the recipes are installed offline, which also shows that they need nothing of anybody else. The testing
 * kit brings the server and its logger, so npm may ask its registry for what is not in its cache.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from './peers/versions.js';

/** Those that the client's users get, and those that come in addition with the testing kit. */
const CLIENT_PACKAGES = ['base', 'protocol', 'client', 'recipes'];
const TESTING_PACKAGES = ['storage', 'core', 'server', 'testing'];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Throws Error with the command's output unless it ends well. Returns what it wrote to its standard output. */
function run(directory: string, command: string, ...words: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, { cwd: directory, encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new Error(`${command} ${words.join(' ')} in ${directory}: exit code ${status}\n${stdout}${stderr}`);
  return stdout;
}

/** Packs one package and looks at what is in the tarball; returns the tarball's path. */
function pack(name: string, directory: string): string {
  const home = join(projectRoot, 'packages', name);
  const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest;
  assert.notEqual(manifest.private, true, `${name} is private`);
  for (const [dependency, range] of Object.entries(manifest.dependencies ?? {})) {
    if (dependency.startsWith('@zoots/')) assert.equal(range, manifest.version, `${name} needs ${dependency}`);
  }
  const output = run(home, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', directory);
  const [{ filename, files }] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
  const paths = new Set(files.map(({ path }) => path));
  for (const path of paths)
    assert.doesNotMatch(path, /\.(?:test|fuzz|bench)\.|^src\/|tsbuildinfo/, `in the tarball of ${name}`);
  for (const targets of Object.values(manifest.exports)) {
    for (const target of Object.values(targets)) assert.ok(paths.has(target.slice(2)), `${name} lacks ${target}`);
  }
  if (name === 'client' || name === 'recipes' || name === 'testing')
    assert.ok(paths.has('README.md'), `${name}: README.md`);
  return join(directory, filename);
}

/** An empty project that has the tarballs installed. */
function install(directory: string, tarballs: readonly string[], ...options: string[]): void {
  mkdirSync(directory);
  writeFileSync(join(directory, 'package.json'), '{"name":"consumer","private":true}\n');
  run(directory, 'npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', ...options, ...tarballs);
}

function installedNames(directory: string): string[] {
  const lock = JSON.parse(readFileSync(join(directory, 'package-lock.json'), 'utf8')) as { packages: object };
  return Object.keys(lock.packages).filter((path) => path !== '');
}

/** Runs one file with Node, and fails if anything but `expected` comes out. */
function runFile(directory: string, name: string, text: string, expected: string): void {
  writeFileSync(join(directory, name), text);
  assert.equal(run(directory, process.execPath, name).trim(), expected, name);
}

/** Checks a program with the strictest settings that its author may have, declarations of the packages included. */
function typeCheck(directory: string, name: string, text: string): void {
  writeFileSync(join(directory, name), text);
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2022'],
    module: 'NodeNext',
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    typeRoots: [join(projectRoot, 'node_modules/@types')],
    types: ['node'],
  };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [name] }));
  run(directory, process.execPath, join(projectRoot, 'node_modules/typescript/bin/tsc'), '--project', '.');
}

const clientProgram = `
import { connect, json, NoNodeError, type Stat, type WatchEvent, ZooKeeper } from '@zoots/client';

export async function program(): Promise<number> {
  const client: ZooKeeper = await connect('127.0.0.1:2181/app', { sessionTimeoutMs: 10_000 });
  const stat: Stat | null = await client.exists('/a', { watch: (event: WatchEvent) => console.log(event.type) });
  const [path, changed]: [string, Stat] = await client.transaction().create('/b', 'x').set('/a', null).commit();
  const { value } = await client.node('/c', json<{ size: number }>()).get();
  try {
    await client.delete(path, { version: changed.version });
  } catch (error) {
    if (error instanceof NoNodeError) console.log(error.code, error.outcome);
  }
  await client.close();
  return value.size + (stat?.version ?? 0);
}
`;

const testingProgram = `
import { connect } from '@zoots/client';
import { Lock } from '@zoots/recipes';
import { startServer } from '@zoots/testing';

const server = await startServer();
const client = await connect(server.connectString);
await client.create('/a', 'it works');
const { data } = await client.get('/a');
const lock = new Lock(client, '/locks/a');
console.log(String(data), typeof lock);
await client.close();
await server.stop();
`;

const steps: readonly (readonly [name: string, run: (workDir: string) => void])[] = [
  [
    'the tarballs hold what they must, and no tests',
    (workDir) => {
      for (const name of [...CLIENT_PACKAGES, ...TESTING_PACKAGES]) pack(name, workDir);
    },
  ],
  [
    'client and recipes install offline and bring nothing else',
    (workDir) => {
      install(join(workDir, 'client'), tarballsOf(workDir, CLIENT_PACKAGES), '--offline');
      assert.deepEqual(
        installedNames(join(workDir, 'client')).sort(),
        CLIENT_PACKAGES.map((name) => `node_modules/@zoots/${name}`).sort(),
      );
    },
  ],
  [
    'import, require and types of the client',
    (workDir) => {
      const home = join(workDir, 'client');
      const look = `console.log(typeof client.connect, typeof client.ZooKeeper, Object.keys(recipes).length > 5);`;
      const seen = 'function function true';
      runFile(
        home,
        'a.mjs',
        `import * as client from '@zoots/client';\nimport * as recipes from '@zoots/recipes';\n${look}\n`,
        seen,
      );
      runFile(
        home,
        'a.cjs',
        `const client = require('@zoots/client');\nconst recipes = require('@zoots/recipes');\n${look}\n`,
        seen,
      );
      typeCheck(home, 'program.mts', clientProgram);
      typeCheck(home, 'program.cts', clientProgram);
    },
  ],
  [
    'types reject what cannot work',
    (workDir) => {
      const wrong = clientProgram.replace(
        "'@zoots/client';",
        "'@zoots/client';\nexport const wrong: number = connect;",
      );
      assert.throws(() => typeCheck(join(workDir, 'client'), 'wrong.mts', wrong), /wrong\.mts/);
    },
  ],
  [
    'the testing kit with its server',
    (workDir) => {
      const home = join(workDir, 'testing');
      install(home, tarballsOf(workDir, [...CLIENT_PACKAGES, ...TESTING_PACKAGES]), '--prefer-offline');
      runFile(home, 'a.mjs', testingProgram, 'it works object');
      typeCheck(home, 'program.mts', testingProgram);
    },
  ],
];

function tarballsOf(directory: string, names: readonly string[]): string[] {
  return names.map((name) => {
    const { version } = JSON.parse(
      readFileSync(join(projectRoot, 'packages', name, 'package.json'), 'utf8'),
    ) as Manifest;
    const tarball = join(directory, `zoots-${name}-${version}.tgz`);
    assert.ok(existsSync(tarball), tarball);
    return tarball;
  });
}

const workDir = mkdtempSync(join(tmpdir(), 'zoots-packages-'));
try {
  for (const [name, step] of steps) {
    const startMs = performance.now();
    step(workDir);
    console.log(`ok ${name} (${Math.round(performance.now() - startMs)} ms)`);
  }
} finally {
  rmSync(workDir, { recursive: true, force: true });
}
