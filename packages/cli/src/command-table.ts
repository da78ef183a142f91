/**
 * The subcommands of `zoots`, one row each, by section: what they take and what they are for. A row's module is
 * `commands/<name>.ts`; nothing is loaded here, so that help costs nothing.
 */

export interface CommandRow {
  /** What follows the name. */
  readonly usage: string;
  readonly summary: string;
}

export interface CommandSection {
  readonly title: string;
  readonly commands: Readonly<Record<string, CommandRow>>;
}

export const sections: readonly CommandSection[] = [
  {
    title: 'Servers',
    commands: {
      server: { usage: '[-Dname=value …] [CFG | port dataDir [tickTime] [maxcnxns]]', summary: 'run a server' },
      status: { usage: '[CFG]', summary: 'say whether the configured server answers, and its mode' },
      version: { usage: '[--short | --revision | --full]', summary: 'print the version' },
    },
  },
  {
    title: 'Data directories',
    commands: {
      initialize: { usage: '[--configfile=CFG] [--myid=N] [--force]', summary: 'make an empty data directory' },
      cleanup: { usage: '[dataLogDir] dataDir -n COUNT', summary: 'remove old snapshots and logs' },
      txnlog: { usage: '[options] LOGFILE', summary: 'print, repair or cut a transaction log' },
      snapshot: { usage: '[-d | -json] SNAPSHOT', summary: 'print a snapshot' },
      'snapshot-compare': { usage: '-l LEFT -r RIGHT -b BYTES -n NODES', summary: 'compare two snapshots' },
      'snapshot-summary': { usage: 'SNAPSHOT NODE DEPTH', summary: 'children and bytes per znode of a snapshot' },
    },
  },
];

/** Undefined if there is no such command. */
export function findCommand(name: string): CommandRow | undefined {
  const section = sections.find(({ commands }) => Object.hasOwn(commands, name));
  return section?.commands[name];
}

export function helpText(): string {
  const parts = sections.map(({ title, commands }) => {
    const names = Object.keys(commands);
    return `${title}:\n${names.map((name) => `  ${name.padEnd(18)}${commands[name]?.summary}`).join('\n')}`;
  });
  return `Usage: zoots COMMAND …\n\n${parts.join('\n\n')}\n\nzoots COMMAND --help says what a command takes.`;
}
