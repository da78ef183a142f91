import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EnsembleConfiguration, EnsembleMember } from '@zoots/protocol';
import { type QuorumRule, quorumRuleOf } from './quorum.js';

function member(id: number, role: EnsembleMember['role'] = 'participant'): EnsembleMember {
  return { id, role, addresses: [{ host: `h${id}`, quorumPort: 1, electionPort: 2 }], client: null };
}

function rule(
  members: readonly EnsembleMember[],
  groups: EnsembleConfiguration['groups'] = new Map(),
  weights: EnsembleConfiguration['weights'] = new Map(),
): QuorumRule {
  return quorumRuleOf({ members, groups, weights, version: 0 });
}

test('majorities of any number of participants, observers and strangers apart', () => {
  for (let count = 1; count <= 7; count++) {
    const members = Array.from({ length: count }, (_, i) => member(i));
    const majority = rule([...members, member(100, 'observer')]);
    for (let present = 0; present <= count; present++) {
      const ids = new Set([...Array(present).keys(), 100, 999]);
      assert.equal(majority.isQuorum(ids), present > count / 2, `${present} of ${count}`);
    }
  }
  assert.equal(rule([member(1), member(2, 'observer')]).weightOf(2), 0);
});

test('two quorums always share a voter', () => {
  const groups = new Map([
    [1, [1, 2, 3]],
    [2, [4, 5, 6]],
    [3, [7, 8, 9]],
  ]);
  const members = Array.from({ length: 9 }, (_, i) => member(i + 1));
  const weights = new Map([
    [1, 3],
    [5, 0],
  ]);
  for (const one of [rule(members), rule(members, groups), rule(members, groups, weights)]) {
    const quorums: Set<number>[] = [];
    for (let bits = 0; bits < 1 << 9; bits++) {
      const ids = new Set(members.map(({ id }) => id).filter((id) => bits & (1 << (id - 1))));
      if (one.isQuorum(ids)) quorums.push(ids);
    }
    assert.ok(quorums.length > 0);
    for (const a of quorums) for (const b of quorums) assert.ok([...a].some((id) => b.has(id)));
  }
});

test('groups and weights decide as written', () => {
  const members = Array.from({ length: 6 }, (_, i) => member(i + 1));
  const groups = new Map([
    [1, [1, 2, 3]],
    [2, [4, 5]],
    [3, [6]],
  ]);
  const hierarchy = rule(members, groups, new Map([[6, 0]]));
  // Group 3 has no weight: two groups count, and both are needed.
  assert.equal(hierarchy.isQuorum(new Set([1, 2, 4, 5])), true);
  assert.equal(hierarchy.isQuorum(new Set([1, 2, 3, 4])), false);
  assert.equal(hierarchy.isQuorum(new Set([1, 4, 5, 6])), false);
});
