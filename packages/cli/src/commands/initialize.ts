/**
 * `zoots initialize`, called by zkServer-initialize.sh: makes empty data directories for the server that a configuration
 * file describes, with its myid and the marker that lets it start with an empty database. Options, lines and exit codes
 * are those of Apache's script; but --force refuses while a server is using the directories.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataDirectories, parseProperties, StartupError } from '@zoots/server';
import { defaultConfigFile } from '../checkout.js';

interface Options {
  configFile: string;
  myid: string;
  isForced: boolean;
}

export async function run(words: readonly string[]): Promise<number> {
  const options: Options = { configFile: defaultConfigFile(process.env), myid: '', isForced: false };
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined && word !== ''; word = rest.shift()) {
    const match = /^--(configfile|myid)(?:=(.+))?$/.exec(word);
    if (match?.[1] === 'configfile') options.configFile = match[2] ?? rest.shift() ?? '';
    else if (match?.[1] === 'myid') options.myid = match[2] ?? rest.shift() ?? '';
    else if (word === '--force') options.isForced = true;
    else return usage(word, options.configFile);
  }
  try {
    return await initialize(options);
  } catch (error) {
    console.error(`cannot initialize the data directories: ${(error as Error).message}`);
    return 1;
  }
}

function usage(word: string, configFile: string): number {
  if (word !== '-h' && word !== '--help') console.log(`Unknown option: ${word}`);
  console.log(`usage: zkServer-initialize.sh <parameters>
  Optional parameters:
     -h, --help            Show this text
     --configfile=FILE     The server's configuration (${configFile})
     --myid=N              The server's number in its ensemble, 0 to 255
     --force               Begin anew: remove what the data directories hold`);
  return 1;
}

/** The exit code. */
async function initialize({ configFile, myid, isForced }: Options): Promise<number> {
  if (!existsSync(configFile)) return refuse(`Unable to find config file at ${configFile}`);
  const keys = new Map(parseProperties(readFileSync(configFile, 'utf8')).map(({ key, value }) => [key, value]));
  const dataDir = keys.get('dataDir') ?? '';
  const dataLogDir = keys.get('dataLogDir') ?? '';
  if (dataDir === '') return refuse(`Unable to determine dataDir from ${configFile}`);
  const remedy = '(or use --force to force re-initialization)';
  if (isForced) console.log('Force enabled, data/txnlog directories will be re-initialized');
  else if (existsSync(join(dataDir, 'version-2'))) {
    return refuse(`ZooKeeper data directory already exists at ${dataDir} ${remedy}`);
  } else if (dataLogDir !== '' && existsSync(join(dataLogDir, 'version-2'))) {
    return refuse(`ZooKeeper txnlog directory already exists at ${dataLogDir} ${remedy}`);
  }
  if (isForced && existsSync(dataDir)) {
    const problem = await inUse(dataDir, dataLogDir || dataDir);
    if (problem !== null) return refuse(problem);
  }
  for (const directory of [dataDir, dataLogDir]) if (directory !== '') makeEmpty(directory);
  if (myid === '') {
    console.log(`No myid provided, be sure to specify it in ${dataDir}/myid if using non-standalone`);
  } else {
    console.log(`Using myid of ${myid}`);
    writeFileSync(join(dataDir, 'myid'), `${myid}\n`);
  }
  // Apache's script makes the marker in dataDir, but its server (and ours) looks beside the logs.
  for (const directory of [dataDir, dataLogDir]) if (directory !== '') writeFileSync(join(directory, 'initialize'), '');
  return 0;
}

function refuse(message: string): number {
  console.log(message);
  return 1;
}

/** What a server that uses the directories would say; null if there is none. */
async function inUse(dataDir: string, dataLogDir: string): Promise<string | null> {
  try {
    (await openDataDirectories({ dataDir, dataLogDir, datadirAutocreate: true })).release();
    return null;
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return error.message;
  }
}

function makeEmpty(directory: string): void {
  rmSync(join(directory, 'myid'), { force: true });
  rmSync(join(directory, 'version-2'), { recursive: true, force: true });
  mkdirSync(join(directory, 'version-2'), { recursive: true });
}
