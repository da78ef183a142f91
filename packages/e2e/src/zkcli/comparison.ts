/** The comparison of the two command line clients, as checks: a script or a list of commands each. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type Peer, type PeerKind, startPeer } from '../peers/peer.js';
import type { Check } from './check.js';
import { type KnownDifference, scriptDifferences, singleDifferences } from './known-differences.js';
import { type Output, Programs } from './programs.js';
import { endings, ensembleLines, type Script, scripts } from './scripts.js';
import { singles } from './single-commands.js';
import { type CommandOutput, singleOf, transcriptOf, withMarkers } from './transcript.js';

/** TTL znodes are compared, too. */
const properties = { 'zookeeper.extendedTypesEnabled': 'true' };
const shownMax = 12;

export function comparisonChecks(workDir: string): Check[] {
  return [
    ...scripts.flatMap((script) =>
      (['zoots', 'apache-3.9.5'] as const).map((kind) => ({
        name: `script ${script.name}, ${kind} server`,
        run: () => compareScript(workDir, script, kind),
      })),
    ),
    { name: 'an ensemble of apache-3.9.5', run: () => compareEnsemble(workDir) },
    { name: 'ways to end', run: () => compareEndings(workDir) },
    { name: 'single commands', run: () => compareSingles(workDir) },
    { name: 'nobody listens', run: () => compareWithoutServer(workDir) },
  ];
}

