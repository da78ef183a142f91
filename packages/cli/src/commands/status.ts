/**
 * `zoots status [CFG]`: asks the server that CFG configures for `srvr` and prints its mode. Exit code 0 if it answered, 1
 * if not. The lines and the order of the search are those of `zkServer.sh status`, which scripts look at; what a member of an
 * ensemble tells of its role comes on standard error.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseProperties } from '@zoots/server';
import { defaultConfigFile } from '../checkout.js';
import { fourLetterWord } from '../modern/server-figures.js';

const answerTimeoutMs = 5000;

export async function run(words: readonly string[]): Promise<number> {
  if (words.length > 1 || words[0]?.startsWith('-')) {
    console.error('Usage: zoots status [CFG]');
    return 2;
  }
  const target = findClientAddress(words[0] ?? defaultConfigFile(process.env));
  if (target === null) return 1;
  console.log(`Client port found: ${target.port}. Client address: ${target.host}. Client SSL: ${target.isTls}.`);
  const answer = target.isTls ? '' : await askServer(target.host, target.port, 'srvr');
  const mode = /^Mode: .*$/m.exec(answer)?.[0];
  if (mode !== undefined) {
    console.log(mode);
    await explainRole(target, answer);
    return 0;
  }
  await explainRole(target, answer);
  if (target.isTls) console.log('Asking a server over TLS is for a later version.');
  console.log('Error contacting service. It is probably not running.');
  return 1;
}

/**
 * Of a member of an ensemble: who leads, why, and who is behind; also while it serves nobody. On standard error, where it is in no
 * script's way. Apache's servers do not know the question, and a stand-alone server has nothing to say.
 */
async function explainRole({ host, port }: ClientAddress, answer: string): Promise<void> {
  if (answer === '') return;
  const text = await askServer(host, port, 'role');
  if (/^Role: (?!standalone)/.test(text)) console.error(text.trimEnd());
}

interface ClientAddress {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** Where clients are served: clientPort, else this server's server.N line, else secureClientPort. Null was explained. */
function findClientAddress(file: string): ClientAddress | null {
  const keys = readKeys(file);
  if (keys === null) return null;
  const host = keys.get('clientPortAddress') || 'localhost';
  const port = keys.get('clientPort') ?? '';
  if (isNumber(port)) return { host, port: Number(port), isTls: false };
  const fromServerLine = findInServerLines(keys, host);
  if (fromServerLine !== null) return fromServerLine;
  console.log('Client port not found. Looking for secureClientPort in the static config.');
  const securePort = keys.get('secureClientPort') ?? '';
  if (!isNumber(securePort)) {
    console.log('Unable to find either secure or unsecure client port in any configs. Terminating.');
    return null;
  }
  return { host: keys.get('secureClientPortAddress') || 'localhost', port: Number(securePort), isTls: true };
}

function findInServerLines(keys: ReadonlyMap<string, string>, host: string): ClientAddress | null {
  const myid = readFirstLine(join(keys.get('dataDir') ?? '', 'myid'));
  if (!isNumber(myid)) {
    console.log('myid could not be determined, will not able to locate clientPort in the server configs.');
    return null;
  }
  let clientPart = clientPartOf(keys.get(`server.${myid}`));
  if (clientPart === '') {
    console.log('Client port not found in static config file. Looking in dynamic config file.');
    const dynamicFile = keys.get('dynamicConfigFile');
    const dynamicKeys = dynamicFile === undefined ? null : readKeys(dynamicFile);
    clientPart = clientPartOf(dynamicKeys?.get(`server.${myid}`));
  }
  const match = /^(?:(.*):)?(\d+)$/.exec(clientPart);
  if (match === null) {
    console.log('Client port not found in the server configs');
    return null;
  }
  return { host: match[1]?.replace(/^\[|\]$/g, '') || host, port: Number(match[2]), isTls: false };
}

function clientPartOf(serverLine: string | undefined): string {
  return (serverLine?.split(';')[1] ?? '').trim();
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

function readKeys(file: string): ReadonlyMap<string, string> | null {
  try {
    return new Map(parseProperties(readFileSync(file, 'utf8')).map(({ key, value }) => [key, value]));
  } catch (error) {
    console.error(`cannot read the configuration ${file}: ${(error as Error).message}`);
    console.log('Unable to find either secure or unsecure client port in any configs. Terminating.');
    return null;
  }
}

function readFirstLine(file: string): string {
  try {
    return (readFileSync(file, 'utf8').split('\n', 1)[0] as string).trim();
  } catch {
    return '';
  }
}

/** The answer to a four letter word; empty if there is none. */
function askServer(host: string, port: number, word: string): Promise<string> {
  return fourLetterWord(addressToAsk(host), port, word, answerTimeoutMs).catch(() => '');
}

/** A server that listens everywhere listens here. */
function addressToAsk(host: string): string {
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host;
}
