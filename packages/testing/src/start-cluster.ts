/** How a test gets an ensemble. */
import { createServer } from 'node:net';
import { ClusterMember } from './cluster-member.js';
import { serverDataOf } from './server-data.js';
import { type ClusterOptions, memberConfigOf, memberLoggerOf } from './server-options.js';
import { TestCluster } from './test-cluster.js';

const MEMBERS_MAX = 20;
const PORTS_PER_MEMBER = 3;
/** Below the ports that systems give to outgoing connections, so that a member finds its own free after a restart. */
const PORT_MIN = 15_000;
const PORT_END = 32_000;

/**
 * Starts an ensemble of `count` real servers in this process, with real ports of 127.0.0.1 between them; resolves when all serve,
 * after some tenths of a second. Rejects when the configuration is wrong or no leader is found.
 *
 *     import { test } from 'node:test';
 *     import { connect } from '@zoots/client';
 *     import { startCluster } from '@zoots/testing';
 *
 *     test('the work goes on without the leader', async () => {
 *       await using cluster = await startCluster(3);
 *       await using zk = await connect(cluster.connectString);
 *       await cluster.leader?.kill();
 *       await zk.create('/done');
 *       …
 *     });
 *
 * Each member can be killed, started again with its data, frozen, and cut off from the others: see {@link ClusterMember}.
 */
export async function startCluster(count = 3, options: ClusterOptions = {}): Promise<TestCluster> {
  const observers = options.observers ?? 0;
  if (!(count >= 1 && count <= MEMBERS_MAX && observers >= 0 && observers < count)) {
    throw new Error(
      `startCluster: ${count} members with ${observers} observers; 1 to ${MEMBERS_MAX}, not all of them observers`,
    );
  }
  const ports = await freePorts(count * PORTS_PER_MEMBER);
  const lines: Record<string, string> = { standaloneEnabled: 'false' };
  for (let id = 1; id <= count; id++) {
    const role = id > count - observers ? 'observer' : 'participant';
    const [, quorumPort, electionPort] = portsOf(ports, id);
    lines[`server.${id}`] = `127.0.0.1:${quorumPort}:${electionPort}:${role}`;
  }
  const members: ClusterMember[] = [];
  try {
    for (let id = 1; id <= count; id++) {
      members.push(await memberOf(id, options, portsOf(ports, id)[0] as number, lines));
    }
    await Promise.all(members.map((member) => member.start()));
    const cluster = new TestCluster(members);
    await cluster.whenServing();
    return cluster;
  } catch (error) {
    await Promise.all(members.map((member) => member.discard()));
    throw error;
  }
}

async function memberOf(
  id: number,
  options: ClusterOptions,
  clientPort: number,
  lines: Readonly<Record<string, string>>,
): Promise<ClusterMember> {
  const { data: wished } = options;
  const data = await serverDataOf(typeof wished === 'object' ? { directory: `${wished.directory}/${id}` } : wished);
  try {
    // The role in its own line counts; peerType only spares a warning.
    const peerType = lines[`server.${id}`]?.endsWith('observer') ? 'observer' : 'participant';
    const config = memberConfigOf(options, { myid: id, clientPort, lines: { ...lines, peerType } }, data.directory);
    return new ClusterMember({ id, config, data, logger: await memberLoggerOf(options.log, id) });
  } catch (error) {
    await data.discard();
    throw error;
  }
}

function portsOf(ports: readonly number[], id: number): readonly number[] {
  return ports.slice((id - 1) * PORTS_PER_MEMBER, id * PORTS_PER_MEMBER);
}

/** Tests run side by side, in this process and in others: each begins somewhere else, and none gives a port twice. */
const given = new Set<number>();

async function freePorts(count: number): Promise<number[]> {
  const span = PORT_END - PORT_MIN;
  const first = Math.floor(Math.random() * span);
  const ports: number[] = [];
  for (let tries = 0; tries < span && ports.length < count; tries++) {
    const port = PORT_MIN + ((first + tries) % span);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  if (ports.length < count) throw new Error(`startCluster: no ${count} free ports from ${PORT_MIN} to ${PORT_END - 1}`);
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
