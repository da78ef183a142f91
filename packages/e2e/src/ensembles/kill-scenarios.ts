/** Servers that are killed, one after the other and all at once, while writers write. */
import type { Member } from '../peers/ensemble.js';
import type { Load } from './load.js';
import { type Scenario, type Stage, sleep, until } from './row.js';

/** Acknowledgements that show that an ensemble serves. */
export const livelyAcks = 60;

export async function untilLively(load: Load, what: string): Promise<void> {
  const before = load.acks;
  await until(`writes go on ${what}`, () => load.acks > before + livelyAcks, 30_000);
}

/** Kills it, waits until the others serve, and brings it back on its data. */
async function killAndReturn(stage: Stage, load: Load, victim: Member): Promise<void> {
  await victim.kill();
  await untilLively(load, `without ${victim}`);
  await victim.start();
  await stage.ensemble.untilWhole(stage.ensemble.members);
  await untilLively(load, `with ${victim} again`);
}

async function killLeader(stage: Stage): Promise<void> {
  const load = stage.startLoad();
  await untilLively(load, 'at first');
  await killAndReturn(stage, load, stage.leader);
  stage.note(`writes stood still for ${Math.round(load.longestGapMs)} ms at most`);
}

async function killEach(stage: Stage): Promise<void> {
  const load = stage.startLoad();
  await untilLively(load, 'at first');
  for (const member of stage.ensemble.members) await killAndReturn(stage, load, member);
  stage.note(`${load.acks} writes, standing still for ${Math.round(load.longestGapMs)} ms at most`);
}

/** As an operator restarts them: SIGTERM, observers and followers first, the leader last. */
async function rollingRestart(stage: Stage): Promise<void> {
  const load = stage.startLoad();
  const order = [...stage.ensemble.members.filter((member) => member !== stage.leader), stage.leader];
  for (const member of order) {
    await member.stop();
    await sleep(300);
    await member.start();
    await stage.ensemble.untilWhole(stage.ensemble.members);
    await untilLively(load, `with ${member} again`);
  }
  stage.note(`${load.acks} writes, standing still for ${Math.round(load.longestGapMs)} ms at most`);
}

async function killAll(stage: Stage): Promise<void> {
  const load = stage.startLoad();
  await untilLively(load, 'at first');
  await Promise.all(stage.ensemble.members.map((member) => member.kill()));
  await stage.ensemble.heal();
  await untilLively(load, 'with all again');
}

/** Nobody answers for longer than the leader or its followers wait: the others go on, and it finds itself deposed. */
async function freezeLeader(stage: Stage): Promise<void> {
  const load = stage.startLoad();
  await untilLively(load, 'at first');
  stage.leader.freeze();
  await untilLively(load, `while ${stage.leader} is frozen`);
  stage.leader.thaw();
  await stage.ensemble.untilWhole(stage.ensemble.members);
  await untilLively(load, `with ${stage.leader} again`);
}

export const killScenarios: readonly Scenario[] = [
  { name: 'the leader is killed and comes back', run: killLeader },
  { name: 'every server in turn is killed and comes back', run: killEach },
  { name: 'all are killed at once and come back', run: killAll },
  { name: 'the leader is frozen until the others have another one', run: freezeLeader },
  { name: 'rolling restart, the leader last', run: rollingRestart },
  {
    // Leaders then send configurations with a version, and Apache's servers write them down.
    name: 'with reconfigEnabled, the leader is killed and comes back',
    config: { reconfigEnabled: 'true' },
    run: killLeader,
  },
];
