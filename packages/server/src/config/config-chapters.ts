/** The rows of the configuration table by chapter, as the documentation shows them (scripts/docs.ts). */
import type { ConfigRow } from './config-row.js';
import { accessKeys, tlsKeys } from './keys-access.js';
import { adminKeys, clientKeys, type KeyFamily, keyFamilies } from './keys-admin.js';
import { basicKeys, ensembleKeys } from './keys-basic.js';
import { javaTuningKeys, limitKeys } from './keys-limits.js';
import { storageKeys } from './keys-storage.js';

export interface ConfigChapter {
  readonly title: string;
  readonly rows: Readonly<Record<string, ConfigRow<unknown>>>;
}

export const configChapters: readonly ConfigChapter[] = [
  { title: 'Place, ports, sessions', rows: basicKeys },
  { title: 'Logs, snapshots, znodes', rows: storageKeys },
  { title: 'Limits and throttles', rows: limitKeys },
  { title: 'Authentication and access', rows: accessKeys },
  { title: 'Ensemble', rows: ensembleKeys },
  { title: 'TLS', rows: tlsKeys },
  { title: 'Admin server and metrics', rows: adminKeys },
  { title: 'Threads, buffers and the virtual machine of the Java server', rows: javaTuningKeys },
  { title: 'Clients', rows: clientKeys },
];

/** Keys with a free part. */
export const configFamilies: readonly KeyFamily[] = keyFamilies;
