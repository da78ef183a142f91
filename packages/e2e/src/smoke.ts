/**
 * The shortest proof that a server is a ZooKeeper: connect, create, read, watch, survive a restart.
 * Run: node packages/e2e/dist/smoke.js [zoots|apache-3.9.5|…]
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type PeerKind, skipMissingPeer, startPeer } from './peers/peer.js';
import { fourLetterWord } from './wire/four-letter-word.js';
import { bodies, Flags, Op, sessionPassword } from './wire/records.js';
import { WireSession } from './wire/session.js';
import { dumpTree, treeLines } from './wire/tree-dump.js';

type Step = readonly [name: string, run: () => Promise<void>];

async function smoke(kind: PeerKind, workDir: string): Promise<void> {
  const port = await freePort();
  let peer = await startPeer(kind, { workDir, port });
  let session!: WireSession;
  let before: string[] = [];
  const steps: Step[] = [
    [
      'connect',
      async () => {
        session = await WireSession.connect(port);
        assert.deepEqual(session.password, sessionPassword(session.sessionId));
      },
    ],
    [
      'create, get, set, exists, children, delete',
      async () => {
        assert.equal(await session.create('/a', 'one'), '/a');
        assert.equal(String((await session.getData('/a')).data), 'one');
        assert.equal((await session.setData('/a', 'two', 0)).version, 1);
        assert.equal((await session.exists('/a'))?.dataLength, 3);
        assert.deepEqual(await session.getChildren('/'), ['a', 'zookeeper']);
        assert.equal(await session.create('/a/n-', null, { flags: Flags.persistentSequential }), '/a/n-0000000000');
        await assert.rejects(session.create('/a'), { code: -110 });
        await assert.rejects(session.delete('/a'), { code: -111 });
        await session.delete('/a/n-0000000000');
        await assert.rejects(session.getData('/nothing'), { code: -101 });
      },
    ],
    [
      'watch',
      async () => {
        await session.getData('/a', true);
        await session.setData('/a', 'three');
        const event = await session.nextEvent();
        assert.equal(event?.type, 3);
        assert.equal(event?.path, '/a');
      },
    ],
    [
      'multi',
      async () => {
        const results = await session.multi([
          {
            type: Op.create,
            body: bodies.create('/m', Buffer.from('x'), [{ perms: 31, scheme: 'world', id: 'anyone' }], 0),
          },
          { type: Op.setData, body: bodies.setData('/m', Buffer.from('y'), 0) },
          { type: Op.check, body: bodies.pathVersion('/a', 2) },
        ]);
        assert.deepEqual(
          results.map((result) => result.type),
          [1, 5, 13],
        );
      },
    ],
    [
      'ephemeral goes with its session',
      async () => {
        const other = await WireSession.connect(port);
        await other.create('/e', '', { flags: Flags.ephemeral });
        assert.equal((await session.exists('/e'))?.ephemeralOwner, other.sessionId);
        await other.close();
        assert.equal(await session.exists('/e'), null);
      },
    ],
    [
      'four letter words',
      async () => {
        assert.equal(await fourLetterWord(port, 'ruok'), 'imok');
        assert.match(await fourLetterWord(port, 'srvr'), /^Mode: standalone$/m);
      },
    ],
    [
      'restart',
      async () => {
        before = treeLines(await dumpTree(session));
        session.abandon();
        await peer.stop();
        peer = await startPeer(kind, { workDir, port });
      },
    ],
    [
      'resume the session, same tree',
      async () => {
        const { sessionId, password } = session;
        session = await WireSession.connect(port, { sessionId, password, lastZxidSeen: session.lastZxid });
        assert.equal(session.sessionId, sessionId);
        assert.deepEqual(treeLines(await dumpTree(session)), before);
      },
    ],
    [
      'kill -9, same tree',
      async () => {
        await session.create('/b', 'after');
        before = treeLines(await dumpTree(session));
        await peer.kill();
        peer = await startPeer(kind, { workDir, port });
        session = await WireSession.connect(port);
        assert.deepEqual(treeLines(await dumpTree(session)), before);
        await session.close();
      },
    ],
  ];
  try {
    for (const [name, run] of steps) {
      const startMs = performance.now();
      await run().catch((error) => {
        throw new Error(`${kind}: ${name}: ${error.message}\n${peer.log().slice(-2000)}`, { cause: error });
      });
      console.log(`ok ${name} (${Math.round(performance.now() - startMs)} ms)`);
    }
  } finally {
    await peer.stop();
  }
}

const workDir = mkdtempSync(join(tmpdir(), 'zoots-smoke-'));
try {
  await smoke((process.argv[2] ?? 'zoots') as PeerKind, workDir);
} catch (error) {
  skipMissingPeer(error);
} finally {
  rmSync(workDir, { recursive: true, force: true });
}
