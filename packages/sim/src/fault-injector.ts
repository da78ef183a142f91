/**
 * Brings faults about at random times, at the rates the swarm drew, and brings the server up again afterwards. What it may
 * do is bounded by fault-budget.ts.
 */
import type { Prng } from '@zoots/base';
import { fail } from './checkers/violation.js';
import { type Flip, flipForBudget } from './fault-budget.js';
import type { HostEvents } from './host.js';
import type { Run } from './run.js';
import { NOTE } from './trace.js';

const SECOND_US = 1_000_000;
const DOWN_MIN_US = 1_000;
const CALM_DELAY_MAX_US = 2_000;
const WINDOW_MAX_US = 300_000;

export class FaultInjector implements HostEvents {
  readonly counts: Record<string, number> = {};
  readonly #run: Run;
  readonly #prng: Prng;
  #isActive = true;
  /** The bit that was flipped before the server was started; undone if it refuses to start. */
  #flip: Flip | null = null;
  /** A server that is down most of a short run has little to lose. */
  readonly #downMaxUs: number;

  constructor(run: Run, prng: Prng) {
    this.#run = run;
    this.#prng = prng;
    this.#downMaxUs = run.options.chaosMs * 40;
  }

  start(): void {
    const { faults } = this.#run.options;
    this.#repeat(faults.killRate, () => this.#kill());
    this.#repeat(faults.powerCutRate, () => this.#powerCut());
    this.#repeat(faults.cleanStopRate, () => this.#stop());
    this.#repeat(faults.connectionResetRate, () => this.#resetLink());
    this.#repeat(faults.stallRate, () => this.#stallLink());
    this.#repeat(faults.diskFullRate, () => this.#fillDisk());
    this.#repeat(faults.diskErrorRate, () => this.#breakDisk());
    this.#repeat(faults.wallJumpRate, () => this.#jump());
    this.#repeat(faults.purgeRate, () => this.#purge());
    this.#repeat(faults.clientPauseRate, () => this.#pauseClient());
  }

  /** From here on nothing breaks any more, and what is broken is mended. */
  stop(): void {
    this.#isActive = false;
    this.#mendDisk();
    // A network and a disk on which even the shortest session timeout can be kept.
    const { network } = this.#run.options;
    const { manner } = this.#run.disk;
    network.stallChance = 0;
    network.delayMaxUs = Math.min(network.delayMaxUs, CALM_DELAY_MAX_US);
    manner.slowSyncChance = 0;
    manner.opMaxUs = Math.min(manner.opMaxUs, CALM_DELAY_MAX_US);
    manner.syncMaxUs = Math.min(manner.syncMaxUs, CALM_DELAY_MAX_US);
    this.#run.host.isCalm = true;
    for (const link of this.#run.links) {
      link.up.unstall();
      link.down.unstall();
    }
    if (this.#run.host.state === 'down') this.#startLater();
  }

  #count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    this.#run.trace.text(NOTE.fault, name);
  }

