/**
 * A world without chance, for named scenarios: one server, a few clients that do only what they are told, no faults but
 * those the scenario makes. All checkers are on: most scenarios assert little themselves.
 */
import type { CoreConfig, Server } from '@zoots/core';
import { CALM_CORE } from '../calm-core.js';
import type { RawClient } from '../raw-client.js';
import { Run, type RunSettings } from '../run.js';
import type { RunOptions } from '../swarm.js';

export interface WorldSettings {
  readonly clientCount?: number;
  readonly core?: Partial<CoreConfig>;
  readonly pipelineMax?: number;
}

const NO_FAULTS = {
  killRate: 0,
  powerCutRate: 0,
  cleanStopRate: 0,
  tears: false,
  crashesDuringStart: false,
  connectionResetRate: 0,
  halfOpenChance: 0,
  stallRate: 0,
  diskFullRate: 0,
  diskErrorRate: 0,
  bitRotChance: 0,
  wallJumpRate: 0,
  purgeRate: 0,
  clientPauseRate: 0,
  halfCloseChance: 0,
};

export class ScriptedWorld {
  readonly run: Run;

  constructor(settings: WorldSettings = {}) {
    const adjust = (drawn: RunOptions): RunOptions => ({
      ...drawn,
      clientCount: settings.clientCount ?? 1,
      coreClientShare: 0,
      core: { ...CALM_CORE, sessionServerId: 1, ...settings.core },
      habits: { ...drawn.habits, usersMax: 0, burstMax: 1, pipelineMax: settings.pipelineMax ?? 1 },
      faults: NO_FAULTS,
      network: {
        ...drawn.network,
        delayMinUs: 10,
        delayMaxUs: 20,
        kernelBytes: 65_536,
        stallChance: 0,
        chunking: 'whole',
      },
      disk: {
        ...drawn.disk,
        opMinUs: 2,
        opMaxUs: 5,
        syncMinUs: 200,
        syncMaxUs: 300,
        slowSyncChance: 0,
        keepsFailedPages: false,
      },
      driftPpm: 0,
      turnMaxUs: 10,
      withheldTurnChance: 0,
    });
    const runSettings: RunSettings = { adjust };
    this.run = new Run(1, runSettings);
    for (const client of this.run.clients) (client as RawClient).isScripted = true;
    this.run.host.start();
    this.pass(100);
  }

  /** Lets time go by, in milliseconds. */
  pass(ms: number): void {
    this.run.simulator.runUntil(this.run.simulator.nowUs + ms * 1000);
  }

  client(number: number): RawClient {
    return this.run.clients[number - 1] as RawClient;
  }

  get server(): Server {
    return this.run.host.server as Server;
  }

  /** Syncs take this long from now on. */
  slowDown(syncMs: number): void {
    this.run.disk.manner.syncMinUs = syncMs * 1000;
    this.run.disk.manner.syncMaxUs = syncMs * 1000;
  }

  /** The server is down now; it is brought up again on what is left, within a second. */
  awaitServer(): void {
    this.pass(1_000);
    if (this.run.host.state !== 'up') throw new Error(`the server is ${this.run.host.state}`);
  }
}
