/**
 * Hostile input against a real server. After every attack the server must be alive, a healthy session must never have
 * noticed more than a delay, and a restart (half of them a crash) must bring back the same tree.
 * Run: node packages/e2e/dist/hostile.js [--server zoots|apache] [--only words,…] [--scale n] [--seed n]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Prng } from './differential/prng.js';
import type { Arena, Attack } from './hostile/attacker.js';
import { attacksOnConnections } from './hostile/attacks-on-connections.js';
import { attacksOnRequests } from './hostile/attacks-on-requests.js';
import { Target } from './hostile/target.js';
import { type PeerKind, skipMissingPeer } from './peers/peer.js';

/** The healthy session may not wait longer than this for a write and a read, whatever goes on around it. */
const waitMaxMs = 2_500;

async function runAttack(attack: Attack, arena: Arena, crash: boolean): Promise<boolean> {
  const { target } = arena;
  await target.beginBatch();
  const failures: string[] = [];
  let thrown = '';
  try {
    const result = await attack.run(arena);
    failures.push(...result.failures);
    thrown = result.thrown;
  } catch (error) {
    failures.push(`the attack itself broke off: ${(error as Error).message}`);
  }
  const waitMs = Math.round(await target.worstWaitMs());
  const rssMb = target.rssMaxMb;
  if (waitMs > waitMaxMs) failures.push(`a healthy session waited ${waitMs} ms`);
  failures.push(...(await target.endBatch(crash)));
  const verdict = failures.length === 0 ? 'ok  ' : 'FAIL';
  console.log(
    `${verdict} ${attack.name.padEnd(40)} ${String(waitMs).padStart(6)} ms ${String(rssMb).padStart(6)} MB  ${thrown}`,
  );
  for (const failure of failures.slice(0, 6)) console.log(`       ${failure}`);
  return failures.length === 0;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      server: { type: 'string', default: 'zoots' },
      only: { type: 'string', default: '' },
      scale: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      ci: { type: 'boolean', default: false },
    },
  });
  const kind = (values.server === 'apache' ? 'apache-3.8.0' : values.server) as PeerKind;
  const seed = Number(values.seed);
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-hostile-'));
  const attacks = [...attacksOnConnections, ...attacksOnRequests].filter(
    ({ name }) => values.only === '' || values.only.split(',').some((word) => name.includes(word)),
  );
  if (attacks.length === 0) throw new Error(`no attack matches ${values.only}`);
  let failed = 0;
  try {
    const target = await Target.start(kind, workDir);
    console.log(`${kind}, seed ${seed}`);
    console.log(`     ${'attack'.padEnd(40)} ${'wait'.padStart(9)} ${'resident'.padStart(9)}  thrown`);
    const scale = values.ci ? 1 : Number(values.scale);
    for (const [index, attack] of attacks.entries()) {
      // A generator for each, so that an attack alone is the same attack.
      const arena = { target, port: target.port, prng: new Prng(seed + attack.name.length * 1_000), scale };
      if (!(await runAttack(attack, arena, index % 2 === 0))) failed += 1;
    }
    await target.stop();
  } catch (error) {
    skipMissingPeer(error);
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
  console.log(`${attacks.length} attacks, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
