/**
 * Before a server starts: its directories exist, can be written, and are ours alone. Every refusal is one line and exit
 * code 3.
 */
import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ServerConfig } from './config/server-config.js';
import { type DataDirectoryLock, DirectoryInUseError, lockDataDirectories } from './data-directory-lock.js';
import { exitCodes } from './exit-codes.js';
import { StartupError } from './running-server.js';

type Directories = Pick<ServerConfig, 'dataDir' | 'dataLogDir' | 'datadirAutocreate'>;

/** Makes (if `datadirAutocreate`), checks and locks dataDir and dataLogDir. Rejects with {@link StartupError}. */
export async function openDataDirectories(config: Directories): Promise<DataDirectoryLock> {
  prepareDirectory('dataDir', config.dataDir, config.datadirAutocreate);
  if (config.dataLogDir !== config.dataDir) prepareDirectory('dataLogDir', config.dataLogDir, config.datadirAutocreate);
  try {
    return await lockDataDirectories([config.dataDir, config.dataLogDir]);
  } catch (cause) {
    if (cause instanceof DirectoryInUseError) throw refusal(`data directory ${cause.message}`, cause);
    throw refusal(`cannot lock the data directory ${config.dataDir}: ${(cause as Error).message}`, cause);
  }
}

function prepareDirectory(key: string, directory: string, autocreate: boolean): void {
  const versioned = join(directory, 'version-2');
  if (!existsSync(versioned)) {
    if (!autocreate) {
      throw refusal(
        `${key} ${versioned} is missing and datadir.autocreate is false: create it with zkServer-initialize.sh`,
      );
    }
    try {
      makeDirectories(versioned);
    } catch (cause) {
      throw refusal(`${key} ${directory} cannot be created: ${reasonOf(cause)}`, cause);
    }
  }
  for (const path of [directory, versioned]) {
    try {
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw refusal(`${key} ${path} is not writable for this user: ${reasonOf(cause)}`, cause);
    }
  }
  try {
    // At every start: the process that made `version-2` may have been killed before it came to this.
    syncDirectory(directory);
  } catch (cause) {
    throw refusal(`${key} ${directory} cannot be synced: ${reasonOf(cause)}`, cause);
  }
}

/** As mkdirSync's `recursive`, which never returns where the parent exists and cannot have children (/proc). */
function makeDirectories(path: string): void {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.push(at);
  for (const directory of missing.reverse()) {
    try {
      mkdirSync(directory);
    } catch (error) {
      // Another start may have made it in the meantime.
      if ((error as { code?: string }).code !== 'EEXIST' || !statSync(directory).isDirectory()) throw error;
    }
    syncDirectory(dirname(directory));
  }
}

/** A new name is durable only once its directory is: else a power cut takes `version-2` away with all that is in it. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'a file of this name is in the way',
  ENOTDIR: 'a part of the path is a file',
  ENOSPC: 'no space left on the disk',
  EROFS: 'the file system is read-only',
};

function reasonOf(error: unknown): string {
  return reasons[(error as { code?: string }).code ?? ''] ?? (error as Error).message;
}

function refusal(message: string, cause?: unknown): StartupError {
  return new StartupError(message, exitCodes.dataDirectory, { cause });
}
