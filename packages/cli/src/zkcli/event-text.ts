/** States and events in the words of Apache's client: the prompt shows states, WATCHER blocks show events. */
import type { SessionState, WatchEventType } from '@zoots/client';

/** What the prompt shows. A lost session is a closed one: zkCli never opens another by itself. */
export const stateNames: Readonly<Record<SessionState, string>> = {
  connecting: 'CONNECTING',
  connected: 'CONNECTED',
  'read-only': 'CONNECTEDREADONLY',
  suspended: 'CONNECTING',
  lost: 'CLOSED',
  closed: 'CLOSED',
  'auth-failed': 'AUTH_FAILED',
};

/** The event of a change to a state; null where there is none. The one for `closed` comes with the command that closes. */
export const sessionEvents: Readonly<Record<SessionState, string | null>> = {
  connecting: null,
  connected: 'SyncConnected',
  'read-only': 'ConnectedReadOnly',
  suspended: 'Disconnected',
  lost: 'Expired',
  closed: null,
  'auth-failed': 'AuthFailed',
};

/** A gap is no event of the protocol. */
export const watchEvents: Readonly<Record<WatchEventType, string | null>> = {
  created: 'NodeCreated',
  deleted: 'NodeDeleted',
  changed: 'NodeDataChanged',
  children: 'NodeChildrenChanged',
  gap: null,
};

/** The lines of an event, with the empty lines around its title. */
export function eventText(state: string, type: string, path: string | null, zxid: number): string {
  return `\nWATCHER::\n\nWatchedEvent state:${state} type:${type} path:${path} zxid: ${zxid}`;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ENOTFOUND: 'Unknown host',
  EAI_AGAIN: 'Unknown host',
};

/** `Connection refused: 127.0.0.1:2181`; `wasUp`: the connection had been there. */
export function connectionProblemText(
  { host, port }: { readonly host: string; readonly port: number },
  reason: string | null,
  wasUp: boolean,
): string {
  const known = REASONS[/\bE[A-Z_]{4,}\b/.exec(reason ?? '')?.[0] ?? ''];
  const text = known ?? reason?.replace(`${host}:${port}: `, '') ?? 'no answer';
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (wasUp) return `Connection lost: ${place} (${text})`;
  return known === undefined ? `Connection failed: ${place} (${text})` : `${known}: ${place}`;
}
