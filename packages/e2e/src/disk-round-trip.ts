/**
 * The disk round trips: one data directory goes through a chain of servers, Apache's of several versions and ours.
 * Each stage writes; each next stage must show the same tree line by line, the same zxid, and the same sessions.
 *
 *   node packages/e2e/dist/disk-round-trip.js                        what CI runs
 *   node packages/e2e/dist/disk-round-trip.js --ours apache-3.9.5    Apache in our place: proves the harness
 *   node packages/e2e/dist/disk-round-trip.js --only gz --seed 7     chains whose name contains a word
 * ZOOTS_KEEP=1 keeps the directories.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Capture, capture, captureDifferences, sessionFaults, shownZxid } from './disk/capture.js';
import { type Features, type LiveSession, Workload } from './disk/workload.js';
import { freePort, type Peer, type PeerKind, skipMissingPeer, startPeer } from './peers/peer.js';
import { WireSession } from './wire/session.js';

type End = 'stop' | 'kill';

interface Chain {
  readonly name: string;
  readonly stages: readonly PeerKind[];
  /** How each stage ends. */
  readonly end: End;
  readonly requests: number;
  readonly separateLogDir?: boolean;
  readonly properties?: Readonly<Record<string, string>>;
}

const commonProperties = {
  'zookeeper.DigestAuthenticationProvider.superDigest': 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=',
  'zookeeper.extendedTypesEnabled': 'true',
  // The reaper would make transactions of its own between a capture and the stop.
  'znode.container.checkIntervalMs': '86400000',
  'zookeeper.preAllocSize': '1024',
};

/** 3.4 writes no snapshot at its first start; its log alone is opened only by a server that is told to trust it. */
function withoutFirstSnapshot(kind: PeerKind): Pick<Chain, 'properties'> {
  return kind === 'apache-3.4.14' ? { properties: { 'zookeeper.snapshot.trust.empty': 'true' } } : {};
}

function chainsFor(ours: PeerKind): Chain[] {
  const sources: PeerKind[] = [
    'apache-3.4.14',
    'apache-3.5.10',
    'apache-3.6.4',
    'apache-3.7.2',
    'apache-3.8.0',
    'apache-3.9.5',
  ];
  const targets: PeerKind[] = ['apache-3.5.10', 'apache-3.8.0', 'apache-3.9.5'];
  const compressed = (method: string): Chain[] =>
    (['apache-3.8.0', 'apache-3.9.5'] as const).map((kind) => ({
      name: `${method} snapshots of ${kind} and of ours`,
      stages: [kind, ours, kind, ours],
      end: 'stop',
      requests: 1500,
      properties: { 'zookeeper.snapshot.compression.method': method, 'zookeeper.snapCount': '300' },
    }));
  return [
    // Written by Apache, opened here.
    ...sources.map((kind) => ({
      name: `${kind} log only`,
      stages: [kind, ours],
      end: 'stop' as const,
      requests: 800,
      ...withoutFirstSnapshot(kind),
    })),
    ...sources.map((kind) => ({
      name: `${kind} many snapshots, killed`,
      stages: [kind, ours],
      end: 'kill' as const,
      requests: 2500,
      properties: { 'zookeeper.snapCount': '150' },
    })),
    ...sources.map((kind) => ({
      name: `${kind} fresh directory`,
      stages: [kind, ours],
      end: 'kill' as const,
      requests: 0,
      ...withoutFirstSnapshot(kind),
    })),
    // Written here, opened by Apache.
    ...targets.map((kind) => ({
      name: `ours to ${kind}, log only`,
      stages: [ours, kind],
      end: 'stop' as const,
      requests: 800,
    })),
    ...targets.map((kind) => ({
      name: `ours to ${kind}, many snapshots, killed`,
      stages: [ours, kind],
      end: 'kill' as const,
      requests: 2500,
      properties: { 'zookeeper.snapCount': '150' },
    })),
    ...targets.map((kind) => ({
      name: `ours to ${kind}, fresh directory`,
      stages: [ours, kind],
      end: 'kill' as const,
      requests: 0,
    })),
    // Both ways, again and again.
    ...compressed('gz'),
    ...compressed('snappy'),
    {
      name: 'ping-pong, separate dataLogDir',
      stages: [ours, 'apache-3.9.5', ours, 'apache-3.8.0', ours],
      end: 'stop',
      requests: 1200,
      separateLogDir: true,
      properties: { 'zookeeper.snapCount': '500' },
    },
    {
      name: 'ping-pong, killed each time',
      stages: [ours, 'apache-3.8.0', ours, 'apache-3.9.5', ours],
      end: 'kill',
      requests: 1200,
      properties: { 'zookeeper.snapCount': '400' },
    },
  ];
}

const readsMultiCreate2: ReadonlySet<PeerKind> = new Set(['apache-3.9.5', 'zoots']);

const featuresOf = (chain: Chain, at: number): Features => ({
  since35: chain.stages[at] !== 'apache-3.4.14',
  ttl: chain.stages[at] !== 'apache-3.4.14',
  // Ours logs such a part as a create, which every version reads.
  multiCreate2: chain.stages[at] === 'zoots' || chain.stages.slice(at).every((kind) => readsMultiCreate2.has(kind)),
});

/** The state that travels down a chain. */
interface Travel {
  before: Capture | null;
  live: LiveSession[];
  readonly closed: LiveSession[];
}

