import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Conditions, type Figures, renderPage } from './performance-page.js';
import { gridOf, SWEEPS, type Sweep, stagesOf } from './sweeps.js';

const conditions: Conditions = { date: '2026-01-02', machine: '2 × CPU', rounds: 3, seconds: 4, loadAverage: 0.25 };
const point = { perSecond: 5_000, p999Ms: 2, cpuMicros: 1 };

const figures: Figures = {
  goals: {
    conditions,
    content: [
      {
        name: 'get-50x1',
        ofApache: 2.6,
        p999OfApache: 0.4,
        ofLimit: null,
        results: { ours: point, apache: { ...point, perSecond: 2_000 } },
      },
      { name: 'a row of long ago', ofApache: 1, p999OfApache: 1, ofLimit: 1, results: {} },
    ],
  },
  chores: {
    conditions,
    content: [
      {
        chore: 'start',
        title: 'start on empty data',
        metric: { key: 'ms', title: 'to the first reply', unit: 'ms', ofApache: 0.4 },
        figures: { ours: 100, apache: 200 },
        ofApache: 0.5,
      },
    ],
  },
  sweeps: {
    depth: {
      conditions,
      content: [
        {
          kind: 'get',
          contestant: 'ours',
          points: [
            { x: 1, ...point },
            { x: 10, ...point, perSecond: 50_000 },
          ],
        },
        { kind: 'get', contestant: 'apache', points: [{ x: 1, ...point }] },
      ],
    },
  },
};

test('the page has a table per section with goals and conditions, and a picture per measure', () => {
  const { page, pictures } = renderPage(figures);
  assert.deepEqual([...pictures.keys()], ['depth-throughput.svg', 'depth-p999.svg']);
  assert.ok(page.includes('](performance/depth-throughput.svg)'));
  assert.match(
    page,
    /\| getData 128 B, 50 × 1 \| 5,000 \| 2,000 \| – \| 2\.60 × \(≥ 2\.5\) \| 0\.40 × \(≤ 0\.5\) \| – \(≥ 0\.85\) \|/,
  );
  assert.match(
    page,
    /\| start on empty data \| to the first reply, ms \| 100 \| 200 \| – \| 0\.50 × \| ≤ 0\.4 of Apache's \| no \|/,
  );
  assert.match(page, /\| 10 \| 50,000 \| – \| 2\.00 \| – \| – \| – \| 1\.00, – \|/);
  assert.equal(page.match(/2026-01-02, 2 × CPU; 3 rounds of 4 s; load average before it 0\.3\./g)?.length, 3);
  assert.ok(!page.includes('a row of long ago'));
  assert.ok(!/undefined|NaN/.test(page));
});

test('all cells of a table stand under a head', () => {
  const widths = renderPage(figures)
    .page.split('\n\n')
    .filter((block) => block.startsWith('|'))
    .map(
      (block) =>
        new Set(
          block
            .trim()
            .split('\n')
            .map((line) => line.split('|').length),
        ).size,
    );
  assert.deepEqual(widths, [1, 1, 1]);
});

const sweepNamed = (name: string): Sweep => SWEEPS.find((sweep) => sweep.name === name) as Sweep;

test('values that need other servers have a stage each, the rest share one', () => {
  const settings = { quick: true, big: false };
  assert.equal(stagesOf(sweepNamed('depth'), settings).length, 1);
  assert.deepEqual(
    stagesOf(sweepNamed('value-size'), settings).map(({ field }) => field.dataBytes),
    [0, 1_000, 100_000],
  );
  assert.deepEqual(
    stagesOf(sweepNamed('read-share'), settings).map(({ field }) => field.members),
    [1, 3],
  );
  assert.deepEqual(
    stagesOf(sweepNamed('read-share'), { quick: false, big: false }).map(({ field }) => field.members),
    [1, 3, 5, 7],
  );
});

test('every grid ascends, and --big goes on where the others end', () => {
  for (const sweep of SWEEPS) {
    for (const quick of [false, true]) {
      const xs = gridOf(sweep, { quick, big: true });
      assert.deepEqual(
        xs,
        [...xs].sort((a, b) => a - b),
        sweep.name,
      );
    }
  }
  assert.equal(gridOf(sweepNamed('znodes'), { quick: false, big: true }).at(-1), 10_000_000);
});
