/** Facts about the machine and process that four letter words show. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { arch, freemem, homedir, hostname, release, totalmem, type, userInfo } from 'node:os';
import { join } from 'node:path';
import { fullVersion } from '../version.js';

/** Bytes of all files below a directory; 0 if there is none. */
export function directorySizeBytes(directory: string): number {
  let total = 0;
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) total += directorySizeBytes(path);
      else total += statSync(path).size;
    }
  } catch {
    // A file that went while we looked, or a directory that is not there: it has no size.
  }
  return total;
}

const MEGABYTE = 1024 * 1024;

/** envi's lines, in Apache's order. Where Apache names its JVM, the Node that runs us is named. */
export function environmentLines(): string[] {
  const memory = process.memoryUsage();
  return [
    `zookeeper.version=${fullVersion}`,
    `host.name=${hostname()}`,
    `java.version=<NA> (Node.js ${process.version})`,
    'java.vendor=<NA>',
    `java.home=${process.execPath}`,
    'java.class.path=<NA>',
    'java.library.path=<NA>',
    'java.io.tmpdir=<NA>',
    'java.compiler=<NA>',
    `os.name=${type()}`,
    `os.arch=${arch() === 'x64' ? 'amd64' : arch()}`,
    `os.version=${release()}`,
    `user.name=${userName()}`,
    `user.home=${homedir()}`,
    `user.dir=${process.cwd()}`,
    `os.memory.free=${Math.floor(freemem() / MEGABYTE)}MB`,
    `os.memory.max=${Math.floor(totalmem() / MEGABYTE)}MB`,
    `os.memory.total=${Math.floor(memory.rss / MEGABYTE)}MB`,
  ];
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user id without a passwd entry.
    return String(process.getuid?.() ?? '<NA>');
  }
}

/** Open file descriptors and their limit; null where the system does not tell. */
export function fileDescriptors(): { readonly open: number; readonly max: number } | null {
  try {
    const open = readdirSync('/proc/self/fd').length;
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const max = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return { open, max: Number(max ?? 0) };
  } catch {
    return null;
  }
}
