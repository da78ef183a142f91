/** What the tab key offers: names of commands for the first word, znodes for a word that begins with a slash. */
import { commandNames } from './command-rows.js';

/** Names of a znode's children; empty if they cannot be had. */
export type ListChildren = (path: string) => Promise<readonly string[]>;

/** So many are offered at most. */
const OFFERED_MAX = 1000;

/** The candidates for the last word of the line, and that word. */
export async function complete(line: string, list: ListChildren): Promise<[string[], string]> {
  const word = /[^\s'"]*$/.exec(line)?.[0] ?? '';
  if (word.startsWith('/')) return [await completePath(word, list), word];
  const isFirst = line.trimStart() === word;
  return [isFirst ? commandNames().filter((name) => name.startsWith(word)) : [], word];
}

async function completePath(word: string, list: ListChildren): Promise<string[]> {
  const slash = word.lastIndexOf('/');
  const parent = word.slice(0, slash);
  const children = await list(parent === '' ? '/' : parent);
  const paths = children.map((name) => `${parent}/${name}`).filter((path) => path.startsWith(word));
  return paths.sort().slice(0, OFFERED_MAX);
}
