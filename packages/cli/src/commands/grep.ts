/** `zoots grep`: the lines in the data of a subtree's znodes that match a pattern. */
import { isUtf8 } from 'node:buffer';
import { type CommandLine, UsageError } from '../modern/command-line.js';
import { escaped, globToRegExp } from '../modern/glob.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import type { Output } from '../modern/output.js';
import { EXIT } from '../modern/problem.js';
import { countText } from '../modern/quantities.js';
import { readTree, type TreeNode } from '../modern/tree-reader.js';

export const command: ModernCommand = {
  name: 'grep',
  operands: { min: 1, max: 2 },
  options: [
    { long: 'ignore-case', short: 'i', text: 'upper and lower case are the same' },
    { long: 'fixed', short: 'F', text: 'PATTERN is a text, not a regular expression' },
    { long: 'list', short: 'l', text: 'print only the paths' },
    { long: 'name', short: 'n', value: 'GLOB', text: 'only in znodes with such a name' },
  ],
  notes: `PATH is / if it is left out; the data of /zookeeper are searched only if PATH says so. PATTERN is a regular expression
as in JavaScript. Data that are no UTF-8 text are searched byte by byte, and their lines not shown. The exit code is 1
if nothing matches. JSON: {"path", "line", "text"} per line, {"path", "binary": true} for other data; with --list
{"path"}.

  zoots grep -i 'password|secret' /app`,

  async run(invocation) {
    const { line, out } = invocation;
    const [pattern, path = '/'] = line.operands as [string, string | undefined];
    const search = { expression: expressionOf(line, pattern), isList: line.has('list') };
    const name = line.value('name') === undefined ? null : globToRegExp(line.value('name') as string);
    const client = await invocation.connect();
    let [matchCount, deniedCount] = [0, 0];
    const isLeftOut = (child: string): boolean => path === '/' && child === '/zookeeper';
    for await (const node of readTree(client, path, { data: true, isLeftOut })) {
      if (node.isDenied) deniedCount++;
      if (name !== null && !name.test(node.name)) continue;
      if (node.data instanceof Buffer && searchNode(out, node, node.data, search)) matchCount++;
      await out.ready();
    }
    if (deniedCount > 0) out.note(`zoots grep: ${countText(deniedCount, 'znode')} may not be read; see --auth`);
    return matchCount > 0 ? EXIT.ok : EXIT.refused;
  },
};

function expressionOf(line: CommandLine, pattern: string): RegExp {
  try {
    return new RegExp(line.has('fixed') ? escaped(pattern) : pattern, line.has('ignore-case') ? 'gi' : 'g');
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; --fixed searches for the text as it is`);
  }
}

interface Search {
  readonly expression: RegExp;
  readonly isList: boolean;
}

/** Whether anything matched. */
function searchNode(out: Output, { path }: TreeNode, data: Buffer, { expression, isList }: Search): boolean {
  const isText = isUtf8(data);
  if (!isText || isList) {
    if (data.toString(isText ? 'utf8' : 'latin1').search(expression) < 0) return false;
    if (out.isJson) out.json(isList ? { path } : { path, binary: true });
    else out.line(isList ? out.styled('magenta', path) : `${out.styled('magenta', path)}: binary data match`);
    return true;
  }
  let isFound = false;
  for (const [index, text] of data.toString('utf8').split(/\r?\n/).entries()) {
    if (text.search(expression) < 0) continue;
    isFound = true;
    writeMatch(out, path, index + 1, text, expression);
  }
  return isFound;
}

function writeMatch(out: Output, path: string, line: number, text: string, expression: RegExp): void {
  if (out.isJson) {
    out.json({ path, line, text });
    return;
  }
  const shown = text.replace(expression, (match) => (match === '' ? '' : out.styled('red', match)));
  out.line(`${out.styled('magenta', path)}:${line}:${shown}`);
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
