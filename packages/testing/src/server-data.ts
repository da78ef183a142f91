/** Where a test server keeps its data: memory, a temporary directory, or one that stays. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { NodeDisk, openDataDirectories, type ServerConfig } from '@zoots/server';
import { type Disk, MemoryDisk } from '@zoots/storage';
import type { ServerOptions } from './server-options.js';

export interface ServerData {
  readonly directory: string;
  readonly disk: Disk;
  /** Before every start; the function ends the server's hold on its directories. */
  open(config: ServerConfig): Promise<() => void>;
  /** After the last stop. */
  discard(): Promise<void>;
}

export async function serverDataOf(data: ServerOptions['data']): Promise<ServerData> {
  if (typeof data === 'object') return dataIn(resolve(data.directory), async () => {});
  if (data !== 'temporary') return dataInMemory();
  const directory = await mkdtemp(join(tmpdir(), 'zoots-testing-'));
  return dataIn(directory, () => rm(directory, { recursive: true, force: true }));
}

function dataIn(directory: string, discard: () => Promise<void>): ServerData {
  const open = async (config: ServerConfig): Promise<() => void> => {
    const lock = await openDataDirectories(config);
    return () => lock.release();
  };
  return { directory, disk: new NodeDisk(), open, discard };
}

/** The name is never looked up, but four letter words show it. */
const MEMORY_DIRECTORY = '/zoots-in-memory';

function dataInMemory(): ServerData {
  const disk = new MemoryDisk();
  disk.onQueued = () =>
    setImmediate(() => {
      disk.run();
      disk.journal.length = 0;
    });
  const open = async ({ dataDir, dataLogDir }: ServerConfig): Promise<() => void> => {
    for (const directory of [dataDir, dataLogDir]) disk.makeDirectory(`${directory}/version-2`, () => {});
    return () => {};
  };
  return { directory: MEMORY_DIRECTORY, disk, open, discard: async () => {} };
}
