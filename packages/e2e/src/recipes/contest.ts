/**
 * Several processes contend for one thing while they are killed, stopped and cut off and the server is restarted. The record of who
 * held when is then checked: nobody beside another, tokens that grow, and somebody again and again.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { Prng } from '../differential/prng.js';
import { freePort } from '../peers/peer.js';
import { projectRoot } from '../peers/versions.js';
import { type ContenderSettings, type ContestKind, machineMs, type Order, type Report } from './contender.js';
import { FlakyLine } from './flaky-line.js';
import { GuardedResource, type Interval, longestWithoutStart, mostAtOnce, wrongTokens } from './intervals.js';
import { type Stage, sleep } from './row.js';

export interface ContestSettings {
  readonly kind: ContestKind;
  readonly contenders: number;
  /** How many may hold at a time. */
  readonly permits: number;
  readonly durationMs: number;
  readonly seed: number;
}

const sessionTimeoutMs = 1_500;
/** From a death of a holder to the next one: the session, a tick of the server, and a machine that is busy; no restart of the server. */
const silenceMsMax = sessionTimeoutMs + 10_000;

/** A contest without them would prove nothing. */
const faultsMin = 4;

const main = join(projectRoot, 'packages', 'e2e', 'dist', 'recipes.js');

/** A hold whose end was not told yet. */
interface OpenHold {
  readonly token: number;
  readonly fromMs: number;
}

class ContenderProcess {
  readonly settings: ContenderSettings;
  readonly child: ChildProcess;
  readonly #contest: Contest;
  #open: OpenHold | null = null;
  /** While it is stopped it does nothing; what it held then ends there if it is lost. */
  #stoppedMs: number | null = null;
  exitCode: number | null | undefined;
  readonly exited: Promise<void>;

  constructor(contest: Contest, settings: ContenderSettings) {
    this.#contest = contest;
    this.settings = settings;
    this.child = fork(main, ['contend', JSON.stringify(settings)]);
    this.child.on('message', (report: Report) => this.#hear(report));
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code) => {
        this.exitCode = code;
        resolve();
      });
    });
  }

  get isHolding(): boolean {
    return this.#open !== null;
  }

  #hear(report: Report): void {
    const { token } = report;
    if (report.type === 'begins') this.#open = { token, fromMs: report.atMs };
    else if (report.type === 'ends') this.#end(report.atMs);
    else if (report.type === 'writes') {
      const isAccepted = this.#contest.accepts(token);
      this.#order({ type: 'written', id: report.id, isAccepted });
    } else this.#contest.failures.push(`${report.who} was refused though it held`);
  }

  #order(order: Order): void {
    if (this.child.connected) this.child.send(order, () => undefined);
  }

  #end(atMs: number): void {
    if (this.#open === null) return;
    const { token, fromMs } = this.#open;
    // Stopped while it held: if it comes back too late, it held no longer than until then. Fencing is for the rest.
    const toMs = this.#stoppedMs !== null && this.#stoppedMs > fromMs ? Math.min(atMs, this.#stoppedMs) : atMs;
    this.#contest.intervals.push({ who: this.settings.who, token, fromMs, toMs });
    this.#open = null;
    this.#stoppedMs = null;
  }

  async kill(): Promise<void> {
    const atMs = machineMs();
    this.child.kill('SIGKILL');
    await this.exited;
    // What it told before is heard by now or never.
    await sleep(20);
    this.#end(atMs);
  }

  async pause(ms: number): Promise<void> {
    this.#stoppedMs = machineMs();
    this.child.kill('SIGSTOP');
    await sleep(ms);
    this.child.kill('SIGCONT');
    // It cannot have lost anything in so short a time.
    if (ms < sessionTimeoutMs / 2) this.#stoppedMs = null;
  }

  async stop(): Promise<void> {
    this.#order({ type: 'stop' });
    const timer = setTimeout(() => {
      this.#contest.failures.push(`${this.settings.who} did not stop`);
      this.child.kill('SIGKILL');
    }, 10_000);
    await this.exited;
    clearTimeout(timer);
    if (this.exitCode !== 0) this.#contest.failures.push(`${this.settings.who} ended with ${this.exitCode}`);
    this.#end(machineMs());
  }
}

type Fault = (contest: Contest) => Promise<void>;

const faults: readonly (readonly [name: string, weight: number, fault: Fault])[] = [
  ['kill', 4, (contest) => contest.replace(contest.pickHolder())],
  ['stop', 3, (contest) => contest.pickHolder().pause(sessionTimeoutMs * 1.6)],
  ['short stop', 2, (contest) => contest.pickHolder().pause(sessionTimeoutMs * 0.3)],
  ['cut', 4, async (contest) => contest.cutLines()],
  ['restart', 1, (contest) => contest.restartServer()],
];

class Contest {
  readonly stage: Stage;
  readonly settings: ContestSettings;
  readonly #lines: readonly FlakyLine[];
  readonly intervals: Interval[] = [];
  readonly failures: string[] = [];
  readonly resource = new GuardedResource();
  readonly #prng: Prng;
  readonly #processes: ContenderProcess[] = [];
  readonly #faultCounts = new Map<string, number>();
  #born = 0;
  /** How long there was no server, in all. */
  #restartMs = 0;

