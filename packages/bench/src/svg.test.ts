import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeXml, makeAxis, type Plot, plotSvg, tickText } from './svg.js';

test('a linear axis begins at 0 and ends at a round number beyond the largest value', () => {
  const axis = makeAxis('linear', [130, 870], 0, 100);
  assert.deepEqual(axis.ticks, [0, 200, 400, 600, 800, 1000]);
  assert.equal(axis.at(0), 0);
  assert.equal(axis.at(500), 50);
  assert.equal(axis.at(1000), 100);
});

test('a linear axis may run upwards in the picture, where pixels count downwards', () => {
  const axis = makeAxis('linear', [10], 300, 100);
  assert.equal(axis.at(0), 300);
  assert.equal(axis.at(10), 100);
});

test('a logarithmic axis has whole decades, and steps between them when they are few', () => {
  assert.deepEqual(makeAxis('log', [1, 10_000], 0, 1).ticks, [1, 10, 100, 1_000, 10_000]);
  assert.deepEqual(makeAxis('log', [0.03, 0.6], 0, 1).ticks, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]);
  const axis = makeAxis('log', [1, 100], 0, 100);
  assert.equal(axis.at(10), 50);
});

test('axes without a value, or with one alone, still have a length', () => {
  for (const kind of ['linear', 'log'] as const) {
    for (const values of [[], [7]]) {
      const axis = makeAxis(kind, values, 0, 100);
      assert.ok(axis.ticks.length >= 2, `${kind} ${values}`);
      assert.ok(axis.ticks.every((tick) => Number.isFinite(axis.at(tick))));
    }
  }
});

test('ticks are short', () => {
  assert.deepEqual([0, 0.05, 5, 1_000, 20_000, 1_500_000].map(tickText), ['0', '0.05', '5', '1 k', '20 k', '1.5 M']);
});

const plot: Plot = {
  title: 'a < b & c',
  xTitle: 'connections',
  yTitle: 'ops/s',
  xScale: 'log',
  yScale: 'linear',
  series: [
    { title: 'ours', colour: '#1f77b4', points: [0, 1, 10].map((x) => ({ x, y: x + 1 })) },
    { title: 'none', colour: '#000000', isDashed: true, points: [] },
  ],
};

test('a plot is well-formed, names every series, and leaves out what a logarithm cannot show', () => {
  const svg = plotSvg(plot);
  assert.ok(svg.includes('a &lt; b &amp; c'));
  assert.equal(svg.match(/<circle /g)?.length, 2);
  assert.ok(svg.includes('>none</text>'));
  assert.ok(!/NaN|Infinity|undefined/.test(svg));
  const opened = [...svg.matchAll(/<(\w+)[^>]*[^/]>/g)].length;
  const closed = [...svg.matchAll(/<\/\w+>/g)].length;
  assert.equal(opened, closed);
  assert.equal(svg, plotSvg(plot));
});

test('escaping covers quotes', () => {
  assert.equal(escapeXml('"<>&'), '&quot;&lt;&gt;&amp;');
});
