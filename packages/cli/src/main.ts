#!/usr/bin/env node
/**
 * `zoots`: one program with subcommands. This file only finds the command; its module is loaded then and not before, so
 * that `zoots status` does not pay for the server. To add a command: a row in `command-table.ts` and
 * `commands/<name>.ts` with `run`.
 */
import { fileURLToPath } from 'node:url';
import { bundleFile, type CommandModule, isCurrent, loadBundle } from './bundled.js';
import { findCommand, helpText } from './command-table.js';

const helpWords: ReadonlySet<string> = new Set(['help', '--help', '-h']);

async function main(words: readonly string[]): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || (helpWords.has(name) && rest.length === 0)) {
    console.log(helpText());
    return name === undefined ? 2 : 0;
  }
  if (helpWords.has(name)) return main([rest[0] as string, '--help']);
  const command = ['--version', '-v'].includes(name) ? 'version' : name;
  if (findCommand(command) === undefined) {
    console.error(`zoots: there is no command "${name}"\n\n${helpText()}`);
    return 2;
  }
  return (await load(command)).run(rest);
}

async function load(command: string): Promise<CommandModule> {
  const bundle = bundleFile(command, fileURLToPath(new URL('.', import.meta.url)));
  if (isCurrent(bundle)) return loadBundle(bundle).module;
  return (await import(new URL(`commands/${command}.js`, import.meta.url).href)) as CommandModule;
}

process.exitCode = await main(process.argv.slice(2));
