import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { staleFiles, withParts } from './docs.js';
import { unusedExamples, withExamples } from './example-docs.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('generated documents are what the code says', () => {
  assert.deepEqual(staleFiles(), [], 'stale: run npm run docs');
});

test('every example is shown, and one that is not there is an error', () => {
  assert.deepEqual(unusedExamples(), []);
  assert.throws(() => withExamples('<!-- example: nothing.ts -->\n<!-- end -->'), /nothing\.ts/);
});

test('a missing or unknown part is an error', () => {
  assert.throws(() => withParts('# nothing'), /parts are missing/);
  assert.throws(() => withParts('<!-- generated: nonsense -->\n<!-- end -->'), /no part "nonsense"/);
});

/** Every Markdown file of the project. */
function documents(): string[] {
  const inRoot = readdirSync(root).filter((name) => name.endsWith('.md'));
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  return [...inRoot, ...inDocs];
}

test('every link and every path named in the documents leads somewhere', () => {
  const broken: string[] = [];
  for (const document of documents()) {
    const text = readFileSync(join(root, document), 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)) {
      const path = join(root, dirname(document), target as string);
      if (!existsSync(path)) broken.push(`${document}: link to ${relative(root, path)}`);
    }
    for (const [, path] of text.matchAll(/`((?:packages|scripts|bin|docs)\/[\w./-]+)`/g)) {
      if (!existsSync(join(root, path as string))) broken.push(`${document}: ${path}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('README and its Chinese twin have the same chapters, links and code', () => {
  const [english, chinese] = ['README.md', 'README.zh-CN.md'].map((name) => readFileSync(join(root, name), 'utf8'));
  const shapeOf = (text: string | undefined) => ({
    headings: text?.match(/^#+ /gm),
    links: text?.match(/\]\((?!#)[^)]+\)/g)?.filter((link) => !link.includes('README')),
    code: text?.match(/^```[\s\S]*?^```/gm)?.map((block) => block.replace(/ +#.*$/gm, '')),
    rows: text?.match(/^\|/gm)?.length,
  });
  assert.deepEqual(shapeOf(chinese), shapeOf(english));
});
