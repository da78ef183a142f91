/**
 * The house rules that a compiler does not know, as a test (`tidy.test.ts` runs it over the tree): what pure packages must
 * not touch, who may import whom, a header in every file, how long a file may be (tests apart), names that say nothing.
 *
 * Each problem names the file, the line, and what to do instead. Why the rules are there: ARCHITECTURE.md and STYLE.md.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { codeOf } from './source-text.js';

export interface Problem {
  /** Relative to the checkout, with slashes. */
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
  readonly text: string;
}

/** Which packages a package may import. Down only: nothing here may ever point upwards. */
export const imports: Readonly<Record<string, readonly string[]>> = {
  base: [],
  protocol: ['base'],
  storage: ['base', 'protocol'],
  core: ['base', 'protocol', 'storage'],
  server: ['base', 'protocol', 'storage', 'core'],
  client: ['base', 'protocol'],
  recipes: ['client'],
  testing: ['base', 'protocol', 'storage', 'core', 'server'],
  cli: ['base', 'protocol', 'storage', 'core', 'server', 'client', 'recipes'],
  sim: ['base', 'protocol', 'storage', 'core', 'client'],
  e2e: ['base', 'protocol', 'storage', 'core', 'server', 'client', 'recipes', 'testing', 'cli'],
  bench: ['base', 'protocol', 'storage', 'core', 'server', 'client'],
};

/** Packages without Node, time, dice or promises: their outputs follow from their inputs. */
const purePackages: ReadonlySet<string> = new Set(['base', 'protocol', 'storage', 'core']);

/** Pure folders of packages that are not. */
const pureFolders: readonly string[] = ['packages/client/src/session-core/'];

function isPure(file: string, packageName: string): boolean {
  return purePackages.has(packageName) || pureFolders.some((folder) => file.startsWith(folder));
}

interface Ban {
  readonly pattern: RegExp;
  readonly what: string;
  readonly instead: string;
}