  constructor(stage: Stage, settings: ContestSettings, lines: readonly FlakyLine[]) {
    this.stage = stage;
    this.settings = settings;
    this.#lines = lines;
    this.#prng = new Prng(settings.seed + 1_000 * stage.seed);
  }

  #spawn(): ContenderProcess {
    const { kind, permits } = this.settings;
    const connectString = this.#lines.map(({ port }) => `127.0.0.1:${port}`).join();
    const who = `c${++this.#born}`;
    const path = `${this.stage.root}/${kind}`;
    return new ContenderProcess(this, { kind, who, connectString, path, permits, sessionTimeoutMs });
  }

  /** Where several hold, tokens are no order, and nothing is fenced. */
  accepts(token: number): boolean {
    return this.settings.permits > 1 || this.resource.write(token);
  }

  /** Mostly somebody who holds, as the parent knows it. */
  pickHolder(): ContenderProcess {
    const holding = this.#processes.filter((each) => each.isHolding);
    const from = holding.length > 0 && this.#prng.below(4) > 0 ? holding : this.#processes;
    return from[this.#prng.below(from.length)] as ContenderProcess;
  }

  cutLines(): void {
    for (const line of this.#lines) line.cutAll();
  }

  async restartServer(): Promise<void> {
    const beganMs = machineMs();
    await this.stage.restartServer();
    this.#restartMs += machineMs() - beganMs;
  }

  async replace(victim: ContenderProcess): Promise<void> {
    await victim.kill();
    this.#processes[this.#processes.indexOf(victim)] = this.#spawn();
  }

  async run(): Promise<void> {
    while (this.#processes.length < this.settings.contenders) this.#processes.push(this.#spawn());
    let beganMs = machineMs();
    try {
      await this.#until(() => this.intervals.length > 0, 'nobody ever held');
      // Processes take their time to start on a busy machine; the contest is what comes then.
      beganMs = machineMs();
      while (machineMs() < beganMs + this.settings.durationMs || this.#faultCount < faultsMin) await this.#trouble();
      await this.#calm();
    } finally {
      await Promise.all(this.#processes.map((each) => each.stop()));
    }
    this.#judge(beganMs);
  }

  get #faultCount(): number {
    return [...this.#faultCounts.values()].reduce((sum, count) => sum + count, 0);
  }

  async #trouble(): Promise<void> {
    await sleep(100 + this.#prng.below(500));
    const urn = faults.flatMap((row) => Array<typeof row>(row[1]).fill(row));
    const [name, , fault] = urn[this.#prng.below(urn.length)] as (typeof faults)[number];
    this.#faultCounts.set(name, (this.#faultCounts.get(name) ?? 0) + 1);
    await fault(this);
  }

  /** Faults are over: everybody who lives gets it. */
  async #calm(): Promise<void> {
    const calmMs = machineMs();
    const served = (): Set<string> =>
      new Set(this.intervals.filter((interval) => interval.fromMs > calmMs).map((interval) => interval.who));
    await this.#until(
      () => served().size >= this.settings.contenders,
      'somebody never held after the faults were over',
    );
  }

  async #until(condition: () => boolean, failure: string): Promise<void> {
    const deadlineMs = machineMs() + 20_000;
    while (!condition()) {
      if (machineMs() > deadlineMs) {
        this.failures.push(failure);
        return;
      }
      await sleep(20);
    }
  }

  #judge(beganMs: number): void {
    const { permits } = this.settings;
    const most = mostAtOnce(this.intervals);
    if (most.length > permits) {
      this.failures.push(`${most.length} held at the same time: ${JSON.stringify(most)}`);
    }
    if (permits === 1) this.failures.push(...wrongTokens(this.intervals));
    const silenceMs = longestWithoutStart(this.intervals, beganMs, machineMs());
    if (silenceMs > silenceMsMax + this.#restartMs)
      this.failures.push(`nobody began to hold for ${Math.round(silenceMs)} ms`);
    const counts = [...this.#faultCounts].map(([name, count]) => `${count} ${name}`).join(', ');
    const guard =
      permits === 1 ? `${this.resource.writes} writes, ${this.resource.refusals} refused by the fence; ` : '';
    this.stage.note(
      `${this.intervals.length} holds; ${guard}longest without ${Math.round(silenceMs)} ms; faults: ${counts}`,
    );
  }
}

/** Throws with everything that was found. */
export async function runContest(stage: Stage, settings: ContestSettings): Promise<void> {
  const lines: FlakyLine[] = [];
  try {
    for (const port of stage.ports) lines.push(await FlakyLine.open(await freePort(), port));
    const contest = new Contest(stage, settings, lines);
    await contest.run();
    if (contest.failures.length > 0) throw new Error(contest.failures.join('\n'));
  } finally {
    await Promise.all(lines.map((line) => line.close()));
  }
}
