/**
 * What zkCli printed, made comparable: watch events taken out of the stream (Java prints them from another thread), dates, session
 * ids and ports masked, and a piped run cut into the part of each command.
 */
import type { Output } from './programs.js';

export interface CommandOutput {
  readonly out: string;
  readonly error: string;
}

export interface Transcript {
  /** Before the first command. */
  readonly head: CommandOutput;
  readonly commands: readonly CommandOutput[];
  /** Of the whole run, sorted: their order among themselves is Java's threads'. */
  readonly events: readonly string[];
}

const dateLine =
  /^(ctime|mtime) = (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d ([A-Z]{3,5}) 20\d\d$/gm;

/** A pair of commands whose output says nothing but where we are: nobody has a quota under this name. */
export function markerLines(index: number): string {
  return `delquota /mark-${index}-\nlistquota /mark-${index}-\n`;
}

function outMarker(index: number): string {
  return `Quota does not exist for /mark-${index}-\n`;
}

function errorMarker(index: number): string {
  return `absolute path is /zookeeper/quota/mark-${index}-/zookeeper_limits\nquota for /mark-${index}- does not exist.\n`;
}

/** The lines of a script with a marker behind each. */
export function withMarkers(lines: readonly string[]): string {
  return lines.map((line, i) => `${line}\n${markerLines(i)}`).join('');
}

export function transcriptOf(output: Output, lines: readonly string[]): Transcript {
  const events: string[] = [];
  const out = mask(takeEvents(output.out, events));
  const error = mask(output.error);
  const outParts = cut(out, lines.length, outMarker);
  const errorParts = cut(error, lines.length, errorMarker);
  // The head ends where the first command's output begins: behind the banner.
  const banner = 'JLine support is disabled\n';
  const first = outParts[0] as string;
  const headEnd = first.indexOf(banner) + banner.length;
  return {
    head: { out: first.slice(0, headEnd), error: '' },
    commands: outParts.map((part, i) => ({
      out: i === 0 ? part.slice(headEnd) : part,
      error: errorParts[i] as string,
    })),
    events: events.sort(),
  };
}

/** A run of one command. */
export function singleOf(output: Output): CommandOutput & { readonly events: readonly string[] } {
  const events: string[] = [];
  return {
    out: maskZxids(mask(takeEvents(output.out, events))),
    error: maskZxids(mask(output.error)),
    events: events.sort(),
  };
}

function takeEvents(out: string, events: string[]): string {
  return out.replaceAll('\nWATCHER::\n', '').replace(/\nWatchedEvent ([^\n]*)\n/g, (_, event: string) => {
    events.push(event);
    return '';
  });
}

function mask(text: string): string {
  return text
    .replace(dateLine, '$1 = DATE $2')
    .replace(/^ephemeralOwner = 0x1[0-9a-f]{10,}$/gm, 'ephemeralOwner = SESSION')
    .replace(/(127\.0\.0\.1|localhost):3\d{4}\b/g, '$1:PORT');
}

/** Sessions take zxids of their own, and a run of one command is a session. */
function maskZxids(text: string): string {
  return text.replace(/^([cmp]Zxid) = 0x[0-9a-f]+$/gm, '$1 = ZXID');
}

function cut(text: string, count: number, marker: (index: number) => string): string[] {
  const parts: string[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = text.indexOf(marker(i), at);
    if (end < 0) {
      // It ended in the middle: what there is belongs to this command.
      parts.push(text.slice(at));
      at = text.length;
      continue;
    }
    parts.push(text.slice(at, end));
    at = end + marker(i).length;
  }
  return parts;
}
