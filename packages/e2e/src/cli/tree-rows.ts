/** cp, export, import, diff and top between our server and Apache's, and the time that a command takes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { connect } from '@zoots/client';
import { type CliRow, type RealServer, until } from './row.js';
import { main, outputOf, ZootsProcess, zoots } from './zoots-process.js';

const NODE_COUNT = 500;

/** Every kind of data and ACL, a wide and a deep part; the number of znodes. */
async function fill({ connectString }: RealServer, root: string): Promise<number> {
  await using client = await connect(connectString);
  await client.create(root, 'root');
  await client.create(`${root}/null`, null);
  await client.create(`${root}/empty`, '');
  await client.create(
    `${root}/bytes`,
    Uint8Array.from({ length: 300 }, (_, i) => i & 0xff),
  );
  await client.create(`${root}/großes ☃`, 'ä'.repeat(50_000));
  await client.create(`${root}/acl`, 'a', { acl: [{ scheme: 'ip', id: '127.0.0.1', perms: 31 }] });
  await client.create(`${root}/acl/read`, 'r', { acl: [{ scheme: 'world', id: 'anyone', perms: 1 }] });
  await client.create(`${root}/deep/${'d/'.repeat(30)}end`, 'x', { parents: true });
  await client.create(`${root}/wide`);
  const wide = Array.from({ length: NODE_COUNT }, (_, i) => client.create(`${root}/wide/n-${i}`, `data ${i}`));
  await Promise.all(wide);
  return (await client.countDescendants(root)) + 1;
}

/** Writes to a znode until the server has made a snapshot that is younger than this call, and complete. */
async function laterSnapshot({ connectString, dataDir }: RealServer, path: string): Promise<string> {
  await using client = await connect(connectString);
  await client.create(path, '0');
  const sinceZxid = client.lastZxid;
  let file = '';
  await until(`a snapshot after ${sinceZxid}`, async () => {
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.set(path, String(i))));
    const names = readdirSync(join(dataDir, 'version-2')).filter((name) => name.startsWith('snapshot.'));
    const name = names.find((one) => Number.parseInt(one.split('.')[1] ?? '', 16) > sinceZxid);
    file = join(dataDir, 'version-2', name ?? '');
    return name !== undefined && (await zoots('export', `file:${file}`)).exitCode === 0;
  });
  return file;
}

function place({ connectString }: RealServer, path: string): string {
  return `zk://${connectString}${path}`;
}

async function seconds(work: Promise<unknown>): Promise<string> {
  const startMs = performance.now();
  await work;
  return `${((performance.now() - startMs) / 1000).toFixed(2)} s`;
}

