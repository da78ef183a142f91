/**
 * Brings faults over an ensemble at random times, at the rates the swarm drew, and takes them back; starts again what went down. What it may
 * do is bounded by fault-atlas.ts.
 */
import type { Prng } from '@zoots/base';
import { fail } from '../checkers/violation.js';
import { type Flip, flipForBudget } from '../fault-budget.js';
import { NOTE } from '../trace.js';
import { FaultAtlas } from './fault-atlas.js';
import type { Member } from './member.js';
import type { EnsembleOptions } from './swarm.js';
import type { EnsembleWorld, WorldEvents } from './world.js';

const SECOND_US = 1_000_000;
const DOWN_MIN_US = 1_000;
const CALM_US_MAX = 2_000;
const DISK_WINDOW_US_MAX = 500_000;
const CLIENT_STALL_US_MAX = 3 * SECOND_US;

export class Nemesis implements WorldEvents {
  readonly counts: Record<string, number> = {};
  readonly atlas: FaultAtlas;
  readonly #world: EnsembleWorld;
  readonly #options: EnsembleOptions;
  readonly #prng: Prng;
  #isActive = true;
  /** Neither up nor down when all was made well. */
  readonly #mustReturn = new Set<Member>();
  #flip: Flip | null = null;

  constructor(world: EnsembleWorld, options: EnsembleOptions, prng: Prng) {
    this.#world = world;
    this.#options = options;
    this.#prng = prng;
    this.atlas = new FaultAtlas(world);
  }

  start(): void {
    const { faults } = this.#options;
    const { members } = this.#world;
    this.#repeat(faults.killRate, () => this.#kill(this.#victim()));
    this.#repeat(faults.powerCutRate, () => this.#powerCut(this.#victim()));
    this.#repeat(faults.stopRate, () => this.#stop(this.#victim()));
    this.#repeat(faults.blackoutRate, () => this.#blackout());
    this.#repeat(faults.rollingRestartRate, () => this.#restartInTurn([...members]));
    this.#repeat(faults.partitionRate, () => this.#partition());
    this.#repeat(faults.swizzleRate, () => this.#swizzle());
    this.#repeat(faults.serverBreakRate, () => this.#breakServerLink());
    this.#repeat(faults.pauseRate, () => this.#pause(this.#victim()));
    this.#repeat(faults.wallJumpRate, () => this.#jump());
    this.#repeat(faults.diskErrorRate, () => this.#breakDisk());
    this.#repeat(faults.diskFullRate, () => this.#fillDisk());
    this.#repeat(faults.slowDiskRate, () => this.#slowDisk());
    this.#repeat(faults.clientResetRate, () => this.#resetClient());
    this.#repeat(faults.clientStallRate, () => this.#stallClient());
    this.#repeat(faults.clientPauseRate, () => this.#pauseClient());
    this.#repeat(faults.purgeRate, () => this.#purge());
  }

