/** lock and elect with processes that are killed and servers that stand still: one at a time, tokens that grow. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@zoots/client';
import { type CliRow, until } from './row.js';
import { outputOf, ZootsProcess } from './zoots-process.js';

/** Short sessions, so that those of the killed end within seconds. */
const sessionTimeout = ['--session-timeout', '2s'];

/** Appends when it begins and ends to a file; what it does in between takes `workS`. */
function worker(file: string, workS: number): string[] {
  const script = `echo "$ZOOTS_FENCING_TOKEN begin" >> ${file}; sleep ${workS}; echo "$ZOOTS_FENCING_TOKEN end" >> ${file}`;
  return ['--', 'sh', '-c', script];
}

/**
 * The tokens in the order in which they began. Fails unless they grow, and nobody begins before the one ahead has ended;
 * those of the killed have no end.
 */
function checkLedger(file: string): { begun: number[]; unfinished: number } {
  const begun: number[] = [];
  let [working, unfinished] = [Number.NaN, 0];
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
    const [token, what] = line.split(' ') as [string, string];
    if (what === 'begin') {
      if (!Number.isNaN(working)) unfinished++;
      assert.ok(
        begun.every((earlier) => earlier < Number(token)),
        `token ${token} after ${begun.join(', ')}`,
      );
      begun.push(Number(token));
      working = Number(token);
    } else {
      assert.equal(Number(token), working, 'only the last one to begin is at work');
      working = Number.NaN;
    }
  }
  return { begun, unfinished: unfinished + (Number.isNaN(working) ? 0 : 1) };
}

export const holdRows: readonly CliRow[] = [
  {
    name: 'lock: eight processes, two holders killed with kill -9',
    async run({ server, root, workDir, note }) {
      const file = join(workDir, 'ledger');
      writeFileSync(file, '');
      const words = ['lock', root, '--server', server.connectString, ...sessionTimeout, ...worker(file, 0.15)];
      const processes = Array.from({ length: 8 }, () => new ZootsProcess(words));
      const killed = new Set<ZootsProcess>();
      await using client = await connect(server.connectString);
      for (const number of [1, 2]) {
        const victim = await someHolder(processes, killed, client, root);
        victim.kill();
        killed.add(victim);
        note(`holder ${number} killed`);
      }
      const codes = await Promise.all(processes.map(async ({ ended }) => (await ended).exitCode));
      assert.equal(codes.filter((code) => code === 0).length, 6, codes.join(' '));
      const { begun } = checkLedger(file);
      assert.ok(begun.length >= 6 && begun.length <= 8, `${begun.length} began`);
      assert.deepEqual(await client.children(root), [], 'no contender is left');
    },
  },
  {
    name: 'elect: a leader killed, a leader that ends, each time the next one leads',
    async run({ server, root, workDir }) {
      const file = join(workDir, 'ledger');
      writeFileSync(file, '');
      const words = ['elect', root, '--server', server.connectString, ...sessionTimeout, ...worker(file, 30)];
      const first = new ZootsProcess(words);
      await until('the first leads', () => readFileSync(file, 'utf8').includes('begin'));
      const others = [new ZootsProcess(words), new ZootsProcess(words)];
      await using client = await connect(server.connectString);
      await until('three take part', async () => (await client.children(root)).length === 3);
      first.kill();
      await until('the second leads', () => checkLedger(file).begun.length === 2);
      const leader = await someHolder(others, new Set(), client, root);
      leader.child.kill('SIGTERM');
      assert.equal((await leader.ended).exitCode, 143);
      await until('the third leads', () => checkLedger(file).begun.length === 3);
      for (const process of others) process.kill();
      await Promise.all(others.map(({ ended }) => ended));
      assert.equal(checkLedger(file).unfinished, 3);
    },
  },
  {
    name: 'lock: the server stands still; the command is ended before the session may be',
    async run({ server, root, note }) {
      const script = 'trap "echo asked to end; exit 0" TERM; echo begun; while :; do sleep 0.02; done';
      const words = ['lock', root, '--server', server.connectString, ...sessionTimeout, '--', 'sh', '-c', script];
      const lock = new ZootsProcess(words);
      await until('the command runs', () => lock.out.includes('begun'));
      process.kill(server.peer.pid, 'SIGSTOP');
      const stoppedMs = performance.now();
      try {
        await until('the command is asked to end', () => lock.out.includes('asked to end'), 6_000);
        const lostMs = performance.now() - stoppedMs;
        note(`asked after ${lostMs.toFixed(0)} ms of a session timeout of 2000`);
        // Scheduling on a busy machine is the slack; the session would be over after 2 s at the earliest.
        assert.ok(lostMs < 3_500, `${lostMs} ms`);
      } finally {
        process.kill(server.peer.pid, 'SIGCONT');
      }
      const { exitCode, err } = await lock.ended;
      assert.equal(exitCode, 1);
      assert.match(err, /lost, because the session is gone or must be assumed gone/);
    },
  },
  {
    name: 'lock: a broken connection within the session timeout changes nothing',
    async run({ server, root }) {
      const script = 'echo begun; sleep 4; echo done';
      const words = [
        'lock',
        root,
        '--session-timeout',
        '20s',
        '--server',
        server.connectString,
        '--',
        'sh',
        '-c',
        script,
      ];
      const lock = new ZootsProcess(words);
      await until('the command runs', () => lock.out.includes('begun'));
      await server.restart();
      const { exitCode, out } = await lock.ended;
      assert.deepEqual([exitCode, out], [0, 'begun\ndone\n']);
      assert.equal(await outputOf('ls', root, '--server', server.connectString), '');
    },
  },
];

type Client = Awaited<ReturnType<typeof connect>>;

/** The process that holds, found by the data of its znode, which end in its pid. */
async function someHolder(
  processes: readonly ZootsProcess[],
  killed: ReadonlySet<ZootsProcess>,
  client: Client,
  path: string,
): Promise<ZootsProcess> {
  let holder: ZootsProcess | undefined;
  await until('somebody holds', async () => {
    const names = await client.children(path).catch(() => []);
    const [first] = names.sort((a, b) => (a.slice(-10) < b.slice(-10) ? -1 : 1));
    if (first === undefined) return false;
    const data = await client.get(`${path}/${first}`).catch(() => null);
    const pid = Number(data?.data?.toString().split(':').at(-1));
    holder = processes.find((one) => one.child.pid === pid && !killed.has(one));
    return holder !== undefined;
  });
  return holder as ZootsProcess;
}
