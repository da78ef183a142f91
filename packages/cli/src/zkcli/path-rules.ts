/** Which paths zkCli refuses before it asks the server, and in which words (ZooKeeper's PathUtils). */
import { CliError } from './errors.js';

/** The path as it is, or {@link CliError}. A sequential znode's path may end with a slash: its number follows. */
export function checkedPath(path: string, isSequential = false): string {
  const problem = pathProblem(isSequential ? `${path}1` : path);
  if (problem !== null) throw new CliError(problem);
  return path;
}

/** What is wrong with a path; null if nothing is. */
export function pathProblem(path: string): string | null {
  if (path === '') return 'Path length must be > 0';
  if (!path.startsWith('/')) return 'Path must start with / character';
  if (path === '/') return null;
  if (path.endsWith('/')) return 'Path must not end with / character';
  for (let i = 1; i < path.length; i++) {
    const reason = problemAt(path, i);
    if (reason !== null) return `Invalid path string "${path}" caused by ${reason} @${i}`;
  }
  return null;
}

function problemAt(path: string, i: number): string | null {
  const unit = path.charCodeAt(i);
  if (unit === 0) return 'null character not allowed';
  if (path[i] === '/' && path[i - 1] === '/') return 'empty node name specified';
  if (path[i] === '.' && (i + 1 === path.length || path[i + 1] === '/')) {
    const isDots = path[i - 1] === '/' || (path[i - 1] === '.' && path[i - 2] === '/');
    return isDots ? 'relative paths not allowed' : null;
  }
  return isForbidden(unit) ? 'invalid character' : null;
}

/** In UTF-16 units, so that characters beyond U+FFFF are refused as well. */
function isForbidden(unit: number): boolean {
  return (
    unit <= 0x1f ||
    (unit >= 0x7f && unit <= 0x9f) ||
    (unit >= 0xd800 && unit <= 0xf8ff) ||
    (unit >= 0xfff0 && unit <= 0xffff)
  );
}
