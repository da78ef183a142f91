/** Sizes, ages, counts and times as people type them and like to read them. */
import { UsageError } from './command-line.js';

const sizeUnits: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

const timeUnits: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Bytes of `10k`, `1m`, `512`. Throws {@link UsageError}, which names the option. */
export function parseSize(option: string, text: string): number {
  return parseQuantity(option, text, sizeUnits, '512, 10k, 1m');
}

/** Milliseconds of `500ms`, `5s`, `2h`, `1d`; a bare number is milliseconds. Throws {@link UsageError}. */
export function parseTimeMs(option: string, text: string): number {
  return parseQuantity(option, text, timeUnits, '500ms, 5s, 10m, 2h, 1d');
}

function parseQuantity(
  option: string,
  text: string,
  units: Readonly<Record<string, number>>,
  examples: string,
): number {
  const match = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text);
  const unit = (match?.[2] ?? '').toLowerCase();
  if (match === null || !Object.hasOwn(units, unit)) {
    throw new UsageError(`--${option}: "${text}" is not understood; write ${examples}`);
  }
  return Math.round(Number(match[1]) * (units[unit] as number));
}

/** A whole number that is at least `min`. Throws {@link UsageError}. */
export function parseCount(option: string, text: string, min: number): number {
  const count = Number(text);
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(count) && count >= min) return count;
  throw new UsageError(`--${option}: "${text}" is not a whole number from ${min} on`);
}

/** `0`, `512`, `1.5k`, `12m` */
export function sizeText(bytes: number): string {
  let value = bytes;
  for (const unit of ['', 'k', 'm', 'g']) {
    if (value < 1024 || unit === 'g') return `${trimmed(value)}${unit}`;
    value /= 1024;
  }
  return '';
}

function trimmed(value: number): string {
  return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

/** `30 s`, `1.5 m`, `250 ms` */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  const [unit, size] = ms < 60_000 ? ['s', 1_000] : ms < 3_600_000 ? ['min', 60_000] : ['h', 3_600_000];
  return `${trimmed(ms / (size as number))} ${unit}`;
}

/** `2026-01-31 23:59:59` in the zone of the process (`TZ`). */
export function localTimeText(timeMs: number): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return String(timeMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `1 znode`, `2 znodes` */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
