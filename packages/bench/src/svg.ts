/**
 * Line plots as SVG text, drawn without a library: two axes, linear or logarithmic, a line with points per series, a
 * legend. The numbers come in, the text goes out; the same numbers give the same text, so a plot that did not change
 * makes no difference in a commit.
 */

export type ScaleKind = 'linear' | 'log';

export interface Series {
  readonly title: string;
  /** Any CSS colour. */
  readonly colour: string;
  readonly isDashed?: boolean;
  /** In ascending order of x. On a logarithmic axis, what is not positive is left out. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Plot {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly xScale: ScaleKind;
  readonly yScale: ScaleKind;
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 400;
const AREA = { left: 74, right: 530, top: 40, bottom: 344 } as const;
const TICKS_WANTED = 6;

/** One axis: from a value to its place in the picture, and the values that are marked. */
export interface Axis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** An axis for values between `from` and `to` pixels; without any value, an axis of 0 to 1. */
export function makeAxis(kind: ScaleKind, values: readonly number[], from: number, to: number): Axis {
  return kind === 'log' ? logAxis(values, from, to) : linearAxis(values, from, to);
}

/** Begins at 0, so that twice the height is twice the value. */
function linearAxis(values: readonly number[], from: number, to: number): Axis {
  const max = Math.max(...values, 0) || 1;
  const rough = max / TICKS_WANTED;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
  const count = Math.ceil(max / step - 1e-9);
  const end = step * count;
  const ticks = Array.from({ length: count + 1 }, (_, i) => i * step);
  return { ticks, at: (value) => from + ((to - from) * value) / end };
}

/** Whole decades, with 2 and 5 between them when there are few. */
function logAxis(values: readonly number[], from: number, to: number): Axis {
  const positive = values.filter((value) => value > 0);
  const low = positive.length === 0 ? 0 : Math.floor(Math.log10(Math.min(...positive)) + 1e-9);
  const high = Math.max(low + 1, positive.length === 0 ? 1 : Math.ceil(Math.log10(Math.max(...positive)) - 1e-9));
  const between = high - low <= 2 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let decade = low; decade <= high; decade++) {
    for (const step of between)
      if (decade < high || step === 1) ticks.push(Number((step * 10 ** decade).toPrecision(3)));
  }
  return { ticks, at: (value) => from + ((to - from) * (Math.log10(value) - low)) / (high - low) };
}

/** `1.5 M`, `20 k`, `0.05`. */
export function tickText(value: number): string {
  for (const [size, unit] of [
    [1e6, ' M'],
    [1e3, ' k'],
  ] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(3))}${unit}`;
  }
  return String(Number(value.toPrecision(3)));
}

export function plotSvg(plot: Plot): string {
  const shown = plot.series.map((series) => ({
    ...series,
    points: series.points.filter(
      ({ x, y }) => (plot.xScale === 'linear' || x > 0) && (plot.yScale === 'linear' || y > 0),
    ),
  }));
  const all = shown.flatMap((series) => series.points);
  const axes = {
    x: makeAxis(
      plot.xScale,
      all.map(({ x }) => x),
      AREA.left,
      AREA.right,
    ),
    y: makeAxis(
      plot.yScale,
      all.map(({ y }) => y),
      AREA.bottom,
      AREA.top,
    ),
  };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escapeXml(plot.title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(AREA.left, 22, plot.title, 'font-size="15"'),
    ...grid(axes),
    text((AREA.left + AREA.right) / 2, HEIGHT - 14, plot.xTitle, 'text-anchor="middle"'),
    text(
      0,
      0,
      plot.yTitle,
      `text-anchor="middle" transform="translate(16 ${(AREA.top + AREA.bottom) / 2}) rotate(-90)"`,
    ),
    ...shown.flatMap((series, i) => [...drawSeries(series, axes), ...legend(series, i)]),
    '</svg>',
    '',
  ].join('\n');
}

function grid({ x, y }: { x: Axis; y: Axis }): string[] {
  return [
    ...y.ticks.flatMap((value) => [
      `<path d="M${AREA.left} ${round(y.at(value))}H${AREA.right}" stroke="#dddddd"/>`,
      text(AREA.left - 6, y.at(value) + 4, tickText(value), 'text-anchor="end"'),
    ]),
    ...x.ticks.flatMap((value) => [
      `<path d="M${round(x.at(value))} ${AREA.bottom}V${AREA.bottom + 5}" stroke="#333333"/>`,
      text(x.at(value), AREA.bottom + 18, tickText(value), 'text-anchor="middle"'),
    ]),
    `<path d="M${AREA.left} ${AREA.top}V${AREA.bottom}H${AREA.right}" fill="none" stroke="#333333"/>`,
  ];
}

function drawSeries({ points, colour, isDashed }: Series, { x, y }: { x: Axis; y: Axis }): string[] {
  const places = points.map((point) => `${round(x.at(point.x))} ${round(y.at(point.y))}`);
  if (places.length === 0) return [];
  return [
    `<path d="M${places.join('L')}" fill="none" stroke="${colour}" stroke-width="2"${isDashed === true ? ' stroke-dasharray="6 4"' : ''}/>`,
    ...points.map(
      (point) => `<circle cx="${round(x.at(point.x))}" cy="${round(y.at(point.y))}" r="3" fill="${colour}"/>`,
    ),
  ];
}

function legend({ title, colour, isDashed }: Series, index: number): string[] {
  const at = AREA.top + 8 + index * 18;
  const left = AREA.right + 16;
  return [
    `<path d="M${left} ${at}h24" stroke="${colour}" stroke-width="2"${isDashed === true ? ' stroke-dasharray="6 4"' : ''}/>`,
    text(left + 30, at + 4, title, ''),
  ];
}

function text(x: number, y: number, words: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}"${attributes === '' ? '' : ` ${attributes}`}>${escapeXml(words)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function escapeXml(words: string): string {
  return words.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
