/**
 * Four letter words: texts about the server, in Apache's layouts, which scripts, clients and monitoring parse.
 *
 * One row per word in {@link WORDS}. A word outside the whitelist is answered with a sentence that says so.
 * Source of the layouts: ZooKeeper 3.9.5's commands.
 */
import { pairToBigint, pairToHex, toHex } from '@zoots/base';
import type { Connection, Server } from '@zoots/core';
import type { ServerConfig } from '../config/server-config.js';
import { fullVersion } from '../version.js';
import { dumpText } from './dump-word.js';
import { ensembleConf, isReadOnly, modeOf, proposalLine, roleText } from './ensemble-words.js';
import { directorySizeBytes, environmentLines } from './host-facts.js';
import { monitorValues } from './monitor.js';
import { hostOf, javaDouble, pathOf, type WordContext } from './word-context.js';

interface WordRow {
  /** Also answered while the server does not serve. */
  readonly worksIdle: boolean;
  readonly text: (context: WordContext, argument: Uint8Array) => string;
}

const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests';
/** The trace mask that Apache starts with. It has no meaning here, but is kept as set. */
const TRACE_MASK_DEFAULT = 306n;

/** Answers a word through the connection's buffer. `traceMask` lives as long as the server. */
export class FourLetterWords {
  readonly #context: WordContext;
  #traceMask = TRACE_MASK_DEFAULT;

  constructor(context: WordContext) {
    this.#context = context;
  }