/** Two fresh servers, the first for Apache's. */
async function withServers<T>(
  workDir: string,
  kind: PeerKind,
  use: (ports: [number, number]) => Promise<T>,
): Promise<T> {
  const peers: Peer[] = [];
  try {
    for (const side of ['apache', 'zoots']) {
      const port = await freePort();
      const directory = join(workDir, `server-${side}-${port}`);
      mkdirSync(directory, { recursive: true });
      peers.push(await startPeer(kind, { workDir: directory, port, properties }));
    }
    const [first, second] = peers as [Peer, Peer];
    return await use([first.port, second.port]);
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

function knownFor(rows: Readonly<Record<string, KnownDifference>>, name: string): KnownDifference | undefined {
  return Object.hasOwn(rows, name) ? rows[name] : undefined;
}

function server(port: number): string[] {
  return ['-server', `127.0.0.1:${port}`];
}

// ---- piped scripts ----

async function compareScript(workDir: string, { lines }: Script, kind: PeerKind): Promise<string> {
  const programs = new Programs(workDir);
  return withServers(workDir, kind, async ([apachePort, zootsPort]) => {
    const input = withMarkers(lines);
    const apache = await programs.apache(server(apachePort), input);
    const zoots = await programs.zoots(server(zootsPort), input);
    const [left, right] = [transcriptOf(apache, lines), transcriptOf(zoots, lines)];
    const differences = new Differences();
    differences.compare('the banner', left.head, right.head);
    lines.forEach((line, i) => {
      const pair = [left.commands[i], right.commands[i]] as [CommandOutput, CommandOutput];
      differences.compare(line, ...pair, knownFor(scriptDifferences, line));
    });
    differences.text('events', left.events.join('\n'), right.events.join('\n'));
    differences.text('exit code', String(apache.exitCode), String(zoots.exitCode));
    differences.report();
    return `${lines.length} commands, ${left.events.length} events equal${differences.note()}`;
  });
}

/** Both talk to the same three servers, and leave them as they found them. */
async function compareEnsemble(workDir: string): Promise<string> {
  const programs = new Programs(workDir);
  const peers: Peer[] = [];
  try {
    const { members, clientPorts } = await startEnsemble(workDir, peers);
    const lines = ensembleLines(members[2] as string);
    const input = withMarkers(lines);
    const words = [
      '-server',
      clientPorts
        .slice(0, 2)
        .map((port) => `127.0.0.1:${port}`)
        .join(','),
    ];
    // The first change makes each server bind its client port anew, which costs whoever is connected the connection.
    await programs.zoots(words, `reconfig -remove 3\nsync /\nreconfig -add server.3=${members[2]}\n`);
    const left = transcriptOf(await programs.apache(words, input), lines);
    const right = transcriptOf(await programs.zoots(words, input), lines);
    const differences = new Differences();
    lines.forEach((line, i) => {
      const [apache, zoots] = [left, right].map(({ commands }) => maskVersions(commands[i] as CommandOutput));
      differences.compare(line, apache as CommandOutput, zoots as CommandOutput);
    });
    const [leftEvents, rightEvents] = [left, right].map(({ events }) =>
      events.join('\n').replace(/zxid: \d+/g, 'ZXID'),
    );
    differences.text('events', leftEvents as string, rightEvents as string);
    differences.report();
    const changes = right.commands.filter(({ out }) => out.startsWith('Committed new configuration:')).length;
    if (changes === 0) throw new Error('nothing was reconfigured');
    return `${lines.length} commands, ${left.events.length} events, ${changes} reconfigurations equal`;
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

async function startEnsemble(workDir: string, peers: Peer[]): Promise<{ members: string[]; clientPorts: number[] }> {
  const ports: number[] = [];
  for (let i = 0; i < 9; i++) ports.push(await freePort());
  const clientPorts = ports.slice(6);
  const members = [0, 1, 2].map((i) => `127.0.0.1:${ports[i]}:${ports[i + 3]}:participant;127.0.0.1:${ports[i + 6]}`);
  const servers = members.map((member, i) => [`server.${i + 1}`, member]);
  const config = { ...Object.fromEntries(servers), reconfigEnabled: 'true' };
  const starts = clientPorts.map(async (port, i) => {
    const directory = join(workDir, `ensemble-${port}`);
    mkdirSync(join(directory, 'data'), { recursive: true });
    writeFileSync(join(directory, 'data', 'myid'), `${i + 1}\n`);
    const more = { 'zookeeper.skipACL': 'yes' };
    peers.push(
      await startPeer('apache-3.9.5', { workDir: directory, port, config, properties: { ...properties, ...more } }),
    );
  });
  await Promise.all(starts);
  return { members, clientPorts };
}

function maskVersions({ out, error }: CommandOutput): CommandOutput {
  const mask = (text: string): string =>
    text
      .replace(/^version=[0-9a-f]+$/gm, 'version=V')
      .replace(/^[0-9a-f]{9,} /gm, 'V ')
      .replace(/^([cmp]Zxid = ).*$/gm, '$1ZXID')
      .replace(/^(dataVersion = ).*$/gm, '$1V');
  return { out: mask(out), error: mask(error) };
}

async function compareEndings(workDir: string): Promise<string> {
  const programs = new Programs(workDir);
  return withServers(workDir, 'zoots', async ([apachePort, zootsPort]) => {
    const differences = new Differences();
    for (const { name, lines } of endings) {
      const input = lines.map((line) => `${line}\n`).join('');
      const apache = await programs.apache(server(apachePort), input);
      const zoots = await programs.zoots(server(zootsPort), input);
      compareRuns(differences, `ending ${name}`, apache, zoots, knownFor(singleDifferences, `ending ${name}`));
    }
    differences.report();
    return `${endings.length} runs equal${differences.note()}`;
  });
}

// ---- single commands ----

async function compareSingles(workDir: string): Promise<string> {
  const programs = new Programs(workDir);
  return withServers(workDir, 'zoots', async ([apachePort, zootsPort]) => {
    const differences = new Differences();
    const times = { apache: [] as number[], zoots: [] as number[] };
    for (const words of singles) {
      const apache = await programs.apache([...server(apachePort), ...words]);
      const zoots = await programs.zoots([...server(zootsPort), ...words]);
      times.apache.push(apache.milliseconds);
      times.zoots.push(zoots.milliseconds);
      const name = words.join(' ');
      compareRuns(differences, name, apache, zoots, knownFor(singleDifferences, name));
    }
    differences.report();
    const medians = `median ${median(times.zoots)} ms, Apache's ${median(times.apache)} ms`;
    return `${singles.length} commands equal${differences.note()}; ${medians}`;
  });
}

async function compareWithoutServer(workDir: string): Promise<string> {
  const programs = new Programs(workDir);
  const port = await freePort();
  const differences = new Differences();
  const cases = [
    ['ls', '/'],
    ['-timeout', '1500', '-waitforconnection', 'ls', '/'],
    ['create', '-e', '/x'],
    ['whoami'],
  ];
  for (const words of cases) {
    const apache = await programs.apache([...server(port), ...words]);
    const zoots = await programs.zoots([...server(port), ...words]);
    const name = `nobody ${words.join(' ')}`;
    compareRuns(differences, name, apache, withoutProblems(zoots), knownFor(singleDifferences, name));
    const isTold = zoots.error.includes(`Connection refused: 127.0.0.1:${port}\n`);
    if (!isTold) differences.text(`${name}: the reason`, 'Connection refused', zoots.error);
  }
  differences.report();
  return `${cases.length} commands equal but for the reason, which ours tells${differences.note()}`;
}

/** Apache's tells such things in its log. */
function withoutProblems(output: Output): Output {
  return { ...output, error: output.error.replace(/^Connection refused: .*\n/gm, '') };
}

function compareRuns(
  differences: Differences,
  name: string,
  apache: Output,
  zoots: Output,
  known: KnownDifference | undefined,
): void {
  const [left, right] = [singleOf(apache), singleOf(zoots)];
  if (known?.exitCode !== undefined)
    differences.text(`${name}: exit code`, String(known.exitCode), String(zoots.exitCode));
  else differences.text(`${name}: exit code`, String(apache.exitCode), String(zoots.exitCode));
  differences.compare(name, left, right, known);
  // Whether the first event is printed before a quick command ends is a matter of luck with Java.
  const [leftEvents, rightEvents] = [left.events, right.events].map((events) =>
    events.filter((event) => !event.includes('type:None')).join('\n'),
  ) as [string, string];
  if (known === undefined) differences.text(`${name}: events`, leftEvents, rightEvents);
}

// ---- differences ----

class Differences {
  readonly #found: string[] = [];
  #known = 0;

  compare(name: string, apache: CommandOutput, zoots: CommandOutput, known?: KnownDifference): void {
    if (known === undefined) {
      this.text(`${name}: stdout`, apache.out, zoots.out);
      this.text(`${name}: stderr`, apache.error, zoots.error);
      return;
    }
    this.#known++;
    if (known.out !== undefined) this.text(`${name}: stdout (known: ${known.why})`, known.out, zoots.out);
    if (known.error !== undefined) this.text(`${name}: stderr (known: ${known.why})`, known.error, zoots.error);
    if (apache.out === zoots.out && apache.error === zoots.error) {
      this.#found.push(`${name}: equal by now; take its row out of the known differences`);
    }
  }

  text(name: string, expected: string, found: string): void {
    if (expected !== found)
      this.#found.push(`${name}:\n    Apache's ${JSON.stringify(expected)}\n    ours     ${JSON.stringify(found)}`);
  }

  note(): string {
    return this.#known === 0 ? '' : ` (${this.#known} of them known differences)`;
  }

  /** Throws if there are any. */
  report(): void {
    if (this.#found.length === 0) return;
    const more = this.#found.length > shownMax ? `\n  and ${this.#found.length - shownMax} more` : '';
    throw new Error(`${this.#found.length} differences\n  ${this.#found.slice(0, shownMax).join('\n  ')}${more}`);
  }
}

function median(values: readonly number[]): number {
  return Math.round([...values].sort((a, b) => a - b)[values.length >> 1] as number);
}
