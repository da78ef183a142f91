/** Runs scenarios in an arrangement: one ensemble serves all of them, made whole and led as wanted before each; a failure gets the next a new one. */
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Ensemble } from '../peers/ensemble.js';
import { PeerMissingError } from '../peers/peer.js';
import { WireSession } from '../wire/session.js';
import { judge, untilSameZxid } from './judge.js';
import type { Act, EnsembleAct } from './plan.js';
import { type Arrangement, type Scenario, Stage } from './row.js';
import { ensembleOptions } from './settings.js';

export class Runner {
  passed = 0;
  failed = 0;
  skipped = 0;
  readonly #workDir: string;
  #number = 0;

  constructor(workDir: string) {
    this.#workDir = workDir;
  }

  total(): string {
    return `${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`;
  }

  async perform(act: Act): Promise<void> {
    if ('arrangement' in act) await this.#together(act);
    else await this.#row(act.name, () => act.run(join(this.#workDir, String(++this.#number))));
  }

  async #together({ arrangement, scenarios }: EnsembleAct): Promise<void> {
    const open: { ensemble: Ensemble | null } = { ensemble: null };
    for (const scenario of scenarios) {
      const isWell = await this.#row(`${arrangement.name}: ${scenario.name}`, async () => {
        open.ensemble ??= await this.#open(arrangement);
        return this.#play(open.ensemble, arrangement, scenario);
      });
      if (isWell) continue;
      await open.ensemble?.stop();
      open.ensemble = null;
    }
    await open.ensemble?.stop();
  }

  #open({ members, leader }: Arrangement): Promise<Ensemble> {
    const workDir = join(this.#workDir, String(++this.#number));
    return Ensemble.start(members, { ...ensembleOptions, workDir, leader });
  }

  /** Resolves with notes; throws with everything that is wrong. */
  async #play(ensemble: Ensemble, arrangement: Arrangement, scenario: Scenario): Promise<string[]> {
    await seat(ensemble, arrangement, scenario);
    const root = `/row-${++this.#number}`;
    const maker = await WireSession.connect(ensemble.member(arrangement.leader).port);
    await maker.create(root);
    await maker.close();
    const stage = new Stage(ensemble, arrangement, root);
    try {
      await scenario.run(stage);
      await stage.load?.settle();
      await stage.end();
      const problems = await judge(ensemble, stage.load);
      await stage.load?.close();
      if (problems.length > 0) throw new Error(problems.join('\n'));
      return stage.notes;
    } catch (error) {
      const explained = ensemble.explained(error);
      for (const member of ensemble.members) member.thaw();
      await stage.end();
      await stage.load?.close();
      throw explained;
    }
  }

  /** True if it passed, or was skipped. */
  async #row(name: string, run: () => Promise<readonly string[]>): Promise<boolean> {
    const beganMs = performance.now();
    const line = (mark: string, notes: readonly string[]): string => {
      const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
      return `${mark} ${name} (${[`${seconds} s`, ...notes].join('; ')})`;
    };
    try {
      const notes = await run();
      this.passed++;
      console.log(line('ok', notes));
      return true;
    } catch (error) {
      if (error instanceof PeerMissingError && process.env.ZOOTS_CI !== '1') {
        this.skipped++;
        console.log(line('SKIPPED', [error.message]));
        return true;
      }
      this.failed++;
      console.log(`${line('FAILED', [])}\n   ${inspect(error).split('\n').slice(0, 80).join('\n   ')}`);
      return false;
    }
  }
}

/** Whole, with the wanted leader and what the scenario configures; all servers are started anew if that is not so yet. */
async function seat(ensemble: Ensemble, { leader }: Arrangement, scenario: Scenario): Promise<void> {
  const properties = { ...ensembleOptions.properties, ...scenario.properties };
  const config = { ...scenario.config };
  const isSo = ensemble.members.every((member) => {
    return JSON.stringify([member.properties, member.config]) === JSON.stringify([properties, config]);
  });
  const isLeading = (await ensemble.member(leader).mode()) === 'leader';
  if (isLeading && isSo) return ensemble.heal();
  for (let triesLeft = 3; ; triesLeft--) {
    await stopAtOnePoint(ensemble);
    for (const member of ensemble.members) Object.assign(member, { properties, config });
    try {
      return await ensemble.startLedBy(leader);
    } catch (error) {
      if (triesLeft === 0) throw error;
    }
  }
}

/** With the same history everywhere the next leader can be chosen by its id. */
async function stopAtOnePoint(ensemble: Ensemble): Promise<void> {
  await ensemble.heal();
  // A server shows the zxid of the epoch once something happens in it.
  const session = await WireSession.connect((await ensemble.leader()).port);
  await session.close();
  await untilSameZxid(ensemble);
  await ensemble.stop();
}
