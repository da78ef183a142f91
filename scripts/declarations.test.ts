import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exportsOf, statementsOf } from './declarations.js';

let directory = '';

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'zoots-declarations-'));
});

after(() => rmSync(directory, { recursive: true, force: true }));

/** Writes files and returns the exports of the first. */
function exportsOfFiles(files: Readonly<Record<string, string>>): ReturnType<typeof exportsOf> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const [first] = Object.keys(files) as [string];
  return exportsOf(join(directory, first), (module) => join(directory, `${module.replace('@other/', '')}.d.ts`));
}

test('a statement ends where it ends, and has the last comment before it', () => {
  const source = `/** Header. */
/** Of a; with
 * two lines. */
export declare const a: { b: string; /** inner; */ c: ';'; };
export interface I { /** of x */ x(): void; }
export type T = 'a' | { y: [number; string]; };
`;
  const statements = statementsOf(source);
  assert.deepEqual(
    statements.map(({ doc }) => doc),
    ['Of a; with\ntwo lines.', '', ''],
  );
  assert.match(statements[0]?.text ?? '', /^export declare const a: \{ b: string; c: ';'; \};$/);
  assert.match(statements[2]?.text ?? '', /^export type T/);
});

test('exports are followed through files, packages and other names', () => {
  const found = exportsOfFiles({
    'index.d.ts': `export * from './a.js';\nexport { B as C, type D } from './b.js';\nexport type { E } from '@other/pkg';\n`,
    'a.d.ts': `import { D } from './b.js';\n/** A thing. */\nexport declare function a(d: D): void;\nexport declare function a(): void;\n`,
    'b.d.ts': `export declare class B {\n    #private;\n    private hidden;\n    /** Shown. */\n    shown(): void;\n}\nexport interface D {\n}\nexport type Left = 1;\n`,
    'pkg.d.ts': `type E = 2;\nexport { E };\n`,
  });
  assert.deepEqual(
    found.map(({ kind, name }) => `${kind} ${name}`),
    ['function a', 'function a', 'class C', 'interface D', 'type E'],
  );
  assert.deepEqual(found[2]?.members, [{ doc: 'Shown.', text: 'shown(): void;' }]);
  assert.equal(found[0]?.doc, 'A thing.');
});

test('a name that is declared nowhere is an error', () => {
  assert.throws(
    () => exportsOfFiles({ 'lost.d.ts': `export { X } from './gone.js';\n`, 'gone.d.ts': 'export {};\n' }),
    /X/,
  );
});
