/** After the faults: what three healed servers and their clients' histories must agree on. */

import { WireSession } from '../wire/session.js';
import { dumpTree, treeDifferences, treeLines } from '../wire/tree-dump.js';
import { type Load, registersRoot } from './clients.js';
import type { Cluster } from './cluster.js';
import type { Operation } from './history.js';
import { checkRegisters, checkZxids } from './linearizability.js';
import { settleUnknown } from './txn-logs.js';

export interface Verdict {
  readonly failures: string[];
  readonly figures: readonly (readonly [label: string, value: string | number])[];
}

/** Call it with a whole ensemble and a load that has ended; stops the servers. */
export async function judge(cluster: Cluster, load: Load): Promise<Verdict> {
  const failures = [...new Set(load.faults)];
  const trees = await Promise.all(cluster.members.map(({ port }) => readTree(port)));
  const [first, ...others] = trees.map(({ lines }) => lines);
  for (const [at, lines] of others.entries()) {
    const differences = treeDifferences(first as string[], lines, 4);
    failures.push(...differences.map((line) => `servers 1 and ${at + 2} differ: ${line}`));
  }
  for (const { ephemeral } of load.clients) {
    if (ephemeral !== null && !trees[0]?.paths.has(ephemeral))
      failures.push(`${ephemeral} is gone, and its session lives`);
  }
  const history = [...load.history];
  for (const [at, tree] of trees.entries()) history.push(...finalReads(load, tree, at));
  await cluster.stop();
  const logs = settleUnknown(
    history,
    cluster.members.map(({ dataDir }) => dataDir),
  );
  failures.push(...logs.problems, ...checkRegisters(history), ...checkZxids(history));
  const figures = [
    ['requests', load.history.length],
    ['acknowledged writes', load.acknowledgedCount],
    ['unanswered writes done', logs.happened],
    ['not done', logs.neverHappened],
    ['open', logs.open],
    ['ms without a write at worst', Math.round(longestGapMs(load.history))],
  ] as const;
  return { failures, figures };
}

interface Tree {
  readonly lines: string[];
  readonly paths: ReadonlySet<string>;
  readonly registers: ReadonlyMap<string, { readonly value: string; readonly version: number; readonly mzxid: number }>;
  readonly zxid: number;
  readonly calledMs: number;
}

async function readTree(port: number): Promise<Tree> {
  const session = await WireSession.connect(port, { timeoutMs: 30_000 });
  await session.sync();
  const calledMs = performance.now();
  // Each member has a configuration of its own here, and shows it.
  const nodes = (await dumpTree(session)).filter(({ path }) => path !== '/zookeeper/config');
  const zxid = Number(session.lastZxid);
  session.abandon();
  const registers = new Map(
    nodes.map(({ path, data, stat }) => {
      return [path, { value: String(data), version: stat.version, mzxid: Number(stat.mzxid) }] as const;
    }),
  );
  return { lines: treeLines(nodes), paths: new Set(registers.keys()), registers, zxid, calledMs };
}

/** What each server holds at the end, as linear reads: an acknowledged write that is lost shows here. */
function finalReads(load: Load, tree: Tree, server: number): Operation[] {
  const keys = new Set(load.history.map(({ key }) => key));
  return [...keys].map((key, at) => {
    const found = tree.registers.get(key);
    return {
      client: -1 - server,
      session: BigInt(-1 - server),
      xid: at,
      key,
      kind: 'read',
      value: found?.value ?? null,
      expectedVersion: -1,
      isLinear: true,
      outcome: 'ok',
      version: found?.version ?? -1,
      mzxid: found?.mzxid ?? -1,
      zxid: tree.zxid,
      calledMs: tree.calledMs,
      returnedMs: tree.calledMs + 0.001,
    };
  });
}

/** The longest time in which no write was acknowledged, of those whose key is a register or a client's own. */
export function longestGapMs(history: readonly Operation[], fromMs = 0): number {
  const times = history
    .filter(({ kind, outcome, key }) => kind !== 'read' && outcome === 'ok' && key.startsWith(registersRoot))
    .map(({ returnedMs }) => returnedMs)
    .filter((timeMs) => timeMs >= fromMs && timeMs < Number.POSITIVE_INFINITY)
    .sort((a, b) => a - b);
  return times.reduce((longest, timeMs, i) => Math.max(longest, timeMs - (times[i - 1] ?? timeMs)), 0);
}