export const treeRows: readonly CliRow[] = [
  {
    name: 'cp to the other server and back, and diff of both',
    async run({ server, other, root, note }) {
      const count = await fill(server, root);
      const here = ['--server', server.connectString];
      const took = await seconds(outputOf('cp', '-r', root, place(other, root), ...here));
      note(`${count} znodes in ${took}`);
      assert.equal(await outputOf('diff', root, place(other, root), ...here), '');
      await outputOf('cp', '-r', place(other, root), `${root}-back`, ...here);
      assert.equal(await outputOf('diff', root, `${root}-back`, ...here), '');
      await using client = await connect(other.connectString);
      assert.equal((await client.countDescendants(root)) + 1, count, 'counted by the server itself');
      await client.set(`${root}/wide/n-5`, 'changed');
      await client.delete(`${root}/wide/n-6`);
      const { exitCode, out } = await zoots('diff', root, place(other, root), ...here);
      assert.deepEqual(
        [exitCode, out.split('\n')],
        [1, ['~ /wide/n-5', '    data: "data 5" → "changed"', '- /wide/n-6', '']],
      );
      assert.match(
        await outputOf('cp', '-r', '--merge', root, place(other, root), ...here),
        new RegExp(`: 1 znode created, 1 changed, ${count - 2} unchanged\n`),
      );
    },
  },
  {
    name: 'export into a pipe, gzip, import on the other server',
    async run({ server, other, root, workDir, note }) {
      const count = await fill(server, root);
      const file = join(workDir, 'dump.gz');
      const script = `${ZootsProcess.command} export ${root} --server ${server.connectString} | gzip > ${file}`;
      assert.equal(spawnSync('bash', ['-o', 'pipefail', '-c', script]).status, 0);
      note(`${count} znodes, ${readFileSync(file).length} bytes`);
      await outputOf('import', file, '--server', other.connectString);
      assert.equal(await outputOf('diff', `file:${file}`, root, '--server', other.connectString), '');
      assert.equal((await zoots('import', file, '--server', other.connectString)).exitCode, 1);
    },
  },
  {
    name: 'diff of a snapshot with the server that wrote it',
    async run({ server, root, note }) {
      await fill(server, root);
      const here = ['--server', server.connectString];
      await outputOf('create', `${root}/ttl`, '-t', '1h', ...here);
      await outputOf('create', `${root}/box`, '-c', ...here);
      const file = await laterSnapshot(server, `${root}/tick`);
      note(basename(file));
      const { out } = await zoots('diff', `file:${file}#${root}`, root, ...here);
      // The znode that was written until there was a snapshot went on changing.
      assert.match(out, /^(?:~ \/tick\n {4}data: .*\n)?$/);
      const lines = (await outputOf('export', `file:${file}#${root}`)).split('\n');
      assert.ok(lines.includes('{"path":"/ttl","data":null,"kind":"ttl","ttlMs":3600000}'));
      assert.ok(lines.includes('{"path":"/box","data":null,"kind":"container"}'));
    },
  },
  {
    name: 'top of both servers',
    async run({ server, other }) {
      const servers = `${server.connectString},${other.connectString}`;
      const text = await outputOf('top', '--once', '--server', servers);
      for (const one of [server, other]) {
        assert.match(text, new RegExp(`^${one.connectString} +standalone +\\d+ +\\d+ +- +- +\\d+/[\\d.]+/\\d+ `, 'm'));
      }
      const lines = (await outputOf('top', '-n', '2', '-i', '200ms', '--json', '--server', servers)).trim().split('\n');
      const values = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      assert.equal(values.length, 4);
      for (const { mode, watches, ephemerals, dataBytes, receivedPerSecond } of values.slice(2)) {
        assert.equal(mode, 'standalone');
        for (const figure of [watches, ephemerals, dataBytes, receivedPerSecond]) assert.equal(typeof figure, 'number');
      }
    },
  },
  {
    name: 'watch goes on after the server was killed, and says that events may be missing',
    async run({ server, root }) {
      const watch = new ZootsProcess(['watch', '-R', root, '--json', '--server', server.connectString]);
      const said = (type: string): Promise<void> =>
        until(`watch says ${type}\n${watch.out}${watch.err}`, async () => {
          if (watch.out.includes(`"type":"${type}"`)) return true;
          // The first creations may be before the watch.
          await zoots('set', root, String(performance.now()), '--create', '--server', server.connectString);
          return false;
        });
      await said('changed');
      await server.restart();
      await said('gap');
      const seen = watch.out.length;
      await until('events after the gap', async () => {
        await outputOf('set', root, String(performance.now()), '--server', server.connectString);
        return watch.out.slice(seen).includes('"type":"changed"');
      });
      watch.child.kill('SIGINT');
      assert.equal((await watch.ended).exitCode, 0);
    },
  },
  {
    name: 'a command takes less than 200 ms, start of Node included',
    async run({ server, note }) {
      // In turn, and the fastest of each: a busy machine slows Node itself down, too, and lets go of both now and then.
      let [node, ours] = [Infinity, Infinity];
      const isQuick = (): boolean => ours < Math.max(200, 2.5 * node);
      for (let pairs = 0; pairs < 5 || (pairs < 40 && !isQuick()); pairs++) {
        node = Math.min(node, timeOf(['-e', '0']));
        ours = Math.min(ours, timeOf([main, 'ls', '--server', server.connectString]));
      }
      note(`ls ${ours.toFixed(0)} ms, bare node ${node.toFixed(0)} ms, the fastest`);
      assert.ok(isQuick(), `${ours} ms, bare node ${node} ms`);
    },
  },
];

function timeOf(words: readonly string[]): number {
  const startMs = performance.now();
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return performance.now() - startMs;
}
