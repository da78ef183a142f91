/**
 * Where our zkCli differs from Apache's on purpose (decision 0012). A row is checked from both sides: ours must print what it says, and
 * Apache's must still print something else.
 */

export interface KnownDifference {
  readonly why: string;
  /** What ours prints; undefined is not compared. */
  readonly out?: string;
  readonly error?: string;
  readonly exitCode?: number;
}

const DIES = "Apache's dies with a stack trace, and a shell with it";
const WATCH_WORD =
  "the word behind the path asks for a watch wherever the options stand; Apache's takes it for the path then";
const STALE = "3.4's version behind the path counts; Apache's 3.9 ignores it";
const DEPRECATED = "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.\n";

/** By the command line as typed, of scripts. */
export const scriptDifferences: Readonly<Record<string, KnownDifference>> = {};

/** By the words, joined by blanks, of single commands. */
export const singleDifferences: Readonly<Record<string, KnownDifference>> = {
  version: { why: 'the version is ours', exitCode: 0, error: '' },
  help: { why: 'users type it; it lists the commands', exitCode: 0 },
  exit: { why: "a word of Apache's next version", out: 'Connecting to 127.0.0.1:PORT\n', error: '', exitCode: 0 },
  'rmr /nope': {
    why: 'kept from 3.4 and 3.5',
    error: "The command 'rmr' has been deprecated. Please use 'deleteall' instead.\nNode does not exist: /nope\n",
    exitCode: 1,
  },
  'ls2 /zookeeper': { why: 'kept from 3.4 and 3.5', exitCode: 0 },
  'set /three z 0': { why: STALE, error: 'version No is not valid : /three\n', exitCode: 1 },
  'set /three many words': {
    why: "half of the data is nobody's wish",
    error: '"words" is not a version: data with blanks in it must stand in quotes\n',
    exitCode: 1,
  },
  'get /three': { why: 'set as it was meant', exitCode: 0 },
  'delete /three 7': {
    why: STALE,
    error: `${DEPRECATED}version No is not valid : /three\n`,
    exitCode: 1,
  },
  'delete /three x': {
    why: STALE,
    error: `${DEPRECATED}"x" is not a version: data with blanks in it must stand in quotes\n`,
    exitCode: 1,
  },
  'delete /three 1': { why: STALE, error: DEPRECATED, exitCode: 0 },
  'get -s /zookeeper watch': { why: WATCH_WORD, exitCode: 0 },
  'ls -s /zookeeper true': { why: WATCH_WORD, exitCode: 0 },
  'stat -w /zookeeper x': { why: WATCH_WORD, exitCode: 0 },
  'set / x -v abc': { why: DIES, error: '-v argument must be an int value\n', exitCode: 1 },
  'set -b / ***': { why: DIES, error: '-b argument must be base64 data\n', exitCode: 1 },
  'delete -v abc /x': { why: DIES, error: '-v argument must be an int value\n', exitCode: 1 },
  'setAcl -v abc / world:anyone:r': { why: DIES, error: '-v argument must be an int value\n', exitCode: 1 },
  'addWatch a': { why: DIES, error: 'Path must start with / character\n', exitCode: 1 },
  'redo x': { why: DIES, error: 'Command index out of range\n', exitCode: 1 },
  '-timeout abc ls /': { why: DIES, error: '-timeout takes milliseconds, not "abc"\n', exitCode: 1 },
  'ending a bad identity': { why: 'the refusal is told', error: 'KeeperErrorCode = AuthFailed\n', exitCode: 1 },
  'nobody -timeout 1500 -waitforconnection ls /': {
    why: DIES,
    error: 'KeeperErrorCode = ConnectionLoss\n',
    exitCode: 1,
  },
  'nobody whoami': {
    why: "Apache's takes no answer for an answer",
    error: 'KeeperErrorCode = ConnectionLoss\n',
    exitCode: 1,
  },
  '-client-configuration /nonexistent/file ls /': {
    why: 'the reason without a stack trace',
    error: 'Error while processing /nonexistent/file: the file is missing\n',
    exitCode: 2,
  },
};
