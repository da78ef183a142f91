/**
 * Name patterns: `*` any characters but `/`, `**` also `/`, `?` one character, `[abc]` one of them, `{a,b}` alternatives,
 * a backslash takes the next character as it is. Everything else stands for itself; the whole name must match.
 */
import { UsageError } from './command-line.js';

/** Throws {@link UsageError} for a pattern that does not end what it begins. */
export function globToRegExp(glob: string, isCaseIgnored = false): RegExp {
  let source = '';
  let braceDepth = 0;
  for (let i = 0; i < glob.length; i++) {
    const character = glob[i] as string;
    if (character === '*') {
      const isDeep = glob[i + 1] === '*';
      if (isDeep) i++;
      source += isDeep ? '.*' : '[^/]*';
    } else if (character === '?') source += '[^/]';
    else if (character === '[') {
      const end = glob.indexOf(']', i + 2);
      if (end < 0) throw new UsageError(`the pattern "${glob}" has a [ without its ]`);
      source += setSource(glob.slice(i + 1, end));
      i = end;
    } else if (character === '{') {
      braceDepth++;
      source += '(?:';
    } else if (character === '}' && braceDepth > 0) {
      braceDepth--;
      source += ')';
    } else if (character === ',' && braceDepth > 0) source += '|';
    else if (character === '\\' && i + 1 < glob.length) source += escaped(glob[++i] as string);
    else source += escaped(character);
  }
  if (braceDepth > 0) throw new UsageError(`the pattern "${glob}" has a { without its }`);
  return new RegExp(`^${source}$`, isCaseIgnored ? 'is' : 's');
}

function setSource(members: string): string {
  const isNegated = /^[!^]/.test(members);
  const inside = (isNegated ? members.slice(1) : members).replace(/[\\\]^[]/g, '\\$&');
  return `[${isNegated ? '^' : ''}${inside}]`;
}

/** A text that matches itself. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
