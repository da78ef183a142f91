/**
 * Lines for people: `2026-11-21T13:11:00.123 INFO: serving clients  port=2181`, in local time.
 *
 * Plain ones, for files and pipes, are written here without any library: pino and pino-pretty take 40 of the 230 ms until a server
 * answers, and 3 MB.
 */
import { writeSync } from 'node:fs';
import type { LogFields } from '@zoots/base';

const keysOfPino = new Set(['level', 'time', 'msg', 'pid', 'hostname']);

/** The event and its fields. */
export function lineOf(event: string, fields: Readonly<Record<string, unknown>>): string {
  let line = event;
  for (const [name, value] of Object.entries(fields)) {
    if (!keysOfPino.has(name)) line += `  ${name}=${readable(value)}`;
  }
  return line;
}

/** Bare where it is unambiguous, quoted and escaped where it holds a quote or a line end. */
function readable(value: unknown): string {
  const text = String(value);
  return /["\\\p{Cc}]/u.test(text) || text === '' ? JSON.stringify(text) : text;
}

/** Writes at once; a log that cannot be written is given up line by line. */
export function writePlainLine(fd: number, label: string, event: string, fields: LogFields): void {
  const bytes = Buffer.from(`${localTime(new Date())} ${label.toUpperCase()}: ${lineOf(event, fields)}\n`);
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      // A pipe that does not block and is full: whoever reads it is slow, and half a line would help nobody.
      Atomics.wait(pause, 0, 0, PAUSE_MS);
    }
  }
}

const PAUSE_MS = 10;
const pause = new Int32Array(new SharedArrayBuffer(4));

function localTime(date: Date): string {
  const day = `${date.getFullYear()}-${padded(date.getMonth() + 1, 2)}-${padded(date.getDate(), 2)}`;
  const time = `${padded(date.getHours(), 2)}:${padded(date.getMinutes(), 2)}:${padded(date.getSeconds(), 2)}`;
  return `${day}T${time}.${padded(date.getMilliseconds(), 3)}`;
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
