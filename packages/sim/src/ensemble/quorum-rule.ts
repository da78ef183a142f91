/**
 * Who decides, written down once more and not taken from the core: more than half of the participants, or of the groups with weight, each by
 * more than half of its weight.
 */
import type { EnsembleConfiguration } from '@zoots/protocol';

export interface QuorumRule {
  isQuorum(ids: ReadonlySet<number>): boolean;
}

export function quorumRule({ members, groups, weights }: EnsembleConfiguration): QuorumRule {
  const voters = members.filter(({ role }) => role === 'participant').map(({ id }) => id);
  const weightOf = (id: number): number => (voters.includes(id) ? (weights.get(id) ?? 1) : 0);
  const parties: readonly (readonly number[])[] =
    groups.size === 0 ? voters.map((id) => [id]) : [...groups.values()].filter((ids) => sum(ids.map(weightOf)) > 0);
  const agrees = (party: readonly number[], ids: ReadonlySet<number>): boolean =>
    groups.size === 0
      ? party.some((id) => ids.has(id))
      : 2 * sum(party.filter((id) => ids.has(id)).map(weightOf)) > sum(party.map(weightOf));
  return { isQuorum: (ids) => 2 * parties.filter((party) => agrees(party, ids)).length > parties.length };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