const pureBans: readonly Ban[] = [
  { pattern: /\bBuffer\b/, what: 'Buffer', instead: 'use Uint8Array, ByteReader and ByteWriter of @zoots/base' },
  { pattern: /\bDate\b/, what: 'Date', instead: "ask the Clock port; within a turn, use the turn's nowMs and wallMs" },
  { pattern: /\bMath\.random\b/, what: 'Math.random', instead: 'use the Prng port' },
  {
    pattern: /(?<![.#\w])process\s*\.|\bglobalThis\b/,
    what: 'process',
    instead: 'take what you need through the constructor',
  },
  { pattern: /\bperformance\b/, what: 'performance', instead: 'ask the Clock port' },
  { pattern: /\bcrypto\b/, what: 'crypto', instead: 'use the Hashes or the Prng port' },
  {
    pattern: /\b(?:setTimeout|setInterval)\b/,
    what: 'timers',
    instead: 'say when through deadlineMs, and act in endTurn',
  },
  {
    pattern: /\b(?:setImmediate|queueMicrotask)\b/,
    what: 'scheduling',
    instead: 'let the shell open a turn (Shell.onTurnOpened)',
  },
  { pattern: /\b(?:async|await|Promise)\b/, what: 'promises', instead: 'take a callback, as the Disk port does' },
  { pattern: /\bconsole\b/, what: 'console', instead: 'use the Logger port' },
  { pattern: /\b(?:Math\.(?:log|exp|sin|cos|tan|pow)\w*)\b/, what: 'engine-dependent Math', instead: 'use integers' },
  { pattern: /^let\b/, what: 'mutable state of a module', instead: 'keep it in an object that somebody owns' },
];

const productBans: readonly Ban[] = [
  {
    pattern: /\bis_?simulat|\bsimulated\b|\bisSim\b/i,
    what: 'a question whether this is a simulation',
    instead: 'let the port behave differently; the code must not know',
  },
];

/** Packages that run in production. */
const productPackages: ReadonlySet<string> = new Set([
  'base',
  'protocol',
  'storage',
  'core',
  'server',
  'client',
  'recipes',
  'testing',
  'cli',
]);

const emptyNames = /(?:^|[-/])(?:utils?|helpers?|managers?|misc|common)\.ts$/;

export const fileLinesMax = 500;

/**
 * Files that are longer, and how long they may be at most. The numbers only go down: split a file that reaches its own, and
 * take it out once it is below the limit of all.
 */
export const longFiles: Readonly<Record<string, number>> = {
  'packages/core/src/server.ts': 600,
};

/** Checks one file; `file` decides which rules hold. */
export function checkSource(file: string, source: string): Problem[] {
  const [, packageName] = /^packages\/([^/]+)\/src\//.exec(file) ?? [];
  const isTest = /\.(?:test|fuzz|bench)\.ts$/.test(file);
  const code = codeOf(source);
  const lines = code.split('\n');
  const problems: Problem[] = [];
  const report = (line: number, text: string): void => {
    problems.push({ file, line, text });
  };
  if (emptyNames.test(file)) report(1, 'a name that says nothing: name the file after what is in it');
  if (!isTest && !/^(?:#!.*\n)?\/\*\*/.test(source))
    report(1, 'no header: begin with a comment that says what it is for');
  if (!isTest) checkLength(file, lines.length, report);
  checkImports(file, { source, code }, packageName, isTest, report);
  if (packageName === undefined || isTest) return problems;
  const bans = isPure(file, packageName) ? [...pureBans, ...productBans] : productBans;
  if (productPackages.has(packageName)) checkBans(lines, bans, report);
  return problems;
}

type Report = (line: number, text: string) => void;

function checkLength(file: string, lineCount: number, report: Report): void {
  const max = longFiles[file] ?? fileLinesMax;
  if (lineCount > max)
    report(max, `${lineCount} lines: split the file, or say why not in scripts/tidy.ts (at most ${max})`);
  else if (longFiles[file] !== undefined && lineCount <= fileLinesMax) {
    report(1, 'short enough now: take it out of longFiles in scripts/tidy.ts');
  }
}

/** In code whose strings are blank: the blanks between the quotes. */
const importPattern = /\b(?:from|import)\b\s*\(?\s*(['"])( *)\1/g;

function checkImports(
  file: string,
  { source, code }: { readonly source: string; readonly code: string },
  packageName: string | undefined,
  isTest: boolean,
  report: Report,
): void {
  if (packageName === undefined) return;
  for (const match of code.matchAll(importPattern)) {
    const end = match.index + match[0].length - 1;
    const target = source.slice(end - (match[2] as string).length, end);
    const problem = importProblem(file, packageName, target, isTest);
    if (problem !== null) report(source.slice(0, end).split('\n').length, problem);
  }
}

function importProblem(file: string, packageName: string, target: string, isTest: boolean): string | null {
  if (target.startsWith('.')) {
    const depth = file.split('/').length - 4;
    const ups = target.split('/').filter((part) => part === '..').length;
    return ups > depth ? `"${target}" leaves the package: import @zoots/…` : null;
  }
  const scoped = /^@zoots\/([^/]+)(.*)$/.exec(target);
  if (scoped !== null) {
    if (/^\/(?:dist|src)\//.test(scoped[2] as string))
      return `"${target}" reaches into a package: import what its index exports`;
    const isAllowed =
      scoped[1] === packageName ||
      (imports[packageName] ?? []).includes(scoped[1] as string) ||
      (isTest && scoped[1] === 'testing');
    return isAllowed ? null : `${packageName} must not import ${target}: dependencies point from the shell to the core`;
  }
  if (!isPure(file, packageName) || isTest) return null;
  return `"${target}" in a pure package: take a port`;
}

function checkBans(lines: readonly string[], bans: readonly Ban[], report: Report): void {
  lines.forEach((line, i) => {
    for (const { pattern, what, instead } of bans) if (pattern.test(line)) report(i + 1, `${what}: ${instead}`);
  });
}

/** Every TypeScript file of the packages and scripts. */
export function sourceFiles(root: string): string[] {
  const files: string[] = [];
  const directories = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'src'));
  for (const directory of [...directories, 'scripts']) {
    for (const entry of readdirSync(join(root, directory), { recursive: true, withFileTypes: true })) {
      const path = relative(root, join(entry.parentPath, entry.name)).split(sep).join('/');
      if (entry.isFile() && path.endsWith('.ts') && !path.includes('/dist/')) files.push(path);
    }
  }
  return files.sort();
}

/** Checks the tree. */
export function checkTree(root: string): Problem[] {
  const files = sourceFiles(root);
  const problems = files.flatMap((file) => checkSource(file, readFileSync(join(root, file), 'utf8')));
  for (const file of Object.keys(longFiles)) {
    if (!files.includes(file))
      problems.push({ file, line: 1, text: 'is gone: take it out of longFiles in scripts/tidy.ts' });
  }
  return problems;
}
