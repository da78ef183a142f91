/**
 * Reads the declaration files that the compiler writes (`dist/*.d.ts`) into a list of what a package exports, with its
 * docstrings. Declaration files have a small grammar: statements, each with a comment before it; the bodies of classes and
 * interfaces are statements again. What a statement means is left to its text, as the compiler wrote it.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A statement, or a member of a class or interface. */
export interface Statement {
  /** The comment before it, without stars. Empty if there is none. */
  readonly doc: string;
  /** Without comments, on as many lines as the compiler used. */
  readonly text: string;
}

export interface Declaration extends Statement {
  readonly name: string;
  readonly kind: 'class' | 'interface' | 'type' | 'function' | 'const';
  /** Of a class or interface; private ones are left out. */
  readonly members: readonly Statement[];
  /** The declaration file it stands in. */
  readonly file: string;
}

/** The statements of a declaration file, or of what stands between the braces of a class or interface. */
export function statementsOf(source: string): Statement[] {
  const statements: Statement[] = [];
  let doc = '';
  let at = 0;
  while (at < source.length) {
    const rest = source.slice(at);
    const blank = /^\s+|^\/\/.*\n?/.exec(rest);
    const comment = /^\/\*[\s\S]*?\*\//.exec(rest);
    if (blank !== null) at += blank[0].length;
    else if (comment !== null) {
      if (comment[0].startsWith('/**')) doc = docOf(comment[0]);
      at += comment[0].length;
    } else {
      const end = endOfStatement(source, at);
      statements.push({ doc, text: withoutComments(source.slice(at, end)) });
      doc = '';
      at = end;
    }
  }
  return statements;
}

/** A class or interface ends with its brace, everything else with a semicolon. */
function endOfStatement(source: string, start: number): number {
  const endsWithBrace = /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface)\b/.test(source.slice(start));
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    const rest = source.slice(at, at + 2);
    const character = source[at] as string;
    if (rest === '/*') at = source.indexOf('*/', at) + 1;
    else if (rest === '//') at = endOfLine(source, at) - 1;
    else if ('"\'`'.includes(character)) at = endOfString(source, at);
    else if ('({['.includes(character)) depth += 1;
    else if (')}]'.includes(character)) {
      depth -= 1;
      if (depth === 0 && endsWithBrace && character === '}') return at + 1;
    } else if (character === ';' && depth === 0) return at + 1;
  }
  return source.length;
}

function endOfLine(source: string, start: number): number {
  const end = source.indexOf('\n', start);
  return end < 0 ? source.length : end;
}

function endOfString(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === source[start]) return at;
  }
  return source.length;
}

/** Comments in front of members are read with the members; here they would only be in the way. */
function withoutComments(text: string): string {
  return text.replace(/\n?[ \t]*\/\*[\s\S]*?\*\//g, '').trim();
}

/** What a comment says, its indented lines still indented. */
export function docOf(comment: string): string {
  const lines = comment.slice(3, -2).split('\n');
  return lines
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

const DECLARATION = /^(?:export )?(?:declare )?(?:abstract )?(class|interface|type|function|const) ([\w$]+)/;

function declarationOf(statement: Statement, body: string, file: string): Declaration | null {
  const match = DECLARATION.exec(statement.text);
  if (match === null) return null;
  const [, kind, name] = match as unknown as [string, Declaration['kind'], string];
  const text = statement.text.replace(/^(?:export )?(?:declare )?/, '');
  const hasBody = kind === 'class' || kind === 'interface';
  const members = hasBody ? statementsOf(body).filter(isPublic) : [];
  return { doc: statement.doc, name, kind, file, members, text: hasBody ? headOf(text) : text };
}

function isPublic({ text, doc }: Statement): boolean {
  return !/^(?:#|private\b|protected\b)/.test(text) && !/@internal\b/.test(doc);
}

/** `class X<T> extends Y` without what is between its braces. */
function headOf(text: string): string {
  return text.slice(0, text.indexOf('{')).trim();
}

/** The declarations that stand in a file themselves, by name; a function with overloads has several. */
function declarationsIn(file: string): Map<string, Declaration[]> {
  const source = readFileSync(file, 'utf8');
  const found = new Map<string, Declaration[]>();
  let at = 0;
  for (const statement of statementsOf(source)) {
    // The body is read from the source, since the statement's text has lost the comments of its members.
    const head = headOf(`${statement.text.split('\n')[0]}{`);
    at = source.indexOf(head, at);
    const end = endOfStatement(source, at);
    const whole = source.slice(at, end);
    const declaration = declarationOf(statement, whole.slice(whole.indexOf('{') + 1, whole.lastIndexOf('}')), file);
    at = end;
    if (declaration !== null) found.set(declaration.name, [...(found.get(declaration.name) ?? []), declaration]);
  }
  return found;
}

const EXPORT_ALL = /^export \* from ['"](.+)['"];$/;
const EXPORT_NAMES = /^export (?:type )?\{([\s\S]*)\}(?: from ['"](.+)['"])?;$/;
const IMPORT_NAMES = /^import (?:type )?\{([\s\S]*)\} from ['"](.+)['"];$/;

/**
 * What a declaration file exports, in the order of its statements, names of other files followed to where they are declared.
 * `fileOf` says which file a module of another package is. Throws Error for a name that is nowhere.
 */
export function exportsOf(file: string, fileOf: (module: string) => string): Declaration[] {
  const target = (module: string): string =>
    module.startsWith('.') ? join(dirname(file), module.replace(/\.js$/, '.d.ts')) : fileOf(module);
  const own = declarationsIn(file);
  const imports = new Map<string, string>();
  const found: Declaration[] = [];
  for (const { text } of statementsOf(readFileSync(file, 'utf8'))) {
    const all = EXPORT_ALL.exec(text);
    const names = EXPORT_NAMES.exec(text);
    const imported = IMPORT_NAMES.exec(text);
    const name = /^export /.test(text) ? DECLARATION.exec(text)?.[2] : undefined;
    if (all !== null) found.push(...exportsOf(target(all[1] as string), fileOf));
    else if (imported !== null) {
      for (const each of namesIn(imported[1] as string)) imports.set(each.local, imported[2] as string);
    } else if (names !== null) {
      for (const { local, exported } of namesIn(names[1] as string)) {
        const module = names[2] ?? imports.get(local);
        const from = module === undefined ? (own.get(local) ?? []) : exportsOf(target(module), fileOf);
        const chosen = from.filter((declaration) => declaration.name === local);
        if (chosen.length === 0) throw new Error(`${file}: where is ${local} declared?`);
        found.push(...chosen.map((declaration) => ({ ...declaration, name: exported })));
      }
    } else if (name !== undefined && !found.some((each) => each.name === name && each.file === file)) {
      found.push(...(own.get(name) as Declaration[]));
    }
  }
  return found;
}

/** `A, type B as C` */
function namesIn(list: string): { local: string; exported: string }[] {
  return list
    .split(',')
    .map((each) => each.trim().replace(/^type /, ''))
    .filter((each) => each !== '')
    .map((each) => {
      const [local, exported] = each.split(' as ') as [string, string?];
      return { local, exported: exported ?? local };
    });
}
