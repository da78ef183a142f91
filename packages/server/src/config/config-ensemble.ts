/**
 * The part of the configuration that is about other servers: server.N lines, myid, and the decision whether this is a
 * stand-alone server.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type Values } from './config-settings.js';
import { parseServerAddress, ServerAddressError } from './server-address.js';
import type { ServerAddress } from './server-config.js';

export function serversOf(values: Values): ServerAddress[] {
  const multiAddress = values.get('multiAddress.enabled');
  const servers: ServerAddress[] = [];
  for (const key of values.keys) {
    if (!/^server\.-?\d+$/.test(key)) continue;
    try {
      servers.push(parseServerAddress(Number(key.slice(7)), withoutComment(values.text(key) as string), multiAddress));
    } catch (cause) {
      if (cause instanceof ServerAddressError)
        throw new ConfigError(`${values.placeOf(key)}: ${cause.message}`, { cause });
      throw cause;
    }
  }
  return servers.sort((left, right) => left.id - right.id);
}

/** A comment cannot stand behind a value in this syntax, but behind server lines many guides have one. */
function withoutComment(text: string): string {
  return text.replace(/\s+#.*$/, '');
}

/** dataDir/myid: a decimal number on the first line; null without the file. */
export function readMyid(dataDir: string): number | null {
  const file = join(dataDir, 'myid');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  const line = (text.split(/\r?\n/, 1)[0] as string).trim();
  if (!/^[+-]?\d+$/.test(line)) throw new ConfigError(`${file}: "${line}" is not a number`);
  return Number(line);
}

/** Refuses what only an ensemble could run: never a stand-alone server by accident, with data of its own. */
export function checkStandalone(values: Values, servers: readonly ServerAddress[], myid: number | null): void {
  const participants = servers.filter((server) => server.role === 'participant');
  const peerType = values.get('peerType').toLowerCase();
  if (peerType !== 'participant' && peerType !== 'observer') {
    throw new ConfigError(
      `${values.placeOf('peerType')}: "${values.get('peerType')}" is neither observer nor participant`,
    );
  }
  const standaloneEnabled = values.get('standaloneEnabled');
  if (participants.length === 0 && !standaloneEnabled) {
    throw new ConfigError(`${values.placeOf('standaloneEnabled')}: false needs at least one participant (server.N)`);
  }
  if (participants.length < 2 && standaloneEnabled) {
    if (participants.length < servers.length) {
      throw new ConfigError(`${values.fileName}: observers without an ensemble of participants`);
    }
    if (participants.length === 1) values.warn('Invalid configuration, only one server specified (ignoring)');
    values.warn('Either no config or no quorum defined in config, running in standalone mode');
    return;
  }
  const place = values.placeOf(`server.${servers[0]?.id}`);
  if (values.get('initLimit') === 0) throw new ConfigError(`${values.fileName}: initLimit is not set`);
  if (values.get('syncLimit') === 0) throw new ConfigError(`${values.fileName}: syncLimit is not set`);
  if (myid === null) throw new ConfigError(`${join(values.get('dataDir') as string, 'myid')}: file is missing`);
  throw new ConfigError(
    `${place}: an ensemble of ${servers.length} servers is configured, and ensembles are not in this version yet: only stand-alone servers are (no server.N line, or one)`,
  );
}

export function checkSaslBetweenServers(values: Values): void {
  const enabled = values.get('quorum.auth.enableSasl');
  const server = values.get('quorum.auth.serverRequireSasl');
  const learner = values.get('quorum.auth.learnerRequireSasl');
  const rules = [
    [server && !enabled, 'quorum.auth.serverRequireSasl', 'quorum.auth.enableSasl'],
    [learner && !enabled, 'quorum.auth.learnerRequireSasl', 'quorum.auth.enableSasl'],
    [server && !learner, 'quorum.auth.serverRequireSasl', 'quorum.auth.learnerRequireSasl'],
  ] as const;
  for (const [broken, key, needed] of rules) {
    if (broken) throw new ConfigError(`${values.placeOf(key)}: needs ${needed}=true`);
  }
}