async function verifyOpened(peer: Peer, travel: Travel, previous: PeerKind): Promise<string[]> {
  const { before } = travel;
  if (before === null) return [];
  const faults: string[] = [];
  const zxid = await shownZxid(peer.port);
  if (zxid !== before.zxid) faults.push(`zxid 0x${zxid.toString(16)} instead of 0x${before.zxid.toString(16)}`);
  const after = await capture(peer.port);
  faults.push(...captureDifferences(before, after, previous === 'apache-3.4.14'));
  faults.push(...(await sessionFaults(peer.port, travel.live, travel.closed)));
  return faults;
}

/** One of the sessions that came along ends here: its ephemerals must go with it. */
async function closeOneResumed(port: number, travel: Travel): Promise<void> {
  const ending = travel.live.shift();
  if (ending === undefined) return;
  const session = await WireSession.connect(port, { sessionId: ending.id, password: ending.password });
  await session.close();
  travel.closed.push(ending);
}

async function runStage(peer: Peer, chain: Chain, at: number, seed: number, travel: Travel): Promise<void> {
  await closeOneResumed(peer.port, travel);
  if (chain.requests > 0) {
    const workload = new Workload(peer.port, seed * 100 + at, featuresOf(chain, at), travel.before?.paths ?? []);
    const { live, closed } = await workload.run(`stage${at}`, chain.requests);
    travel.live.push(...live);
    travel.closed.push(closed);
  }
  travel.before = await capture(peer.port);
}

/** Apache compares every transaction's digest with its own tree's; it says so in its log, and goes on. */
function logFaults(peer: Peer): string[] {
  return peer
    .log()
    .split('\n')
    .filter((line) => /digest/i.test(line) && /match|differ/i.test(line))
    .slice(0, 3)
    .map((line) => `in its log: ${line}`);
}

/** What a stage must have left on disk for its chain to prove what its name says. */
function diskFaults(chain: Chain, dataDir: string, logDir: string): string[] {
  if (chain.requests === 0) return [];
  const names = (dir: string): string[] => readdirSync(join(dir, 'version-2'));
  const faults: string[] = [];
  const snapshots = names(dataDir).filter((name) => name.startsWith('snapshot.'));
  const method = chain.properties?.['zookeeper.snapshot.compression.method'];
  // Without a method the logs alone may be what a chain is about: 3.4.14 writes no first snapshot.
  if (method !== undefined && !snapshots.some((name) => name.endsWith(`.${method}`))) {
    faults.push(`no snapshot ends in .${method}: ${snapshots}`);
  }
  if (chain.properties?.['zookeeper.snapCount'] !== undefined && snapshots.length < 2)
    faults.push('only one snapshot was taken');
  if (!names(logDir).some((name) => name.startsWith('log.'))) faults.push(`no log in ${logDir}`);
  if (chain.separateLogDir && names(dataDir).some((name) => name.startsWith('log.')))
    faults.push('logs beside the snapshots');
  return faults;
}

async function runChain(chain: Chain, seed: number): Promise<{ faults: string[]; nodeCount: number }> {
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-disk-'));
  const port = await freePort();
  const travel: Travel = { before: null, live: [], closed: [] };
  const config: Record<string, string> = { maxSessionTimeout: '600000' };
  const dataDir = join(workDir, 'data');
  const logDir = chain.separateLogDir ? join(workDir, 'log') : dataDir;
  if (chain.separateLogDir) config.dataLogDir = logDir;
  try {
    for (const [at, kind] of chain.stages.entries()) {
      const properties = { ...commonProperties, ...chain.properties };
      const options = {
        workDir: join(workDir, `stage-${at}-${kind}`),
        dataDir,
        port,
        config,
        properties,
      };
      const peer = await startPeer(kind, options);
      try {
        const opened = await verifyOpened(peer, travel, chain.stages[at - 1] ?? kind);
        const faults = [...opened, ...logFaults(peer)];
        if (faults.length > 0) {
          const from = at === 0 ? 'a new directory' : `what ${chain.stages[at - 1]} wrote`;
          return {
            faults: [`stage ${at}, ${kind} opens ${from}:`, ...faults.map((line) => `  ${line}`)],
            nodeCount: 0,
          };
        }
        // The last stage has nobody after it to read what it would write.
        if (at === chain.stages.length - 1) continue;
        await runStage(peer, chain, at, seed, travel);
        const left = diskFaults(chain, dataDir, logDir);
        if (left.length > 0)
          return { faults: [`stage ${at}, ${kind} left on disk:`, ...left.map((line) => `  ${line}`)], nodeCount: 0 };
      } finally {
        await (chain.end === 'stop' ? peer.stop() : peer.kill());
      }
    }
    return { faults: [], nodeCount: travel.before?.lines.length ?? 0 };
  } finally {
    if (process.env.ZOOTS_KEEP) console.log(`kept ${workDir}`);
    else rmSync(workDir, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      ours: { type: 'string', default: 'zoots' },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
    },
  });
  let failed = 0;
  for (const chain of chainsFor(values.ours as PeerKind).filter(({ name }) => name.includes(values.only))) {
    const startMs = performance.now();
    try {
      const { faults, nodeCount } = await runChain(chain, Number(values.seed));
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      const verdict = faults.length === 0 ? 'equal' : 'DIFFERENT';
      console.log(`${verdict} ${chain.name}: ${chain.stages.join(' → ')}, ${nodeCount} nodes, ${seconds} s`);
      for (const line of faults) console.log(`  ${line}`);
      if (faults.length > 0) failed++;
    } catch (error) {
      try {
        skipMissingPeer(error);
      } catch {
        failed++;
        console.log(`FAILED ${chain.name}: ${(error as Error).message}`);
      }
    }
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
