#!/usr/bin/env node
/**
 * `zoots`: one program with subcommands. This file only finds the command; its module is loaded then and not before, so
 * that `zoots status` does not pay for the server. To add a command: a row here and `commands/<name>.ts` with `run`.
 */

export interface Command {
  /** The words behind the command's name; resolves with the exit code. */
  run(words: readonly string[]): Promise<number>;
}

interface CommandRow {
  readonly usage: string;
  readonly summary: string;
}

const commands: Readonly<Record<string, CommandRow>> = {
  server: { usage: '[-Dname=value …] [CFG | port dataDir [tickTime] [maxcnxns]]', summary: 'run a server' },
  status: { usage: '[CFG]', summary: 'say whether the configured server answers, and its mode' },
  version: { usage: '[--short | --revision | --full]', summary: 'print the version' },
  txnlog: { usage: '[options] LOGFILE', summary: 'print, repair or cut a transaction log' },
  snapshot: { usage: '[-d | -json] SNAPSHOT', summary: 'print a snapshot' },
  'snapshot-compare': { usage: '-l LEFT -r RIGHT -b BYTES -n NODES', summary: 'compare two snapshots' },
  'snapshot-summary': { usage: 'SNAPSHOT NODE DEPTH', summary: 'children and bytes per znode of a snapshot' },
  cleanup: { usage: '[dataLogDir] dataDir -n COUNT', summary: 'remove old snapshots and logs' },
  initialize: { usage: '[--configfile=CFG] [--myid=N] [--force]', summary: 'make an empty data directory' },
};

async function main(words: readonly string[]): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    console.log(helpText());
    return name === undefined ? 2 : 0;
  }
  const command = ['--version', '-v'].includes(name) ? 'version' : name;
  if (!Object.hasOwn(commands, command)) {
    console.error(`zoots: there is no command "${name}"\n\n${helpText()}`);
    return 2;
  }
  const module = (await import(new URL(`./commands/${command}.js`, import.meta.url).href)) as Command;
  return module.run(rest);
}

function helpText(): string {
  const lines = Object.entries(commands).map(([name, row]) => `  zoots ${name} ${row.usage}\n      ${row.summary}`);
  return `Usage: zoots COMMAND …\n\n${lines.join('\n')}`;
}

process.exitCode = await main(process.argv.slice(2));
