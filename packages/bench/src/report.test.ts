import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findingsOf, format, goalText, missedGoals } from './chore-rounds.js';
import type { Metric } from './chores.js';
import { CHORES, pickChores } from './chores.js';
import type { ContestantName } from './contestants.js';
import type { LoadResult } from './meter.js';
import { pairedRatio, type RowReport, ratio, rowLines, shortfalls, summarise, withGoal } from './report.js';
import { ROWS, type Row } from './rows.js';

function round(perSecond: number, p999Ms: number): LoadResult {
  const zeros = {
    operations: 1,
    p50Ms: 0.1,
    p99Ms: 0.2,
    maxMs: 1,
    errors: 0,
    lastError: 0,
    cpuShare: 0,
    residentMb: 0,
  };
  return { ...zeros, perSecond, p999Ms, cpuMicros: 2, roundMs: 0 };
}

const [row] = ROWS.filter(({ name }) => name === 'get-50x20') as [Row];

function report(figures: Partial<Record<ContestantName, readonly [number, number][]>>): RowReport {
  const entries = Object.entries(figures) as [ContestantName, readonly [number, number][]][];
  return {
    row,
    results: new Map(entries.map(([name, rounds]) => [name, summarise(rounds.map((each) => round(...each)))] as const)),
  };
}

test('ratios are those of neighbouring rounds, so a slow minute spoils one pair', () => {
  assert.equal(pairedRatio([10, 100, 12], [1, 10, 4]), 10);
  assert.equal(pairedRatio([10, 20], [5]), 2);
  assert.equal(pairedRatio([10], [0]), null);
  assert.equal(pairedRatio([], []), null);
});

test('a row that reaches its goals misses nothing, and every goal can be missed', () => {
  const good = report({ ours: [[1_200, 0.4]], apache: [[100, 1]], limit: [[1_500, 0.2]] });
  assert.deepEqual(shortfalls(good), []);
  const bad = report({ ours: [[500, 0.6]], apache: [[100, 1]], limit: [[1_500, 0.2]] });
  const missed = shortfalls(bad);
  assert.equal(missed.length, 3);
  assert.match(
    missed.join('\n'),
    /5\.00 × Apache, goal 10\n.*p99\.9 0\.60 × Apache's, goal 0\.5\n.*0\.33 × the limit, goal 0\.6/,
  );
  assert.deepEqual(shortfalls(report({ ours: [[1, 9]] })), []);
});

test('a figure other than the throughput has its ratio too', () => {
  const both = report({ ours: [[1_200, 0.4]], apache: [[100, 1]] });
  assert.equal(ratio(both, 'ours', 'apache', 'p999Ms'), 0.4);
  assert.equal(ratio(both, 'ours', 'limit'), null);
});

test('the line of ours has the goals beside the ratios, and errors show', () => {
  const both = report({ ours: [[1_200, 0.4]], apache: [[100, 1]] });
  const lines = rowLines(both, new Map([['ours', 'zoots']]));
  assert.equal(lines.length, 2);
  assert.match(lines[0] as string, /zoots.*12\.00 × \(≥ 10\)\s+0\.40 × \(≤ 0\.5\)\s+–/);
  assert.equal(withGoal(null, null, '≥'), '–');
  const wrong: RowReport = { row, results: new Map([['ours', summarise([{ ...round(1, 1), errors: 3 }])]]) };
  assert.match(rowLines(wrong, new Map())[0] as string, /3 ERRORS/);
});

test('every row has a name of its own', () => {
  assert.equal(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
});

const metric: Metric = { key: 'ms', title: 'time', unit: 'ms', ofApache: 0.5 };
const limited: Metric = { key: 'mb', title: 'resident', unit: 'MB', atMost: 80 };

test('chores become a finding per metric, with medians and what was not measured left out', () => {
  const rounds = new Map<ContestantName, Readonly<Record<string, number>>[]>([
    [
      'ours',
      [
        { ms: 1, mb: 90 },
        { ms: 3, mb: 70 },
        { ms: 2, mb: 85 },
      ],
    ],
    ['apache', [{ ms: 4 }, { ms: 4 }, { ms: 4 }]],
    ['limit', [{}, {}, {}]],
  ]);
  const [time, memory] = findingsOf({ name: 'x', metrics: [metric, limited] }, 'work', rounds);
  assert.deepEqual(time?.figures, { ours: 2, apache: 4 });
  assert.equal(time?.ofApache, 0.5);
  assert.deepEqual(memory?.figures, { ours: 85 });
  assert.equal(memory?.ofApache, null);
  assert.ok(time !== undefined && memory !== undefined);
  assert.deepEqual(missedGoals(time), []);
  assert.deepEqual(missedGoals(memory), ['work, resident: 85.0 MB, goal 80']);
  assert.deepEqual(missedGoals({ ...time, ofApache: 0.51 }), ["work, time: 0.51 × Apache's, goal 0.5"]);
  assert.deepEqual([goalText(metric), goalText(limited)], ["≤ 0.5 of Apache's", '≤ 80 MB']);
});

test('figures keep three digits that count', () => {
  assert.deepEqual([0.1234, 12.34, 123.4, 12_345].map(format), ['0.12', '12.3', '123', '12,345']);
});

test('chores are picked by the start of their name; the big ones by name or with --big', () => {
  assert.deepEqual(
    pickChores(['snap', 'ten'], false).map(({ name }) => name),
    ['snapshot', 'ten-million'],
  );
  assert.equal(pickChores([], true).length, CHORES.length);
  assert.ok(pickChores([], false).every(({ isBig }) => isBig !== true));
  assert.throws(() => pickChores(['nothing'], false), /no chore named nothing/);
});
