/**
 * The lines that were typed in earlier shells, one a line in a file of the user's own, newest last. Losing it is no error. Lines that
 * hold a password (addauth) are never written.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const LINES_MAX = 1000;

export class HistoryFile {
  readonly #path: string;

  /** `ZOOTS_CLI_HISTORY` names another file; an empty one means none. */
  constructor(env: NodeJS.ProcessEnv) {
    this.#path = env.ZOOTS_CLI_HISTORY ?? join(homedir(), '.zoots_cli_history');
  }

  /** Newest last. Shortens the file when it has become twice as long as it should be. */
  load(): string[] {
    if (this.#path === '') return [];
    let lines: string[];
    try {
      lines = readFileSync(this.#path, 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      if (lines.length > 2 * LINES_MAX) {
        writeFileSync(this.#path, `${lines.slice(-LINES_MAX).join('\n')}\n`, { mode: 0o600 });
      }
    } catch {
      // No file yet, or one that is not ours to read: the shell works without.
      return [];
    }
    return lines.slice(-LINES_MAX);
  }

  add(line: string): void {
    if (this.#path === '' || line.trim() === '' || /^\s*addauth\b/.test(line)) return;
    try {
      appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
    } catch {
      // A read-only home directory, for one.
    }
  }
}
