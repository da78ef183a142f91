/**
 * What Linux says about a process from outside: processor time and resident memory, from /proc. Everything that is
 * measured of a server is taken here, never from the server itself, so that it means the same for each of them.
 */
import fs from 'node:fs';

/** USER_HZ: the unit of times in /proc/PID/stat is the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ProcessCost {
  /** User and system time of all threads since the process began, dead threads too. */
  readonly cpuMs: number;
  readonly residentMb: number;
}

/** Processor time in one line of /proc/PID/stat. The name in it may hold spaces and brackets: fields count from the last one. */
export function parseCpuMs(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime and stime are fields 14 and 15 of the line; the state, which follows the name, is field 3.
  const ticks = Number(fields[14 - 3]) + Number(fields[15 - 3]);
  if (!Number.isFinite(ticks)) throw new Error(`not a line of /proc/PID/stat: ${stat}`);
  return (ticks * 1000) / TICKS_PER_SECOND;
}

/** VmRSS of /proc/PID/status. */
export function parseResidentMb(status: string): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (match === null) throw new Error('no VmRSS in /proc/PID/status: has the process ended?');
  return Number(match[1]) / 1024;
}

/** The sum over processes; zeros for none. Throws when one of them has ended. */
export function costOf(pids: readonly number[]): ProcessCost {
  let cpuMs = 0;
  let residentMb = 0;
  for (const pid of pids) {
    cpuMs += parseCpuMs(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
    residentMb += parseResidentMb(fs.readFileSync(`/proc/${pid}/status`, 'latin1'));
  }
  return { cpuMs, residentMb };
}

/** How many files, sockets among them, a process that starts now may have open. */
export function openFilesMax(): number {
  const match = /^Max open files\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'));
  return match === null ? 1024 : Number(match[1]);
}
