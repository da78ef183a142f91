/**
 * How Apache's tools write dates, numbers and records. Dates are in the zone of the process (`TZ`), and where Java would
 * look at the locale, as for American English, which is what servers without a locale get.
 */
import { javaZoneName } from './zone-names.js';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Thu Jan 01 00:00:00 UTC 1970` */
export function dateText(timeMs: bigint): string {
  const date = new Date(Number(timeMs));
  if (Number.isNaN(date.getTime())) return String(timeMs);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${two(date.getDate())} ${time} ${zoneOf(date)} ${date.getFullYear()}`;
}

/** `1/1/70, 12:00:00 AM UTC` */
export function shortDateLongTime(timeMs: bigint): string {
  const date = new Date(Number(timeMs));
  if (Number.isNaN(date.getTime())) return String(timeMs);
  const day = `${date.getMonth() + 1}/${date.getDate()}/${two(date.getFullYear() % 100)}`;
  return `${day}, ${timeOfDay(date)} ${zoneOf(date)}`;
}

/** `Jan 1, 1970, 12:00:00 AM` */
export function mediumDateTime(timeMs: number): string {
  const date = new Date(timeMs);
  return `${MONTHS[date.getMonth()]} ${date.getDate()}, ${date.getFullYear()}, ${timeOfDay(date)}`;
}

function timeOfDay(date: Date): string {
  const hour = date.getHours() % 12 || 12;
  return `${hour}:${two(date.getMinutes())}:${two(date.getSeconds())} ${date.getHours() < 12 ? 'AM' : 'PM'}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** Names by year and offset, which all but decide them: looking one up takes microseconds, and dumps have millions. */
const zoneNames = new Map<string, string>();

function zoneOf(date: Date): string {
  const key = `${date.getFullYear()} ${date.getTimezoneOffset()}`;
  let name = zoneNames.get(key);
  if (name === undefined) {
    name = lookUpZone(date);
    zoneNames.set(key, name);
  }
  return name;
}

// American English has no short names for Europe's zones ("GMT+1"), British English has ("CET"); the rest is in a table.
function lookUpZone(date: Date): string {
  const names = ['en-US', 'en-GB'].map((locale) => {
    const parts = new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }).formatToParts(date);
    return parts.find((part) => part.type === 'timeZoneName')?.value ?? 'UTC';
  });
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return javaZoneName(zone, isSummer(date)) ?? names.find((name) => !name.startsWith('GMT')) ?? (names[0] as string);
}

/** Clocks are ahead of what they are in the other half of the year. */
function isSummer(date: Date): boolean {
  const offsets = [0, 6].map((month) => new Date(date.getFullYear(), month, 1).getTimezoneOffset());
  return date.getTimezoneOffset() < Math.max(...offsets);
}

/** Sixteen places with the `0x`, zeros in front. */
export function wideHex(value: bigint): string {
  return `0x${hex(value).padStart(14, '0')}`;
}

/** Unsigned, without `0x`. */
export function hex(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '%00',
  '\n': '%0A',
  '\r': '%0D',
  ',': '%2C',
  '}': '%7D',
  '%': '%25',
};

/** A string within a record: a quote in front, and what would look like structure as its code. Null is nothing. */
export function recordString(text: string | null): string {
  return text === null ? '' : `'${text.replace(/[\0\n\r,}%]/g, (character) => ESCAPES[character] as string)}`;
}
