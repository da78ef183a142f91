/** `zoots top` of three servers: who leads, who follows, who is silent, and that all have the same transactions. */
import assert from 'node:assert/strict';
import { connect } from '@zoots/client';
import type { Ensemble } from '../peers/ensemble.js';
import { until } from './row.js';
import { outputOf, zoots } from './zoots-process.js';

interface Shown {
  readonly server: string;
  readonly mode?: string;
  readonly behind?: number;
  readonly error?: string;
}

function parse(out: string): Shown[] {
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Shown);
}

export async function topOfEnsemble(ensemble: Ensemble): Promise<void> {
  const servers = ensemble.connectString();
  {
    await using client = await connect(servers);
    await client.create('/something', 'x');
  }
  await until('all have it', async () => {
    const shown = parse(await outputOf('top', '-1', '--json', '--server', servers));
    const modes = shown.map(({ mode }) => mode).sort();
    assert.deepEqual(modes, ['follower', 'follower', 'leader']);
    return shown.every(({ behind }) => behind === 0);
  });
  const text = await outputOf('top', '--once', '--server', servers);
  assert.match(text, /^\S+ \S+ {2}3 servers: (?=.*\b1 leader)(?=.*\b2 follower)/);
  const victim = ensemble.members.find(({ port }) => !text.includes(`127.0.0.1:${port}  leader`));
  assert.ok(victim !== undefined);
  await victim.kill();
  const rest = await zoots('top', '-1', '--json', '--server', servers);
  assert.equal(rest.exitCode, 1);
  const silent = parse(rest.out).filter(({ error }) => error !== undefined);
  assert.deepEqual(
    silent.map(({ server, error }) => [server, error]),
    [[`127.0.0.1:${victim.port}`, 'ECONNREFUSED']],
  );
}
