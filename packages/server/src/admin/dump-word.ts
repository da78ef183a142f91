/**
 * The four letter word dump: sessions, their ephemeral znodes, and connections.
 *
 * Who judges sessions (a stand-alone server, a leader) shows when they expire; a learner shows how long they may be silent. Local sessions
 * are judged by the server that has them; they have lines of their own where they can be.
 */
import { pairToHex } from '@zoots/base';
import type { Connection, Server, Session } from '@zoots/core';
import { hostOf, pathOf, type WordContext } from './word-context.js';

export function dumpText({ server, config }: WordContext): string {
  const wallOffsetMs = Date.now() - server.nowMs;
  return [
    'SessionTracker dump:',
    ...sessionLines(server, config.ensemble?.localSessionsEnabled === true, wallOffsetMs),
    'ephemeral nodes dump:',
    ...ephemeralLines(server),
    'Connections dump:',
    ...connectionLines(server, wallOffsetMs),
    '',
  ].join('\n');
}

// ---- sessions ----

function sessionLines(server: Server, hasLocal: boolean, wallOffsetMs: number): string[] {
  const { role } = server;
  const judges = role === 'standalone' || role === 'leading';
  const ofGlobal = judges ? expiryLines(server, false, wallOffsetMs) : timeoutLines(server);
  if (!hasLocal) return ofGlobal;
  const [first = '', ...local] = expiryLines(server, true, wallOffsetMs);
  const [firstGlobal = '', ...others] = ofGlobal;
  return [`Local ${first}`, ...local, judges ? `Global ${firstGlobal}` : firstGlobal, ...others];
}

/** Sessions by the time at which they expire if their clients stay silent. */
function expiryLines(server: Server, isLocal: boolean, wallOffsetMs: number): string[] {
  const lines: string[] = [];
  let bucketCount = 0;
  for (const { expiryMs, sessions } of server.sessions.buckets()) {
    const shown = sessions.filter((session) => session.isLocal === isLocal);
    if (shown.length === 0) continue;
    bucketCount++;
    lines.push(`${shown.length} expire at ${javaDate(expiryMs + wallOffsetMs)}:`);
    for (const session of shown) lines.push(`\t${idOf(session)}`);
  }
  const sessionCount = [...server.sessions.all()].filter((session) => session.isLocal === isLocal).length;
  return [`Session Sets (${bucketCount})/(${sessionCount}):`, ...lines];
}

function timeoutLines(server: Server): string[] {
  const sessions = [...server.sessions.all()].filter(({ isLocal }) => !isLocal);
  sessions.sort((left, right) => left.high - right.high || (left.low >>> 0) - (right.low >>> 0));
  const lines = sessions.map((session) => `${idOf(session)}\t${session.timeoutMs}ms`);
  return [`Global Sessions(${lines.length}):`, ...lines];
}

function idOf({ high, low }: Pick<Session, 'high' | 'low'>): string {
  return `0x${pairToHex(high, low)}`;
}

/** As Java's Date prints it, in UTC. */
function javaDate(wallMs: number): string {
  const date = new Date(wallMs);
  const [weekday, day, month, year] = date.toUTCString().replace(',', '').split(' ');
  const time = date.toISOString().slice(11, 19);
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}

// ---- ephemeral znodes ----

function ephemeralLines(server: Server): string[] {
  const lines = [`Sessions with Ephemerals (${server.tree.ephemerals.sessionCount}):`];
  for (const owned of server.tree.ephemerals.owners()) {
    lines.push(`${idOf(owned)}:`);
    for (const id of owned.ids) lines.push(`\t${pathOf(server, id)}`);
  }
  return lines;
}

// ---- connections ----

/** Connections by the time at which they are closed if they stay silent. */
function connectionLines(server: Server, wallOffsetMs: number): string[] {
  const byTime = new Map<number, Connection[]>();
  for (const connection of server.connections.values()) {
    const dueMs = dueOf(server, connection);
    const group = byTime.get(dueMs);
    if (group === undefined) byTime.set(dueMs, [connection]);
    else group.push(connection);
  }
  const lines = [`Connections Sets (${byTime.size})/(${server.connections.size}):`];
  for (const [dueMs, group] of [...byTime].sort((left, right) => left[0] - right[0])) {
    lines.push(`${group.length} expire at ${javaDate(dueMs + wallOffsetMs)}:`);
    for (const { remoteAddress, remotePort, session } of group) {
      const id = session === null ? '0x0' : idOf(session);
      lines.push(`\tip: /${hostOf(remoteAddress)}:${remotePort} sessionId: ${id}`);
    }
  }
  return lines;
}

/** The session's time, also where somebody else judges it. */
function dueOf({ config }: Server, { session, acceptedMs, chunkMs }: Connection): number {
  if (session === null) return acceptedMs + config.sessionlessTimeoutMs;
  if (session.expiryMs > 0) return session.expiryMs;
  return (Math.floor((chunkMs + session.timeoutMs) / config.tickTimeMs) + 1) * config.tickTimeMs;
}
