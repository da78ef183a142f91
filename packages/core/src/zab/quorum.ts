/**
 * Who decides: arithmetic over sets of server ids, for votes of an election and acknowledgements of proposals alike.
 *
 * - Majority: more than half of the participants.
 * - Hierarchical: more than half of the groups, each by more than half of its weight. Groups without weight do not count.
 *
 * Observers and strangers never count. Source: ZooKeeper's QuorumMaj and QuorumHierarchical.
 */
import type { EnsembleConfiguration } from '@zoots/protocol';

export interface QuorumRule {
  readonly voters: ReadonlySet<number>;
  /** Votes of a server; 0 for one that may vote, but neither counts nor leads. */
  weightOf(id: number): number;
  isQuorum(ids: ReadonlySet<number>): boolean;
}

export function quorumRuleOf({ members, groups, weights }: EnsembleConfiguration): QuorumRule {
  const voters = new Set(members.filter(({ role }) => role === 'participant').map(({ id }) => id));
  return groups.size === 0 ? majorityOf(voters) : hierarchyOf(voters, groups, weights);
}

function majorityOf(voters: ReadonlySet<number>): QuorumRule {
  return {
    voters,
    weightOf: (id) => (voters.has(id) ? 1 : 0),
    isQuorum: (ids) => countIn(ids, voters) * 2 > voters.size,
  };
}

function countIn(ids: ReadonlySet<number>, voters: ReadonlySet<number>): number {
  let count = 0;
  for (const id of ids) if (voters.has(id)) count++;
  return count;
}

function hierarchyOf(
  voters: ReadonlySet<number>,
  groups: ReadonlyMap<number, readonly number[]>,
  weights: ReadonlyMap<number, number>,
): QuorumRule {
  const weightOf = (id: number): number => (voters.has(id) ? (weights.get(id) ?? 1) : 0);
  const sum = (ids: readonly number[]): number => ids.reduce((total, id) => total + weightOf(id), 0);
  const counting = [...groups.values()].filter((ids) => sum(ids) > 0);
  const isWon = (group: readonly number[], ids: ReadonlySet<number>): boolean =>
    sum(group.filter((id) => ids.has(id))) * 2 > sum(group);
  return {
    voters,
    weightOf,
    isQuorum: (ids) => counting.filter((group) => isWon(group, ids)).length * 2 > counting.length,
  };
}
