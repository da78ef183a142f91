/**
 * The API reference, docs/client/api/PACKAGE.md: what each package exports, a chapter for each of its files, as their
 * docstrings have it. Written by `npm run docs`; docs.ts says how to check it.
 */
import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Declaration, docOf, exportsOf, type Statement } from './declarations.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packages = join(root, 'packages');

/** The packages that have a page. */
export const apiPackages = ['client', 'recipes', 'testing'] as const;
export type ApiPackage = (typeof apiPackages)[number];

export function apiFile(name: ApiPackage): string {
  return join(root, 'docs', 'client', 'api', `${name}.md`);
}

/** The page of a built package. Throws Error if the package is not built. */
export function apiPage(name: ApiPackage): string {
  const index = join(packages, name, 'dist', 'index.d.ts');
  const declarations = exportsOf(index, (module) => {
    const [, scoped] = /^@zoots\/([\w-]+)$/.exec(module) ?? [];
    if (scoped === undefined) throw new Error(`${index}: ${module} is exported again; export names of @zoots only`);
    return join(packages, scoped, 'dist', 'index.d.ts');
  });
  const chapters = new Map<string, Declaration[]>();
  for (const declaration of declarations) {
    chapters.set(declaration.file, [...(chapters.get(declaration.file) ?? []), declaration]);
  }
  const known = new Set(declarations.map((declaration) => declaration.name));
  const lines = [
    `# @zoots/${name}`,
    '',
    '<!-- Generated from the docstrings by `npm run docs`. -->',
    '',
    linked(headerOf(index), known),
    '',
    ...contents(declarations),
    '',
    ...[...chapters].flatMap(([file, members]) => chapter(name, file, members, known)),
  ];
  return `${lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}

const KINDS: readonly (readonly [Declaration['kind'], string])[] = [
  ['function', 'Functions'],
  ['class', 'Classes'],
  ['interface', 'Interfaces'],
  ['type', 'Types'],
  ['const', 'Constants'],
];

function contents(declarations: readonly Declaration[]): string[] {
  return KINDS.flatMap(([kind, title]) => {
    const names = new Set(declarations.filter((each) => each.kind === kind).map((each) => each.name));
    const links = [...names].sort().map((name) => `[${name}](#${name.toLowerCase()})`);
    return links.length === 0 ? [] : [`**${title}:** ${links.join(', ')}`, ''];
  });
}

function chapter(
  owner: string,
  file: string,
  declarations: readonly Declaration[],
  known: ReadonlySet<string>,
): string[] {
  const [packageName, , ...path] = relative(packages, file).split(sep);
  const name = path.join('/').replace(/\.d\.ts$/, '');
  // What a file says of itself is of no use to readers of a single constant of it, or of another package's.
  const isWorth = packageName === owner && declarations.some(({ kind }) => kind !== 'const');
  const lines = ['---', '', `*${packageName}/${name}*`, '', isWorth ? linked(headerOf(file), known) : '', ''];
  let last = '';
  for (const declaration of declarations) {
    // Overloads share a heading.
    if (declaration.name !== last) lines.push(`## ${declaration.name}`, '');
    last = declaration.name;
    lines.push(...code(declaration), '', linked(declaration.doc, known), '');
    for (const member of declaration.members.filter(isForUsers))
      lines.push(...memberLines(member, declaration.kind, known));
  }
  return lines;
}

/** A constructor that says "Made by …" is not for users, and names types that they cannot import. */
function isForUsers({ text, doc }: Statement): boolean {
  return !(text.startsWith('constructor(') && doc.startsWith('Made by'));
}

function code({ kind, text }: Declaration): string[] {
  return ['```ts', kind === 'class' || kind === 'interface' ? `${text} { … }` : text.replaceAll('    ', '  '), '```'];
}

/** A method has a heading of its own; a field is an entry of a list. */
function memberLines({ doc, text }: Statement, kind: Declaration['kind'], known: ReadonlySet<string>): string[] {
  const signature = text.replace(/;$/, '').replace(/\s+/g, ' ');
  const isMethod = kind === 'class' && /^(?:static )?(?:async )?[\w$[\].]+(?:<[^(]*>)?\(/.test(signature);
  if (isMethod) return [`### \`${signature}\``, '', linked(doc, known), ''];
  const [first, ...rest] = linked(doc, known).split('\n');
  // What is itself a list begins on a line of its own.
  const dash = first?.startsWith('- ') ? '\n  ' : ' — ';
  const body =
    first === '' ? '' : `${dash}${[first, ...rest.map((line) => (line === '' ? '' : `  ${line}`))].join('\n')}`;
  return [`- \`${signature}\`${body}`, ''];
}

/** The comment at the head of the source file that a declaration file was made from. */
function headerOf(file: string): string {
  const source = file.replace(`${sep}dist${sep}`, `${sep}src${sep}`).replace(/\.d\.ts$/, '.ts');
  const [header] = /^\/\*\*[\s\S]*?\*\//.exec(readFileSync(source, 'utf8')) ?? [];
  return header === undefined ? '' : docOf(header);
}

/** `{@link X}` as a link to X if the page has it; `@throws {X}` as an entry of a list. */
function linked(doc: string, known: ReadonlySet<string>): string {
  const link = (name: string, text: string): string =>
    known.has(name) ? `[${text}](#${name.toLowerCase()})` : `\`${text}\``;
  return preformatted(doc)
    .replace(/\{@link ((\w+)[.\w]*)\}/g, (_, text: string, name: string) => link(name, text))
    .replace(/^@throws \{(\w+)\}\s*/gm, (_, name: string) => `- throws ${link(name, name)}: `)
    .replace(/@throws \{(\w+)\}/g, (_, name: string) => `Throws ${link(name, name)}`);
}

/** Tables and trees are indented by two spaces in comments; Markdown keeps lines as they are from four on. */
function preformatted(doc: string): string {
  return doc.replace(/(?<=^|\n\n) {2,3}(?![ -]).*(?:\n {2,}.*)*/g, (block) => block.replace(/^/gm, '    '));
}