  #count(name: string, detail = ''): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    this.#world.trace.text(NOTE.fault, name);
    this.#world.trace.line(`fault: ${name} ${detail}`);
  }

  /** At random times, `rate` times a second on average, as long as the chaos lasts. */
  #repeat(rate: number, act: () => void): void {
    if (rate <= 0) return;
    const next = (): void => {
      this.#later(this.#prng.below(Math.floor((2 * SECOND_US) / rate)), () => {
        act();
        next();
      });
    };
    next();
  }

  #later(delayUs: number, act: () => void): void {
    this.#world.simulator.after(delayUs, () => {
      if (this.#isActive) act();
    });
  }

  /** From here on nothing breaks any more, and what is broken is mended. `absent`: members that stay down. */
  heal(absent: ReadonlySet<Member>): void {
    this.#isActive = false;
    const { network, members, clientLinks, options } = this.#world;
    network.healAll();
    for (const manner of [options.clientNetwork, options.serverNetwork]) {
      manner.stallChance = 0;
      manner.delayMaxUs = Math.min(manner.delayMaxUs, CALM_US_MAX);
    }
    for (const { link } of network.links) {
      link.up.unstall();
      link.down.unstall();
    }
    for (const link of clientLinks) {
      link.up.unstall();
      link.down.unstall();
    }
    for (const member of members) this.#mend(member, absent.has(member));
  }

  #mend(member: Member, isAbsent: boolean): void {
    const { manner } = member.disk;
    mendDisk(member);
    manner.slowSyncChance = 0;
    manner.opMaxUs = Math.min(manner.opMaxUs, CALM_US_MAX);
    manner.syncMinUs = Math.min(manner.syncMinUs, CALM_US_MAX);
    manner.syncMaxUs = Math.min(manner.syncMaxUs, CALM_US_MAX);
    member.host.isCalm = true;
    member.host.wake();
    if (isAbsent && member.host.state !== 'down') member.host.kill();
    else if (!isAbsent && member.host.state === 'down') this.#startLater(member);
    // It is on its way down, or up to files that it will refuse: it comes back from there.
    else if (!isAbsent && member.host.state !== 'up') this.#mustReturn.add(member);
  }

  // ---- lives ----

  onUp(member: Member): void {
    if (this.atlas.rotten !== member) return;
    this.atlas.rotten = null;
    this.#flip = null;
  }

  onDown(member: Member, problem: string | null): void {
    if (problem !== null) this.#explain(member, problem);
    // A disk that was mended may have had a failure on its way.
    const hasGivenUp = problem !== null && member.disk.errorCount > 0;
    if (member.disk.errorCount > 0) rebootAfterError(member);
    if (this.#mustReturn.delete(member) || this.#isActive || hasGivenUp) this.#startLater(member);
  }

  /** A server may give up only for a reason. */
  #explain(member: Member, problem: string): void {
    this.#count('gaveUp', problem);
    if (this.atlas.rotten === member) {
      // Damage was seen and refused: the operator brings the file back from elsewhere.
      this.#flip?.undo();
      this.#flip = null;
      this.atlas.rotten = null;
      this.#count('rotRefused');
    } else if (member.disk.errorCount === 0) fail('start', `server ${member.id} gives up: ${problem}`);
  }

  #startLater(member: Member): void {
    // Whoever lost its disk holds everybody else up: it is back soon.
    const isHurried = !this.#isActive || this.atlas.wiped.has(member);
    const delayUs = this.#prng.between(DOWN_MIN_US, isHurried ? 20_000 : this.#options.downMaxMs * 1000);
    this.#world.simulator.after(delayUs, () => this.startNow(member));
  }

  startNow(member: Member): void {
    if (member.host.state !== 'down') return;
    if (this.#isActive) {
      this.#maybeWipe(member);
      this.#maybeRot(member);
    }
    member.start();
    this.#maybeCrashDuringStart(member);
  }

  #maybeWipe(member: Member): void {
    if (!this.#prng.chance(this.#options.faults.wipeChance) || !this.atlas.mayWipe(member)) return;
    this.#count('wipe', `server ${member.id}`);
    member.wipe();
    this.atlas.onWiped(member);
  }

  #maybeRot(member: Member): void {
    if (!this.#prng.chance(this.#options.faults.bitRotChance) || !this.atlas.mayRot()) return;
    this.#flip = flipForBudget(member.disk.image, this.#prng);
    if (this.#flip === null) return;
    this.atlas.rotten = member;
    this.#count('bitRot', `server ${member.id}, ${this.#flip.where}`);
  }

  #maybeCrashDuringStart(member: Member): void {
    if (!this.#options.faults.crashesDuringStart || !this.#prng.chance(0.3)) return;
    this.#later(this.#prng.below(20_000), () => {
      // A crash while a flipped bit lies there would make two faults of one.
      if (member.host.state !== 'starting' || this.atlas.rotten === member) return;
      this.#count('crashDuringStart', `server ${member.id}`);
      if (this.#prng.chance(0.5)) member.powerCut(this.#options.faults.tears);
      else member.host.kill();
    });
  }

  /** Often the leader: most of what can go wrong goes wrong with it. */
  #victim(): Member {
    const { leader, members } = this.#world;
    return leader !== null && this.#prng.chance(0.4) ? leader : this.#prng.pick(members);
  }

  #mayEnd(member: Member): boolean {
    const { state } = member.host;
    return (state === 'up' || state === 'stopping') && this.atlas.mayDisturb(member);
  }

  #kill(member: Member): void {
    if (!this.#mayEnd(member)) return;
    this.#count('kill', `server ${member.id}`);
    member.host.kill();
  }

  #powerCut(member: Member): void {
    if (!this.#mayEnd(member)) return;
    this.#count('powerCut', `server ${member.id}`);
    member.powerCut(this.#options.faults.tears);
  }

  #stop(member: Member): void {
    if (member.host.state !== 'up' || !this.#mayEnd(member)) return;
    this.#count('stop', `server ${member.id}`);
    member.host.wake();
    member.host.stop();
  }

  #blackout(): void {
    const { members } = this.#world;
    if (!members.every((member) => this.atlas.mayDisturb(member))) return;
    this.#count('blackout');
    const share = this.#prng.pick([0.6, 0.9, 1]);
    for (const member of members) {
      const isUp = member.host.state === 'up' || member.host.state === 'stopping';
      if (isUp && this.#prng.chance(share)) member.powerCut(this.#options.faults.tears);
    }
  }

  #restartInTurn(members: Member[]): void {
    const member = members.shift();
    if (member === undefined) return;
    if (members.length + 1 === this.#world.members.length) this.#count('rollingRestart');
    if (this.#prng.chance(0.5)) this.#stop(member);
    else this.#kill(member);
    this.#later(this.#prng.between(100_000, 2_000_000), () => this.#restartInTurn(members));
  }

  // ---- the network ----

  #partition(): void {
    const { members, network } = this.#world;
    if (!members.every((member) => this.atlas.mayDisturb(member))) return;
    const cuts = this.#prng.pick(PARTITIONS)(this.#prng, members, this.#world.leader);
    const isOneWay = this.#prng.chance(this.#options.faults.oneWayChance);
    this.#count(isOneWay ? 'oneWayCut' : 'partition', cuts.map(([from, to]) => `${from}-${to}`).join(' '));
    for (const [from, to] of cuts) this.#cut(from, to, isOneWay);
    this.#later(this.#prng.below(this.#cutUsMax), () => {
      for (const [from, to] of cuts) network.setCutBoth(from, to, false);
    });
  }

  /** From a hiccup to longer than anybody waits. */
  get #cutUsMax(): number {
    const { tickTimeMs, syncLimit, initLimit } = this.#options;
    return this.#prng.pick([tickTimeMs, tickTimeMs * syncLimit * 2, tickTimeMs * initLimit * 2]) * 1000;
  }

  #cut(from: number, to: number, isOneWay: boolean): void {
    const { network } = this.#world;
    network.setCut(from, to, true);
    if (!isOneWay) network.setCut(to, from, true);
    for (const one of [...network.links]) {
      const isBetween = (one.from === from && one.to === to) || (one.from === to && one.to === from);
      if (isBetween && this.#prng.chance(0.3)) network.break(one, this.#prng.chance(0.5), this.#prng.chance(0.5));
    }
  }

  /** Links are cut one after another, and come back in another order. */
  #swizzle(): void {
    const { members, network } = this.#world;
    if (!members.every((member) => this.atlas.mayDisturb(member))) return;
    this.#count('swizzle');
    const pairs = pairsOf(members).filter(() => this.#prng.chance(0.6));
    const spanUs = this.#cutUsMax;
    for (const [from, to] of pairs) {
      const startUs = this.#prng.below(spanUs);
      this.#later(startUs, () => this.#cut(from, to, this.#prng.chance(0.3)));
      this.#later(startUs + this.#prng.below(spanUs), () => network.setCutBoth(from, to, false));
    }
  }

  #breakServerLink(): void {
    const { network } = this.#world;
    const links = [...network.links];
    if (links.length === 0) return;
    const isHalfOpen = this.#prng.chance(this.#options.faults.halfOpenChance);
    this.#count(isHalfOpen ? 'halfOpen' : 'serverReset');
    const isFirst = this.#prng.chance(0.5);
    network.break(this.#prng.pick(links), !isHalfOpen || isFirst, !isHalfOpen || !isFirst);
  }

  // ---- time ----

  #pause(member: Member): void {
    if (!member.isUp || member.gate.isClosed || !this.atlas.mayDisturb(member)) return;
    this.#count('pause', `server ${member.id}`);
    member.host.pause();
    this.#world.simulator.after(this.#prng.below(this.#cutUsMax), () => member.host.wake());
  }

  #jump(): void {
    const member = this.#prng.pick(this.#world.members);
    this.#count('wallJump', `server ${member.id}`);
    member.host.clock.jump(this.#prng.pick([-3_600_000, -500, 500, 3_600_000]));
  }

  // ---- disks ----

  #breakDisk(): void {
    const member = this.#prng.pick(this.#world.members);
    if (!this.atlas.mayDisturb(member)) return;
    const kind = this.#prng.pick([
      'syncErrorChance',
      'writeErrorChance',
      'readErrorChance',
      'metadataErrorChance',
    ] as const);
    this.#count(kind, `server ${member.id}`);
    member.disk.manner[kind] = this.#prng.pick([0.02, 0.3, 1]);
    this.#world.simulator.after(this.#prng.below(DISK_WINDOW_US_MAX), () => {
      member.disk.manner[kind] = 0;
    });
  }

  #fillDisk(): void {
    const member = this.#prng.pick(this.#world.members);
    if (!this.atlas.mayDisturb(member)) return;
    this.#count('diskFull', `server ${member.id}`);
    member.disk.manner.isFull = true;
    this.#world.simulator.after(this.#prng.below(DISK_WINDOW_US_MAX), () => {
      member.disk.manner.isFull = false;
    });
  }

  #slowDisk(): void {
    const member = this.#prng.pick(this.#world.members);
    const { manner } = member.disk;
    this.#count('slowDisk', `server ${member.id}`);
    const addedUs = this.#prng.pick([50_000, 500_000]);
    manner.syncMaxUs += addedUs;
    // Two such times may overlap; and healing ends them all.
    this.#later(this.#prng.below(this.#cutUsMax), () => {
      manner.syncMaxUs -= addedUs;
    });
  }

  #purge(): void {
    const member = this.#prng.pick(this.#world.members);
    this.#count('purge');
    member.host.purge();
  }

  // ---- clients ----

  #resetClient(): void {
    const links = this.#world.members.flatMap((member) => member.host.openSockets);
    if (links.length === 0) return;
    const isHalfOpen = this.#prng.chance(this.#options.faults.halfOpenChance);
    this.#count(isHalfOpen ? 'clientHalfOpen' : 'clientReset');
    const isFirst = this.#prng.chance(0.5);
    this.#prng.pick(links).reset(!isHalfOpen || isFirst, !isHalfOpen || !isFirst);
  }

  #stallClient(): void {
    const links = this.#world.members.flatMap((member) => member.host.openSockets);
    if (links.length === 0) return;
    const link = this.#prng.pick(links);
    const untilUs = this.#world.simulator.nowUs + this.#prng.below(CLIENT_STALL_US_MAX);
    this.#count('clientStall');
    if (this.#prng.chance(0.6)) link.up.stall(untilUs);
    if (this.#prng.chance(0.6)) link.down.stall(untilUs);
  }

  #pauseClient(): void {
    const { members, clients } = this.#world;
    this.#count('clientPause');
    const longestMs = (members[0] as Member).core.maxSessionTimeoutMs;
    this.#prng.pick(clients).pause(this.#prng.below(2 * longestMs * 1000));
  }
}

