/**
 * The client libraries of npm that ours is measured beside, at fixed versions. They are fetched when they are first
 * measured, into .cache/client-bench of the checkout, and are never among the dependencies: one of them builds Apache's
 * C client when it is installed.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const LIBRARIES = { 'node-zookeeper-client': '1.1.3', zookeeper: '7.3.0' } as const;
export type LibraryName = keyof typeof LIBRARIES;

const directory = fileURLToPath(new URL('../../../.cache/client-bench', import.meta.url));

/** Where the libraries are, after fetching what is missing. Throws Error with npm's last words if that fails. */
export function fetchLibraries(names: readonly LibraryName[], note: (line: string) => void): string {
  fs.mkdirSync(directory, { recursive: true });
  const manifest = path.join(directory, 'package.json');
  if (!fs.existsSync(manifest)) fs.writeFileSync(manifest, '{"private":true}\n');
  const missing = names.filter((name) => installedVersion(name) !== LIBRARIES[name]);
  if (missing.length > 0) {
    const packages = missing.map((name) => `${name}@${LIBRARIES[name]}`);
    note(`fetching ${packages.join(', ')} into ${directory}`);
    const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages];
    const { status, stdout, stderr, error } = spawnSync('npm', args, {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, ...headers() },
    });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`npm ${args.join(' ')} failed in ${directory}:\n${stdout}${stderr}`.trimEnd());
  }
  return directory;
}

function installedVersion(name: LibraryName): string | null {
  const manifest = path.join(directory, 'node_modules', name, 'package.json');
  return fs.existsSync(manifest)
    ? (JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version: string }).version
    : null;
}

/** Node's headers, where they are installed beside node, save the native build a download. */
function headers(): Record<string, string> {
  const prefix = path.resolve(process.execPath, '../..');
  return fs.existsSync(path.join(prefix, 'include/node/node.h')) ? { npm_config_nodedir: prefix } : {};
}
