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
    title: 'Znodes',
    commands: {
      cli: {
        usage: '[-server h1:2181,h2:2181/chroot] [-timeout MS] [-r] [-waitforconnection] [command …]',
        summary: "Apache's zkCli: a shell, one command, or commands from a pipe",
      },
      ls: { usage: '[PATH] [-l] [-R]', summary: 'list children' },
      tree: { usage: '[PATH] [-d N]', summary: 'draw a subtree' },
      get: { usage: 'PATH', summary: 'print the data of a znode' },
      set: { usage: 'PATH [DATA | --file FILE]', summary: 'write the data of a znode' },
      create: { usage: 'PATH [DATA | --file FILE]', summary: 'create a znode' },
      rm: { usage: 'PATH… [-r]', summary: 'delete znodes' },
      stat: { usage: 'PATH', summary: 'print the metadata of a znode' },
      acl: { usage: 'PATH [ACL] [-R]', summary: 'print or set an ACL' },
      find: { usage: '[PATH] [conditions]', summary: 'find znodes by name, owner, size or age' },
      grep: { usage: 'PATTERN [PATH]', summary: 'search the data of a subtree' },
      watch: { usage: 'PATH [-R]', summary: 'print changes as they come' },
    },
  },
  {
    title: 'Subtrees',
    commands: {
      cp: { usage: 'SOURCE TARGET [-r]', summary: 'copy a znode or a subtree, also between servers' },
      export: { usage: '[PATH | SNAPSHOT] [-o FILE]', summary: 'write a subtree as JSON lines' },
      import: { usage: 'FILE [PATH] [--merge]', summary: 'write what was exported into a server' },
      diff: { usage: 'LEFT RIGHT', summary: 'compare servers, subtrees, exports and snapshots' },
    },
  },
  {
    title: 'Coordination',
    commands: {
      lock: { usage: 'PATH [--wait TIME] -- COMMAND…', summary: 'run a command while holding a lock' },
      elect: { usage: 'PATH [--wait TIME] -- COMMAND…', summary: 'run a command once it leads' },
    },
  },
  {
    title: 'Servers',
    commands: {
      server: { usage: '[-Dname=value …] [CFG | port dataDir [tickTime] [maxcnxns]]', summary: 'run a server' },
      top: { usage: '[--once]', summary: 'show roles, latency and load of all servers, live' },
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
