/** What `zoots top` shows of a set of servers: a table, or JSON, with rates from two samples. */
import { type Output, type Style, tableLines } from './output.js';
import { sizeText } from './quantities.js';
import type { ServerFigures, SilentServer } from './server-figures.js';
import { zxidText } from './znode-facts.js';

export type Sample = ReadonlyMap<string, ServerFigures | SilentServer>;

const headings = [
  'SERVER',
  'MODE',
  'CONNS',
  'OUTST',
  'REQ/S',
  'SENT/S',
  'MIN/AVG/MAX ms',
  'ZNODES',
  'WATCHES',
  'EPHEM',
  'DATA',
  'ZXID',
];
const isRight = headings.map((_, column) => column >= 2 && column <= 10);

const styleOfMode: Readonly<Record<string, Style>> = { leader: 'green', standalone: 'green', observer: 'cyan' };

/** Without `previous`, or for a server that restarted since, rates are unknown. */
export function topLines(out: Output, sample: Sample, previous: Sample | null): string[] {
  const newest = newestZxid(sample);
  const silent: string[] = [];
  const rows = [headings.map((heading) => out.styled('bold', heading))];
  for (const [name, figures] of sample) {
    if ('error' in figures) silent.push(`${name}  ${out.styled('red', figures.error)}`);
    else rows.push(rowOf(out, figures, previous?.get(name), newest));
  }
  return [...(rows.length > 1 ? tableLines(rows, isRight) : []), ...silent];
}

function rowOf(
  out: Output,
  figures: ServerFigures,
  before: ServerFigures | SilentServer | undefined,
  newest: number,
): string[] {
  const { min, avg, max } = figures.latencyMs;
  const rates = ratesOf(figures, before);
  const behind = behindOf(figures, newest);
  return [
    figures.server,
    out.styled(styleOfMode[figures.mode] ?? 'blue', figures.mode),
    String(figures.connections),
    String(figures.outstanding),
    rateText(rates?.receivedPerSecond),
    rateText(rates?.sentPerSecond),
    `${min}/${avg}/${max}`,
    String(figures.znodes),
    figures.watches === null ? '-' : String(figures.watches),
    figures.ephemerals === null ? '-' : String(figures.ephemerals),
    figures.dataBytes === null ? '-' : sizeText(figures.dataBytes),
    `${zxidText(figures.zxid)}${behind > 0 ? out.styled('yellow', ` -${behind}`) : ''}`,
  ];
}

/** One value per server. */
export function topJson(sample: Sample, previous: Sample | null, timeMs: number): unknown[] {
  return [...sample].map(([name, figures]) => {
    const time = new Date(timeMs).toISOString();
    if ('error' in figures) return { time, ...figures };
    const { atMs: _, ...shown } = figures;
    const rates = ratesOf(figures, previous?.get(name));
    return {
      time,
      ...shown,
      behind: behindOf(figures, newestZxid(sample)),
      receivedPerSecond: rates?.receivedPerSecond ?? null,
      sentPerSecond: rates?.sentPerSecond ?? null,
    };
  });
}

/** How many answer, and in which roles: `3 servers: 1 leader, 1 follower, 1 silent`. */
export function rolesText(sample: Sample): string {
  const counts = new Map<string, number>();
  for (const figures of sample.values()) {
    const role = 'error' in figures ? 'silent' : figures.mode;
    counts.set(role, (counts.get(role) ?? 0) + 1);
  }
  const roles = [...counts].map(([role, count]) => `${count} ${role}`).join(', ');
  return `${sample.size} server${sample.size === 1 ? '' : 's'}: ${roles}`;
}

interface Rates {
  readonly receivedPerSecond: number;
  readonly sentPerSecond: number;
}

function ratesOf(now: ServerFigures, before: ServerFigures | SilentServer | undefined): Rates | null {
  if (before === undefined || 'error' in before || now.received < before.received) return null;
  const seconds = (now.atMs - before.atMs) / 1_000;
  if (seconds <= 0) return null;
  return {
    receivedPerSecond: Math.round((now.received - before.received) / seconds),
    sentPerSecond: Math.round((now.sent - before.sent) / seconds),
  };
}

function rateText(rate: number | undefined): string {
  return rate === undefined ? '-' : String(rate);
}

/** Transactions, within an epoch. Stand-alone servers have nothing to do with each other. */
function behindOf({ mode, zxid }: ServerFigures, newest: number): number {
  return mode === 'standalone' ? 0 : newest - zxid;
}

function newestZxid(sample: Sample): number {
  const zxids = [...sample.values()].flatMap((figures) =>
    'error' in figures || figures.mode === 'standalone' ? [] : [figures.zxid],
  );
  return Math.max(...zxids);
}
