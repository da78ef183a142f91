/** Which scenarios run in which arrangements, and the rows that make their own servers: all of them, and the choice for CI. */
import type { MemberSpec } from '../peers/ensemble.js';
import { type ApacheKind, apacheVersions } from '../peers/versions.js';
import { killScenarios } from './kill-scenarios.js';
import { migrate } from './migration.js';
import { modeScenarios } from './mode-scenarios.js';
import { operationScenarios } from './operation-scenarios.js';
import type { Arrangement, Scenario } from './row.js';
import { sessionScenarios } from './session-scenarios.js';
import { syncScenarios } from './sync-scenarios.js';
import { walkThroughs } from './walk-throughs.js';

/** Scenarios for one ensemble. */
export interface EnsembleAct {
  readonly arrangement: Arrangement;
  readonly scenarios: readonly Scenario[];
}

/** A row that makes its own servers in `workDir`, and resolves with notes. */
export interface SoloAct {
  readonly name: string;
  readonly run: (workDir: string) => Promise<readonly string[]>;
}

export type Act = EnsembleAct | SoloAct;

export interface Wish {
  readonly isCi: boolean;
  /** Empty: those that the plan names. */
  readonly kinds: readonly ApacheKind[];
  /** A row is chosen if its name contains one of these. */
  readonly texts: readonly string[];
}

const allScenarios: readonly Scenario[] = [
  ...operationScenarios,
  ...sessionScenarios,
  ...killScenarios,
  ...syncScenarios,
  ...modeScenarios,
];

/** A and Z for Apache's and ours by id, lower-case for observers; the third leads. With Apache's alone, it is the harness that is proved. */
const control = ['AAAa'];
/** Ours leads one or two of Apache's, and an observer of Apache's; ours follows, alone or two of them, and observes; ours alone. */
const mixed = ['AAZa', 'AZZa', 'ZAAz', 'ZZAz', 'ZZZz'];
const leaderId = 3;

const mainKinds: readonly ApacheKind[] = ['apache-3.8.0', 'apache-3.9.5'];
/** Each way round, once. */
const oldKinds: readonly ApacheKind[] = ['apache-3.7.2', 'apache-3.6.4', 'apache-3.5.10'];
const eachWay = ['AAZ', 'ZZA'];

/** What CI has time for: each way round with two versions, and those scenarios in which most of the protocol is used. */
const ciActs: readonly (readonly [kind: ApacheKind, letters: string, words: readonly string[]])[] = [
  ['apache-3.8.0', 'AAZz', ['every operation', 'sessions move', 'every server in turn is killed', 'far behind: SNAP']],
  [
    'apache-3.9.5',
    'ZAA',
    ['every operation', 'watches', 'the leader is frozen', 'far behind: DIFF', 'every server in turn loses'],
  ],
  ['apache-3.8.0', 'AAZ', ['a tail that nobody', 'expire on every', 'keep their order']],
  ['apache-3.9.5', 'ZZA', ['a tail, and the others', 'a server dies with']],
  ['apache-3.5.10', 'AZA', ['every operation', 'every server in turn is killed']],
];
const ciMigrations: readonly ApacheKind[] = ['apache-3.8.0'];

function arrange(kind: ApacheKind, letters: string): Arrangement {
  const members = [...letters].map((letter): MemberSpec => {
    return { kind: letter.toUpperCase() === 'Z' ? 'zoots' : kind, isObserver: letter !== letter.toUpperCase() };
  });
  return { name: `${apacheVersions[kind].version} ${letters}`, members, leader: leaderId };
}

export function planOf({ isCi, kinds, texts }: Wish): Act[] {
  const acts = isCi ? ciPlan() : fullPlan(kinds);
  const isWished = (name: string): boolean => texts.some((text) => name.includes(text));
  const chosen = acts.map((act): Act => {
    if (!('arrangement' in act)) return act;
    const { arrangement, scenarios } = act;
    return { arrangement, scenarios: scenarios.filter(({ name }) => isWished(`${arrangement.name}: ${name}`)) };
  });
  return chosen.filter((act) => ('arrangement' in act ? act.scenarios.length > 0 : isWished(act.name)));
}

function ciPlan(): Act[] {
  const ensembles = ciActs.map(([kind, letters, words]): Act => {
    const scenarios = allScenarios.filter(({ name }) => words.some((word) => name.includes(word)));
    return { arrangement: arrange(kind, letters), scenarios };
  });
  return [...ensembles, ...ciMigrations.map(migrationOf), ...walkThroughs];
}

function fullPlan(kinds: readonly ApacheKind[]): Act[] {
  const chosen = kinds.length === 0 ? [...mainKinds, ...oldKinds] : kinds;
  const acts = chosen.flatMap((kind): Act[] => {
    const letters = mainKinds.includes(kind) ? [...control, ...mixed] : eachWay;
    const ensembles = letters.map((each): Act => ({ arrangement: arrange(kind, each), scenarios: allScenarios }));
    return [...ensembles, migrationOf(kind)];
  });
  return [...acts, ...walkThroughs];
}

function migrationOf(kind: ApacheKind): SoloAct {
  const { version } = apacheVersions[kind];
  return { name: `${version}: migration, server by server, there and back`, run: (workDir) => migrate(kind, workDir) };
}
