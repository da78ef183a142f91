/** One server's figures, from the four letter words srvr and mntr. A server may allow only the first; most do by default. */
import { connect } from 'node:net';

export interface ServerFigures {
  /** `host:port` */
  readonly server: string;
  readonly version: string;
  /** leader, follower, observer, standalone … */
  readonly mode: string;
  /** Of the last transaction. */
  readonly zxid: number;
  readonly connections: number;
  readonly outstanding: number;
  /** Packets since the server's start (or the last srst). */
  readonly received: number;
  readonly sent: number;
  readonly latencyMs: { readonly min: number; readonly avg: number; readonly max: number };
  readonly znodes: number;
  /** These are null where mntr is not allowed. */
  readonly watches: number | null;
  readonly ephemerals: number | null;
  readonly dataBytes: number | null;
  /** When they came, by a clock that never goes back. */
  readonly atMs: number;
}

export interface SilentServer {
  readonly server: string;
  readonly error: string;
}

export async function askFigures(host: string, port: number, timeoutMs: number): Promise<ServerFigures | SilentServer> {
  const server = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    const [srvr, mntr] = await Promise.all([
      fourLetterWord(host, port, 'srvr', timeoutMs),
      fourLetterWord(host, port, 'mntr', timeoutMs),
    ]);
    return parseFigures(server, srvr, mntr, performance.now()) ?? { server, error: refusalOf(srvr) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { server, error: code ?? message };
  }
}

/** The answer; rejects with the socket's error, or when there is no end of it in time. */
export function fourLetterWord(host: string, port: number, word: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect({ host, port });
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    socket.on('connect', () => socket.write(word));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

function refusalOf(answer: string): string {
  if (answer.includes('not in the whitelist')) return 'srvr is not allowed (4lw.commands.whitelist)';
  const [line = ''] = answer.trim().split('\n');
  return line === '' ? 'closed the connection' : line;
}

/** Null unless `srvr` is a serving server's answer. */
export function parseFigures(server: string, srvr: string, mntr: string, atMs: number): ServerFigures | null {
  const lines = valuesOf(srvr, /^([^:]+): (.*)$/);
  const more = valuesOf(mntr, /^(\w+)\s+(.*)$/);
  const mode = lines.get('Mode');
  if (mode === undefined) return null;
  const number = (name: string): number => Number(lines.get(name) ?? Number.NaN);
  const optional = (name: string): number | null => (more.has(name) ? Number(more.get(name)) : null);
  const [min = 0, avg = 0, max = 0] = (lines.get('Latency min/avg/max') ?? '').split('/').map(Number);
  return {
    server,
    version: /^[^\s,]+/.exec(lines.get('Zookeeper version') ?? '')?.[0] ?? '',
    mode,
    zxid: Number(lines.get('Zxid') ?? Number.NaN),
    connections: number('Connections'),
    outstanding: number('Outstanding'),
    received: number('Received'),
    sent: number('Sent'),
    latencyMs: { min, avg, max },
    znodes: number('Node count'),
    watches: optional('zk_watch_count'),
    ephemerals: optional('zk_ephemerals_count'),
    dataBytes: optional('zk_approximate_data_size'),
    atMs,
  };
}

function valuesOf(text: string, pattern: RegExp): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = pattern.exec(line.trimEnd());
    if (match !== null) values.set(match[1] as string, match[2] as string);
  }
  return values;
}
