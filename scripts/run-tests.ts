/**
 * Runs every built unit test (`packages/*\/dist/**\/*.test.js`) with Node's own test runner.
 * Node 20's runner takes no globs, so the files are found here. Arguments that do not start with `-`
 * select the files whose path contains one of them; the others go to the runner.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const words = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const options = process.argv.slice(2).filter((word) => word.startsWith('-'));

const files: string[] = [];
for (const base of [...readdirSync(join(root, 'packages')).map((name) => join('packages', name)), 'scripts']) {
  const dist = join(root, base, 'dist');
  for (const entry of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    if (entry.endsWith('.test.js')) files.push(join(base, 'dist', entry));
  }
}
files.sort();
const chosen = words.length === 0 ? files : files.filter((file) => words.some((word) => file.includes(word)));
if (chosen.length === 0) {
  console.error(`no test file matches ${words.join(' ') || '(nothing built: run npm run build)'}`);
  process.exit(1);
}
// Node leaves one core free; on two cores the files would run one after another, and most of them wait most of the time.
const lanes = `--test-concurrency=${Math.max(2, availableParallelism())}`;
const result = spawnSync(process.execPath, ['--test', '--enable-source-maps', lanes, ...options, ...chosen], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(result.status ?? 1);