  /** At random times, `rate` times a second on average, as long as the chaos lasts. */
  #repeat(rate: number, act: () => void): void {
    if (rate <= 0) return;
    const next = (): void => {
      this.#run.simulator.after(this.#prng.below(Math.floor((2 * SECOND_US) / rate)), () => {
        if (!this.#isActive) return;
        act();
        next();
      });
    };
    next();
  }

  // ---- the server's life ----

  onUp(): void {
    this.#flip = null;
  }

  onDown(problem: string | null): void {
    const { disk } = this.#run;
    if (problem !== null) this.#explain(problem);
    if (disk.errorCount > 0) this.#rebootAfterError();
    this.#startLater();
  }

  /** A server may give up only for a reason. */
  #explain(problem: string): void {
    this.#count('gaveUp');
    if (this.#flip !== null) {
      // Damage was seen and refused: the operator brings the file back from elsewhere.
      this.#flip.undo();
      this.#run.trace.line(`the flipped bit is put right: ${problem}`);
      this.#count('rotRefused');
      this.#flip = null;
      return;
    }
    if (this.#run.disk.errorCount > 0) return;
    fail('start', `the server does not start: ${problem}`);
  }

  /** A disk that failed is taken out and put in again: what was not on the platter is gone. */
  #rebootAfterError(): void {
    const { disk } = this.#run;
    this.#mendDisk();
    disk.errorCount = 0;
    if (!disk.manner.keepsFailedPages) disk.powerCut(false);
  }

  #startLater(): void {
    const { host, simulator } = this.#run;
    simulator.after(this.#prng.between(DOWN_MIN_US, this.#downMaxUs), () => {
      if (host.state !== 'down') return;
      this.#maybeRot();
      host.start();
      this.#maybeCrashDuringStart();
    });
  }

  #maybeCrashDuringStart(): void {
    const { host, simulator, options } = this.#run;
    if (!this.#isActive || !options.faults.crashesDuringStart || !this.#prng.chance(0.3)) return;
    simulator.after(this.#prng.below(20_000), () => {
      // A crash while a flipped bit lies there would make two faults of one.
      if (!this.#isActive || host.state !== 'starting' || this.#flip !== null) return;
      this.#count('crashDuringStart');
      if (options.faults.powerCutRate > 0 && this.#prng.chance(0.5)) host.powerCut(options.faults.tears);
      else host.kill();
    });
  }

  #maybeRot(): void {
    const { disk, options } = this.#run;
    if (!this.#isActive || !this.#prng.chance(options.faults.bitRotChance)) return;
    this.#flip = flipForBudget(disk.image, this.#prng);
    if (this.#flip === null) return;
    this.#count('bitRot');
    this.#run.trace.line(`fault: one bit flipped, ${this.#flip.where}`);
  }

  #isUp(): boolean {
    return this.#run.host.state === 'up' || this.#run.host.state === 'stopping';
  }

  #kill(): void {
    if (!this.#isUp()) return;
    this.#count('kill');
    this.#run.host.kill();
  }

  #powerCut(): void {
    if (!this.#isUp()) return;
    this.#count('powerCut');
    this.#run.host.powerCut(this.#run.options.faults.tears);
  }

  #stop(): void {
    if (this.#run.host.state !== 'up') return;
    this.#count('stop');
    this.#run.host.stop();
  }

  // ---- network ----

  #resetLink(): void {
    const links = this.#run.host.openSockets;
    if (links.length === 0) return;
    const link = this.#prng.pick(links);
    const isHalfOpen = this.#prng.chance(this.#run.options.faults.halfOpenChance);
    this.#count(isHalfOpen ? 'halfOpen' : 'reset');
    const learnsFirst = this.#prng.chance(0.5);
    if (isHalfOpen) link.reset(learnsFirst, !learnsFirst);
    else link.reset(true, true);
  }

  #stallLink(): void {
    const links = this.#run.host.openSockets;
    if (links.length === 0) return;
    const link = this.#prng.pick(links);
    const untilUs = this.#run.simulator.nowUs + this.#prng.below(3 * SECOND_US);
    this.#count('stall');
    if (this.#prng.chance(0.6)) link.up.stall(untilUs);
    if (this.#prng.chance(0.6)) link.down.stall(untilUs);
  }

  #pauseClient(): void {
    const client = this.#prng.pick(this.#run.clients);
    this.#count('pause');
    client.pause(this.#prng.below(2 * this.#run.options.core.maxSessionTimeoutMs * 1000));
  }

  // ---- disk ----

  #fillDisk(): void {
    const { manner } = this.#run.disk;
    this.#count('diskFull');
    this.#run.trace.line('fault: the disk is full');
    manner.isFull = true;
    this.#run.simulator.after(this.#prng.below(WINDOW_MAX_US), () => {
      manner.isFull = false;
    });
  }

  #breakDisk(): void {
    const { manner } = this.#run.disk;
    const kind = this.#prng.pick([
      'syncErrorChance',
      'writeErrorChance',
      'readErrorChance',
      'metadataErrorChance',
    ] as const);
    this.#count(kind);
    this.#run.trace.line(`fault: ${kind}`);
    manner[kind] = this.#prng.pick([0.02, 0.3, 1]);
    this.#run.simulator.after(this.#prng.below(WINDOW_MAX_US), () => {
      manner[kind] = 0;
    });
  }

  #mendDisk(): void {
    const { manner } = this.#run.disk;
    manner.isFull = false;
    manner.syncErrorChance = 0;
    manner.writeErrorChance = 0;
    manner.readErrorChance = 0;
    manner.metadataErrorChance = 0;
  }

  #jump(): void {
    this.#count('wallJump');
    this.#run.host.clock.jump(this.#prng.pick([-3_600_000, -500, 500, 3_600_000]));
  }

  #purge(): void {
    this.#count('purge');
    this.#run.host.purge();
  }
}
