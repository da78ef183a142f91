/** Which scenarios run in which arrangements, all of them and the choice for CI. */
import type { MemberSpec } from '../peers/ensemble.js';
import { type ApacheKind, apacheVersions } from '../peers/versions.js';
import { killScenarios } from './kill-scenarios.js';
import { operationScenarios } from './operation-scenarios.js';
import type { Arrangement, Scenario } from './row.js';
import { sessionScenarios } from './session-scenarios.js';
import { syncScenarios } from './sync-scenarios.js';

/** Scenarios for one ensemble; or, with `perform`, one row that makes its own servers. */
export interface Act {
  readonly arrangement: Arrangement;
  readonly scenarios: readonly Scenario[];
  readonly perform?: (workDir: string) => Promise<string[]>;
}

const allScenarios: readonly Scenario[] = [
  ...operationScenarios,
  ...sessionScenarios,
  ...killScenarios,
  ...syncScenarios,
];

/** `AZz`: Apache's, ours, an observer of ours. */
function arrange(kind: ApacheKind, letters: string, leader: number): Arrangement {
  const members = [...letters].map((letter): MemberSpec => {
    return { kind: letter.toUpperCase() === 'Z' ? 'zoots' : kind, isObserver: letter !== letter.toUpperCase() };
  });
  return { name: `${apacheVersions[kind].version} ${letters} led by ${leader}`, members, leader };
}

/** A and Z for Apache's and ours by id, lower-case for observers. With Apache's alone, it is the harness that is proved. */
const control: readonly ArrangementRow[] = [['AAAa', 3]];

const arrangements: readonly ArrangementRow[] = [
  // Ours leads: one of ours, two of ours, with observers of either kind.
  ['AAZ', 3],
  ['ZAZ', 3],
  ['AZZa', 3],
  ['AAZz', 3],
  // Apache's leads, and ours follow and observe.
  ['ZAA', 3],
  ['AZA', 3],
  ['ZZA', 3],
  ['AAAz', 3],
  // Ours alone, and with an observer of Apache's.
  ['ZZZ', 3],
  ['ZZZa', 3],
];

type ArrangementRow = readonly [letters: string, leader: number];

export function planOf(wish: { isCi: boolean; kinds: string; texts: readonly string[] }): Act[] {
  const kinds = (wish.kinds === '' ? ['apache-3.8.0', 'apache-3.9.5'] : wish.kinds.split(',')) as ApacheKind[];
  const acts: Act[] = [];
  for (const kind of kinds) {
    for (const [letters, leader] of [...control, ...arrangements]) {
      const arrangement = arrange(kind, letters, leader);
      const scenarios = allScenarios.filter((scenario) => {
        const name = `${arrangement.name}: ${scenario.name}`;
        return (scenario.fits?.(arrangement) ?? true) && wish.texts.some((text) => name.includes(text));
      });
      if (scenarios.length > 0) acts.push({ arrangement, scenarios });
    }
  }
  return acts;
}