function mendDisk(member: Member): void {
  const { manner } = member.disk;
  manner.isFull = false;
  manner.syncErrorChance = 0;
  manner.writeErrorChance = 0;
  manner.readErrorChance = 0;
  manner.metadataErrorChance = 0;
}

/** A disk that failed is taken out and put in again: what was not on the platter is gone. */
function rebootAfterError(member: Member): void {
  mendDisk(member);
  member.disk.errorCount = 0;
  if (!member.disk.manner.keepsFailedPages) member.disk.powerCut(false);
}

type Pair = readonly [number, number];
type Partition = (prng: Prng, members: readonly Member[], leader: Member | null) => Pair[];

function pairsOf(members: readonly Member[]): Pair[] {
  return members.flatMap((one, i) => members.slice(i + 1).map((other): Pair => [one.id, other.id]));
}

function between(left: readonly Member[], right: readonly Member[]): Pair[] {
  return left.flatMap((one) => right.map((other): Pair => [one.id, other.id]));
}

/** Two halves of any size. */
const halves: Partition = (prng, members) => {
  const shuffled = prng.shuffle([...members]);
  const size = prng.between(1, members.length - 1);
  return between(shuffled.slice(0, size), shuffled.slice(size));
};

const isolateLeader: Partition = (prng, members, leader) => {
  const one = leader ?? prng.pick(members);
  return between(
    [one],
    members.filter((other) => other !== one),
  );
};

/** Some see all, others only some. */
const partial: Partition = (prng, members) => {
  const pairs = pairsOf(members).filter(() => prng.chance(0.4));
  return prng.shuffle(pairs.map(([from, to]): Pair => (prng.chance(0.5) ? [from, to] : [to, from])));
};

/** Two halves that share one server. */
const bridge: Partition = (prng, members) => {
  const [, ...others] = prng.shuffle([...members]);
  const size = Math.ceil(others.length / 2);
  return between(others.slice(0, size), others.slice(size));
};

const PARTITIONS: readonly Partition[] = [halves, halves, isolateLeader, isolateLeader, partial, bridge];