  answer(connection: Connection, word: string, argument: Uint8Array): void {
    if (word === 'telnet close') return;
    const bytes = Buffer.from(this.#text(word, argument), 'utf8');
    const out = this.#context.server.outOf(connection);
    out.raw(bytes);
  }

  #text(word: string, argument: Uint8Array): string {
    const { config, server } = this.#context;
    if (!isAllowed(config, word)) return `${word} is not executed because it is not in the whitelist.\n`;
    if (word === 'gtmk') return String(this.#traceMask);
    if (word === 'stmk') return this.#setTraceMask(argument);
    const row = WORDS.get(word);
    if (row === undefined) return '';
    if (server.isServing || row.worksIdle) return row.text(this.#context, argument);
    if (word === 'isro') return 'null';
    return word === 'hash' ? NOT_SERVING : `${NOT_SERVING}\n`;
  }

  #setTraceMask(argument: Uint8Array): string {
    if (argument.length < 8) return String(this.#traceMask);
    const view = new DataView(argument.buffer, argument.byteOffset, argument.byteLength);
    this.#traceMask = view.getBigInt64(0);
    return String(this.#traceMask);
  }
}

function isAllowed(config: ServerConfig, word: string): boolean {
  const { fourLetterWhitelist } = config;
  // What srvr tells of the role, with its reason: nothing to hide from whom srvr is not hidden.
  if (word === 'role') return true;
  return fourLetterWhitelist === '*' || fourLetterWhitelist.has(word);
}

// ---- srvr, stat ----

function average(total: number, count: number): number {
  return count === 0 ? 0 : total / count;
}

/** The connection that asks counts too, though the core has let go of it already. */
function connectionCount(server: Server): number {
  return server.connections.size;
}

function statisticsLines(context: WordContext): string {
  const { server } = context;
  const { statistics } = server;
  const meanMs = average(statistics.totalLatencyMs, statistics.requestCount);
  return [
    `Latency min/avg/max: ${Math.max(statistics.minLatencyMs, 0)}/${javaDouble(meanMs)}/${statistics.maxLatencyMs}`,
    `Received: ${statistics.packetsReceived}`,
    `Sent: ${statistics.packetsSent}`,
    `Connections: ${connectionCount(server)}`,
    `Outstanding: ${server.outstandingRequests}`,
    `Zxid: 0x${toHex(server.tree.lastProcessedZxid)}`,
    `Mode: ${modeOf(server)}`,
    `Node count: ${server.tree.nodeCount}`,
    proposalLine(server),
  ].join('\n');
}

function headLines(server: Server): string {
  const readOnly = isReadOnly(server) ? 'READ-ONLY mode; serving only read-only clients\n' : '';
  return `Zookeeper version: ${fullVersion}\n${readOnly}`;
}

function srvr(context: WordContext): string {
  return `${headLines(context.server)}${statisticsLines(context)}`;
}

function stat(context: WordContext): string {
  const clients = [...context.server.connections.values()].map((connection) => `${connectionLine(connection, true)}\n`);
  return `${headLines(context.server)}Clients:\n${clients.join('')}\n${statisticsLines(context)}`;
}

// ---- cons ----

/** 1: the socket is read, 4: something waits to be written, 0: throttled. */
function interestOps(connection: Connection): number {
  if (connection.state !== 'open') return 0;
  return (connection.isPaused ? 0 : 1) | (connection.unsentBytes > 0 ? 4 : 0);
}

function connectionLine(connection: Connection, brief: boolean): string {
  const head = ` /${hostOf(connection.remoteAddress)}:${connection.remotePort}[${interestOps(connection).toString(16)}]`;
  const queued = connection.pendingWrites + connection.parkedCount;
  const counts = `(queued=${queued},recved=${connection.packetsReceived},sent=${connection.packetsSent}`;
  const session = connection.session;
  if (brief || session === null) return `${head}${counts})`;
  const fields = [
    `sid=0x${pairToHex(session.high, session.low)}`,
    `lop=${connection.lastOperation}`,
    `est=${connection.establishedWallMs}`,
    `to=${session.timeoutMs}`,
    ...(connection.lastCxid >= 0 ? [`lcxid=0x${toHex(connection.lastCxid)}`] : []),
    `lzxid=0x${toHex(connection.lastZxid)}`,
    `lresp=${connection.lastResponseMs}`,
    `llat=${connection.lastLatencyMs}`,
    `minlat=${Math.max(connection.minLatencyMs, 0)}`,
    `avglat=${Math.floor(average(connection.totalLatencyMs, connection.requestCount))}`,
    `maxlat=${connection.maxLatencyMs}`,
  ];
  return `${head}${counts},${fields.join(',')})`;
}

function cons(context: WordContext): string {
  const lines = [...context.server.connections.values()].map((connection) => `${connectionLine(connection, false)}\n`);
  return `${lines.join('')}\n`;
}

// ---- conf, dirs ----

function conf({ config, clientPort, server }: WordContext): string {
  const own = [
    `clientPort=${clientPort}`,
    'secureClientPort=-1',
    `dataDir=${config.dataDir}/version-2`,
    `dataDirSize=${directorySizeBytes(`${config.dataDir}/version-2`)}`,
    `dataLogDir=${config.dataLogDir}/version-2`,
    `dataLogSize=${directorySizeBytes(`${config.dataLogDir}/version-2`)}`,
    `tickTime=${config.tickTimeMs}`,
    `maxClientCnxns=${config.maxClientCnxns}`,
    `minSessionTimeout=${config.minSessionTimeoutMs}`,
    `maxSessionTimeout=${config.maxSessionTimeoutMs}`,
    `clientPortListenBacklog=${config.clientPortListenBacklog}`,
    `serverId=${config.serverId}`,
    '',
  ].join('\n');
  return config.ensemble === null ? own : own + ensembleConf(server, config.ensemble);
}

function dirs(context: WordContext): string {
  const { config } = context;
  const dataBytes = directorySizeBytes(`${config.dataDir}/version-2`);
  const logBytes = directorySizeBytes(`${config.dataLogDir}/version-2`);
  return `datadir_size: ${dataBytes}\nlogdir_size: ${logBytes}\n`;
}

// ---- watches ----

interface Watched {
  readonly path: string;
  readonly sessions: readonly string[];
}

/** The data table only, as in Apache. */
function watched(server: Server): Watched[] {
  const result: Watched[] = [];
  for (const [id, connections] of server.watches.dataWatchers()) {
    const sessions = [...connections].map(({ session }) =>
      session === null ? '0x0' : `0x${pairToHex(session.high, session.low)}`,
    );
    result.push({ path: pathOf(server, id), sessions });
  }
  return result;
}

function wchs(context: WordContext): string {
  const { watches } = context.server;
  const watchers = new Set<Connection>();
  for (const [, connections] of watches.dataWatchers()) for (const connection of connections) watchers.add(connection);
  return `${watchers.size} connections watching ${watches.dataPathCount} paths\nTotal watches:${watches.dataCount}\n`;
}

function wchp(context: WordContext): string {
  const blocks = watched(context.server).map(({ path, sessions }) => [path, ...sessions.map((id) => `\t${id}`)]);
  return `${blocks.flat().join('\n')}${blocks.length > 0 ? '\n' : ''}\n`;
}

function wchc(context: WordContext): string {
  const bySession = new Map<string, string[]>();
  for (const { path, sessions } of watched(context.server)) {
    for (const session of sessions) {
      const paths = bySession.get(session);
      if (paths === undefined) bySession.set(session, [path]);
      else paths.push(path);
    }
  }
  const blocks = [...bySession].map(([session, paths]) => [session, ...paths.map((path) => `\t${path}`)]);
  return `${blocks.flat().join('\n')}${blocks.length > 0 ? '\n' : ''}\n`;
}

// ---- the rest ----

function mntr(context: WordContext): string {
  const lines = monitorValues(context).map(([key, value]) => `zk_${key}\t${value}\n`);
  return lines.join('');
}

function hash(context: WordContext): string {
  return context.server.statistics.digestLog
    .map(({ zxid, high, low }) => `${toHex(zxid)}: ${pairToBigint(high, low)}\n`)
    .join('');
}

function srst(context: WordContext): string {
  context.server.statistics.reset();
  return 'Server stats reset.\n';
}

function crst(context: WordContext): string {
  for (const connection of context.server.connections.values()) connection.resetStatistics();
  return 'Connection stats reset.\n';
}

function envi(): string {
  return `Environment:\n${environmentLines().join('\n')}\n`;
}

const WORDS: ReadonlyMap<string, WordRow> = new Map<string, WordRow>([
  ['conf', { worksIdle: false, text: conf }],
  ['cons', { worksIdle: false, text: cons }],
  ['crst', { worksIdle: false, text: crst }],
  ['dirs', { worksIdle: false, text: dirs }],
  ['dump', { worksIdle: false, text: dumpText }],
  ['envi', { worksIdle: true, text: envi }],
  ['hash', { worksIdle: false, text: hash }],
  ['isro', { worksIdle: false, text: ({ server }) => (isReadOnly(server) ? 'ro' : 'rw') }],
  ['mntr', { worksIdle: false, text: mntr }],
  ['role', { worksIdle: true, text: ({ server, config }) => roleText(server, config.ensemble) }],
  ['ruok', { worksIdle: true, text: () => 'imok' }],
  ['srst', { worksIdle: false, text: srst }],
  ['srvr', { worksIdle: false, text: srvr }],
  ['stat', { worksIdle: false, text: stat }],
  ['wchc', { worksIdle: false, text: wchc }],
  ['wchp', { worksIdle: false, text: wchp }],
  ['wchs', { worksIdle: false, text: wchs }],
]);
