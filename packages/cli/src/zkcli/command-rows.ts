/** Every command of zkCli: those of the server, and those of the shell itself with their usage. */
import type { CommandRow } from './command.js';
import { quotaCommands } from './quota-commands.js';
import { readCommands } from './read-commands.js';
import { watchCommands } from './watch-commands.js';
import { writeCommands } from './write-commands.js';

/** By name; an own property or nothing. */
export const serverCommands: Readonly<Record<string, CommandRow>> = {
  ...readCommands,
  ...writeCommands,
  ...watchCommands,
  ...quotaCommands,
};

/** Commands of the shell, with what stands behind them in the usage. `shell.ts` runs them. */
export const shellUsages = {
  connect: 'host:port',
  history: '',
  redo: 'cmdno',
  printwatches: 'on|off',
  quit: '',
} as const;

/** The names that the usage lists and the tab key completes, sorted as Java sorts. */
export function commandNames(): string[] {
  const names = Object.entries(serverCommands).flatMap(([name, row]) => (row.isHidden ? [] : [name]));
  return [...names, ...Object.keys(shellUsages)].sort();
}

/** What stands behind a command's name in the usage. */
export function commandUsage(name: string): string {
  const usages: Readonly<Record<string, string>> = shellUsages;
  return serverCommands[name]?.usage ?? usages[name] ?? '';
}

/** The list of commands that follows a command that does not exist. */
export function usageText(): string {
  const lines = commandNames().map((name) => `\t${name} ${commandUsage(name)}`);
  return ['ZooKeeper -server host:port -client-configuration properties-file cmd args', ...lines].join('\n');
}
