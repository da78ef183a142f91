/** `zoots top`: the servers of a connect string, by their four letter words, refreshed until it is stopped. */
import { type Invocation, type ModernCommand, runModern } from '../modern/invocation.js';
import { EXIT } from '../modern/problem.js';
import { localTimeText, parseCount, parseTimeMs } from '../modern/quantities.js';
import { Screen } from '../modern/screen.js';
import { askFigures } from '../modern/server-figures.js';
import { rolesText, type Sample, topJson, topLines } from '../modern/top-table.js';

/** A server that takes longer than this to answer a word is shown as silent. */
const ANSWER_TIMEOUT_MS = 2_000;
const INTERVAL_MS = 2_000;

export const command: ModernCommand = {
  name: 'top',
  operands: { min: 0, max: 0 },
  options: [
    { long: 'once', short: '1', text: 'one look, no rates, and end; the exit code tells whether all answered' },
    { long: 'interval', short: 'i', value: 'TIME', text: 'between two looks (default 2s)' },
    { long: 'count', short: 'n', value: 'N', text: 'end after so many looks' },
  ],
  notes: `Asks each server for srvr and mntr; where 4lw.commands.whitelist does not have mntr, some columns are empty. REQ/S and
SENT/S are packets per second since the last look; latencies are the server's own, since its start. A number behind
the zxid says how far it is behind the others. q or Ctrl-C ends it. The exit code is 1 if some server does not answer,
3 if none does. JSON: per server and look {"time", "server", "mode", "version", "zxid", "behind", "connections",
"outstanding", "received", "sent", "receivedPerSecond", "sentPerSecond", "latencyMs": {"min", "avg", "max"}, "znodes",
"watches", "ephemerals", "dataBytes"}, or {"time", "server", "error"}.

  zoots top --server zk1:2181,zk2:2181,zk3:2181`,

  async run(invocation) {
    const { line, out } = invocation;
    const { parseTarget } = await import('@zoots/client');
    const { servers } = parseTarget(invocation.server);
    const intervalMs = parseTimeMs('interval', line.value('interval') ?? `${INTERVAL_MS}ms`);
    const isOnce = line.has('once');
    const countMax = isOnce ? 1 : parseCount('count', line.value('count') ?? String(Number.MAX_SAFE_INTEGER), 1);
    const stop = invocation.untilStopped();
    const screen = out.isTerminal && !out.isJson && !isOnce ? new Screen(stop) : null;
    const timeoutMs = line.has('timeout') ? invocation.timeoutMs : ANSWER_TIMEOUT_MS;
    let previous: Sample | null = null;
    try {
      for (let count = 1; ; count++) {
        const answers = await Promise.all(servers.map(({ host, port }) => askFigures(host, port, timeoutMs)));
        const sample: Sample = new Map(answers.map((figures) => [figures.server, figures]));
        show(invocation, screen, sample, previous);
        previous = sample;
        if (count >= countMax || !(await pause(intervalMs, screen?.stop ?? stop))) break;
      }
    } finally {
      screen?.close();
    }
    return exitCodeOf(previous);
  },
};

function show({ out, server }: Invocation, screen: Screen | null, sample: Sample, previous: Sample | null): void {
  const nowMs = Date.now();
  if (out.isJson) for (const value of topJson(sample, previous, nowMs)) out.json(value);
  else {
    const head = out.styled('dim', `${localTimeText(nowMs)}  ${rolesText(sample)}`);
    const lines = [head, ...topLines(out, sample, previous)];
    if (screen === null) for (const text of lines) out.line(text);
    else screen.show([out.styled('bold', `zoots top  ${server}`), ...lines]);
  }
  out.flush();
}

/** False if it was stopped. */
function pause(ms: number, stop: AbortSignal): Promise<boolean> {
  if (stop.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (isOver: boolean): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', onStop);
      resolve(isOver);
    };
    const onStop = (): void => end(false);
    const timer = setTimeout(() => end(true), ms);
    stop.addEventListener('abort', onStop);
  });
}

function exitCodeOf(sample: Sample): number {
  const silent = [...sample.values()].filter((figures) => 'error' in figures).length;
  if (silent === 0) return EXIT.ok;
  return silent === sample.size ? EXIT.noConnection : EXIT.refused;
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
