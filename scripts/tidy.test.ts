import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { codeOf } from './source-text.js';
import { checkSource, checkTree, fileLinesMax, imports, longFiles, sourceFiles } from './tidy.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const header = '/** For a test. */\n';

/** A `${` in a plain string looks like a mistake to linters. */
function dollars(text: string): string {
  return text.replaceAll('§', '$');
}

function textsOf(file: string, source: string): string[] {
  return checkSource(file, header + source).map(({ line, text }) => `${line}: ${text.split(':')[0]}`);
}

test('the tree keeps the rules', () => {
  const problems = checkTree(root);
  assert.equal(problems.map(({ file, line, text }) => `${file}:${line} ${text}`).join('\n'), '');
  assert.ok(sourceFiles(root).length > 100, 'the files were found');
});

test('what pure packages must not touch is found, with its line', () => {
  const cases: readonly (readonly [source: string, what: string])[] = [
    ["import { readFileSync } from 'node:fs';", '"node'],
    ["const zlib = import('node:zlib');", '"node'],
    ["import pino from 'pino';", '"pino" in a pure package'],
    ['const b = Buffer.alloc(1);', 'Buffer'],
    ['const now = Date.now();', 'Date'],
    ['const dice = Math.random();', 'Math.random'],
    ['if (process.env.X) f();', 'process'],
    ['const t = setTimeout(f, 1);', 'timers'],
    ['setImmediate(f);', 'scheduling'],
    ['queueMicrotask(f);', 'scheduling'],
    ['async function f() {}', 'promises'],
    ['const p = new Promise(f);', 'promises'],
    ['let count = 0;', 'mutable state of a module'],
    ['console.log(1);', 'console'],
    ['const l = Math.log(2);', 'engine-dependent Math'],
  ];
  for (const [source, what] of cases) {
    assert.deepEqual(textsOf('packages/core/src/x.ts', `\n${source}`), [`3: ${what}`], source);
    assert.deepEqual(textsOf('packages/core/src/x.test.ts', source), [], 'tests may use Node');
  }
});

test('words in comments, strings and regular expressions are no code', () => {
  const source = [
    '// Date.now() and await',
    "const a = 'Promise';",
    'const b = `Buffer`;',
    'const c = /process/.test(a);',
    '/* setTimeout */',
  ].join('\n');
  assert.deepEqual(textsOf('packages/core/src/x.ts', source), []);
  assert.deepEqual(textsOf('packages/core/src/x.ts', dollars('const d = `§{`§{Date.now()}`}`;')), ['2: Date']);
});

test('the code of a source has its lines and lengths', () => {
  const source = dollars("a(`x§{'}'}y`, /[/']/g, 1 / 2); // c\n/* d\n */ b;");
  const code = codeOf(source);
  assert.equal(code.length, source.length);
  assert.equal(code.replace(/ +/g, ' '), dollars("a(` §{' '} `, / /g, 1 / 2); \n \n b;"));
});

test('imports point downwards, and stop at the index of a package', () => {
  const problemOf = (file: string, target: string) => textsOf(file, `import { x } from '${target}';`).length;
  assert.equal(problemOf('packages/protocol/src/a.ts', '@zoots/core'), 1);
  assert.equal(problemOf('packages/core/src/a.ts', '@zoots/protocol'), 0);
  assert.equal(problemOf('packages/core/src/a.ts', '@zoots/protocol/dist/x.js'), 1);
  assert.equal(problemOf('packages/server/src/net/a.ts', '../turn.js'), 0);
  assert.equal(problemOf('packages/server/src/net/a.ts', '../../../core/src/server.js'), 1);
  for (const [name, targets] of Object.entries(imports)) {
    for (const target of targets)
      assert.equal(imports[target]?.includes(name), false, `${name} and ${target} in a circle`);
  }
});

test('headers, lengths, names, and no question for the simulator', () => {
  assert.equal(checkSource('packages/cli/src/x.ts', 'export {};')[0]?.line, 1);
  assert.deepEqual(checkSource('packages/cli/src/x.ts', `#!/usr/bin/env node\n${header}`), []);
  assert.equal(textsOf('packages/cli/src/x.ts', '\n'.repeat(fileLinesMax)).length, 1);
  const [long] = Object.keys(longFiles);
  assert.match(textsOf(long as string, '')[0] as string, /short enough now/);
  assert.equal(textsOf('packages/cli/src/string-utils.ts', '').length, 1);
  assert.deepEqual(textsOf('packages/storage/src/x.ts', 'if (isSimulated) f();'), [
    '2: a question whether this is a simulation',
  ]);
});
