/** The commands of zkCli for docs/operations.md: names and options from its table, and what each does. */
import { commandNames, commandUsage } from '@zoots/cli';

/** A command without a text here fails the generation. */
const texts: Readonly<Record<string, string>> = {
  addWatch: 'leaves a watch that stays, on a znode or its whole subtree',
  addauth: 'presents an identity: `addauth digest user:password`',
  close: 'closes the session; `connect` opens another',
  config: "the ensemble's configuration; `-c` only its version and where clients connect, `-w` with a watch",
  connect: 'closes the session and connects to other servers, or to the same again',
  create: 'makes a znode: `-s` sequential, `-e` ephemeral, `-c` container, `-t` with a time to live in ms',
  delete: 'deletes a znode without children',
  deleteall: 'deletes a subtree, leaves first, in transactions of 1000',
  delquota: 'removes a limit, or without an option the quota',
  get: 'the data; `-s` with the stat, `-w` with a watch, `-b` as base64, `-x` as a hex dump',
  getAcl: 'the access list, two lines an entry',
  getAllChildrenNumber: 'how many znodes there are below',
  getEphemerals: "this session's ephemeral znodes whose paths begin so",
  history: 'the last commands, with their numbers',
  listquota: 'limits and usage',
  ls: 'the names of the children; `-s` with the stat, `-w` with a watch, `-R` the whole subtree',
  printwatches: 'whether events are printed',
  quit: 'closes the session and leaves',
  reconfig: 'changes the members of the ensemble; `-v` takes a version in hex',
  redo: 'runs a command of the history again',
  removewatches:
    'takes watches away: `-c` child, `-d` data, `-p` persistent, `-r` recursive, `-a` any; `-l` even without a server',
  set: 'sets the data; `-v` only if this is the version, `-b` the data is base64, `-s` prints the stat',
  setAcl: 'sets the access list, `scheme:id:perms` with commas between; `-R` of the whole subtree',
  setquota: 'limits a subtree: `-n` znodes and `-b` bytes softly, `-N` and `-B` hard (with `enforceQuota`)',
  stat: 'the stat; `-w` with a watch, also for a znode that is not there',
  sync: 'waits until the server has everything that was written before',
  version: 'the version of this program',
  whoami: 'the identities of this connection',
};

export function commandTable(): string[] {
  return ['| command | |', '|---|---|', ...commandNames().map(commandLine)];
}

function commandLine(name: string): string {
  const text = texts[name];
  if (text === undefined) throw new Error(`scripts/zkcli-docs.ts: say what zkCli's ${name} does`);
  // The usage of addWatch explains itself behind a #.
  const usage = `${name} ${commandUsage(name)}`.replace(/ # .*$/, '').trimEnd();
  return `| \`${usage.replaceAll('|', '\\|')}\` | ${text} |`;
}
