/**
 * The migration of docs/migration.md, step by step: an ensemble of Apache's servers becomes one of ours, server by server on the same
 * data directories and ports, and goes back, while clients of four libraries write. None loses its session or a write.
 */
import { join } from 'node:path';
import { Ensemble, type Member } from '../peers/ensemble.js';
import type { PeerKind } from '../peers/peer.js';
import type { ApacheKind } from '../peers/versions.js';
import { fourLetterWord } from '../wire/four-letter-word.js';
import { WireSession } from '../wire/session.js';
import { dumpTree } from '../wire/tree-dump.js';
import { judge, superCredentials } from './judge.js';
import { lookAt, sleep, until } from './row.js';
import { ensembleOptions } from './settings.js';
import { clientKinds, SteadyClient } from './steady-clients.js';

export async function migrate(kind: ApacheKind, workDir: string): Promise<string[]> {
  const specs = [1, 2, 3].map(() => ({ kind }));
  const ensemble = await Ensemble.start(specs, { ...ensembleOptions, workDir: join(workDir, 'members'), leader: 3 });
  const clients: SteadyClient[] = [];
  try {
    for (const each of clientKinds) {
      clients.push(new SteadyClient(each, ensemble.connectString(), `/${each}`, join(workDir, each)));
    }
    await allWrite(clients, 'at first');
    await replaceAll(ensemble, 'zoots', clients);
    const look = (): Promise<string[]> => lookAt(ensemble, () => stillThere(ensemble, clients));
    const problems = await look();
    await replaceAll(ensemble, kind, clients);
    problems.push(...(await look()));
    await Promise.all(clients.map((client) => client.end()));
    problems.push(...(await judge(ensemble, null)), ...(await lookAt(ensemble, () => judgeWrites(ensemble, clients))));
    if (problems.length > 0) throw new Error(problems.join('\n'));
    return clients.map((client) => client.figures);
  } catch (error) {
    throw ensemble.explained(error);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
    await ensemble.stop();
  }
}

/** Followers first, the leader last: so there is one election, and not one per server. */
async function replaceAll(ensemble: Ensemble, kind: PeerKind, clients: readonly SteadyClient[]): Promise<void> {
  const leader = await ensemble.leader();
  for (const member of [...ensemble.members.filter((each) => each !== leader), leader]) {
    await untilAllSynced(ensemble);
    await member.stop();
    member.kind = kind;
    await member.start();
    await ensemble.untilWhole(ensemble.members);
    await allWrite(clients, `with ${member} in place`);
  }
  await untilAllSynced(ensemble);
}

async function untilAllSynced(ensemble: Ensemble): Promise<void> {
  await until('the leader counts two synced followers', async () => {
    const leader = await ensemble.leader();
    return /^zk_synced_followers\t2(\.0)?$/m.test(await fourLetterWord(leader.port, 'mntr'));
  });
}

async function allWrite(clients: readonly SteadyClient[], what: string): Promise<void> {
  await Promise.all(clients.map((client) => client.untilWriting(what)));
}

/** The ephemerals of all clients, on all servers, with their first sessions. */
async function stillThere(ensemble: Ensemble, clients: readonly SteadyClient[]): Promise<string[]> {
  const problems: string[] = [];
  for (const member of ensemble.members) {
    const session = await WireSession.connect(member.port);
    await session.sync('/');
    for (const { kind, home, sessionId } of clients) {
      const owner = (await session.exists(`${home}/ephemeral`))?.ephemeralOwner;
      if (owner === undefined || BigInt.asUintN(64, owner) !== sessionId) {
        problems.push(`${member}: the ephemeral of ${kind} belongs to ${owner}, not ${sessionId}`);
      }
    }
    await session.close();
  }
  return problems;
}

async function judgeWrites(ensemble: Ensemble, clients: readonly SteadyClient[]): Promise<string[]> {
  const [member] = ensemble.members as [Member];
  // Closed sessions take their ephemerals with them, which nobody has to wait for but this.
  await sleep(200);
  const session = await WireSession.connect(member.port);
  await session.auth('digest', superCredentials);
  await session.sync('/');
  const tree = new Map((await dumpTree(session)).map(({ path, data }) => [path, String(data)]));
  await session.close();
  return clients.flatMap((client) => client.judge(tree));
}
