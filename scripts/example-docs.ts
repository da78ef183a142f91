/**
 * Puts the examples into the guide, the recipes and the migration pages. Between `<!-- example: NAME -->` and `<!-- end -->` of
 * docs/recipes.md or a page in docs/client stands the text of examples/NAME, which runs as a test (packages/e2e/src/examples.test.ts).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = join(root, 'docs', 'client');

const LANGUAGES: Readonly<Record<string, string>> = { '.ts': 'ts', '.mjs': 'js', '.cjs': 'js' };

/** The pages that may have examples. */
export function examplePages(): string[] {
  const names = readdirSync(pages).filter((name) => name.endsWith('.md'));
  return [join(root, 'docs', 'recipes.md'), ...names.map((name) => join(pages, name))];
}

/** A page's text with its examples as they should be. Throws Error for an example that is not there. */
export function withExamples(text: string): string {
  return text.replace(
    /(<!-- example: (\S+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => {
      const source = readFileSync(join(root, 'examples', name), 'utf8').trimEnd();
      return `${start}\`\`\`${LANGUAGES[extname(name)]}\n${source}\n\`\`\`\n${end}`;
    },
  );
}

/** Examples that no page shows. */
export function unusedExamples(): string[] {
  const shown = new Set<string>();
  for (const page of examplePages()) {
    for (const [, name] of readFileSync(page, 'utf8').matchAll(/<!-- example: (\S+) -->/g)) shown.add(name as string);
  }
  return readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
    .filter((name) => extname(name) in LANGUAGES && !name.startsWith('dist'))
    .filter((name) => !shown.has(name));
}
