/** What a crash chapter found, and the lines it prints. */

export interface ChapterResult {
  readonly name: string;
  /** Figures for the table, in order. */
  readonly figures: readonly (readonly [label: string, value: string | number])[];
  /** Each is a promise broken; empty when the chapter passed. */
  readonly failures: readonly string[];
}

const failuresShownMax = 12;

export function printChapter(result: ChapterResult): void {
  const figures = result.figures.map(([label, value]) => `${value} ${label}`).join(', ');
  console.log(`${result.failures.length === 0 ? 'ok  ' : 'FAIL'} ${result.name}: ${figures}`);
  for (const failure of result.failures.slice(0, failuresShownMax)) console.log(`       ${failure}`);
  const more = result.failures.length - failuresShownMax;
  if (more > 0) console.log(`       … and ${more} more`);
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? 0 : (sorted[sorted.length >> 1] as number);
}

export function maxOf(values: readonly number[]): number {
  return values.reduce((max, value) => Math.max(max, value), 0);
}

export function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}
