/** Where this program lies: the directory that holds bin, conf and packages. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkoutDirectory = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** The configuration file that is used when none is named: as zkServer.sh finds it. */
export function defaultConfigFile(environment: Readonly<Record<string, string | undefined>>): string {
  const name = environment.ZOOCFG || 'zoo.cfg';
  if (name.includes('/')) return name;
  return join(environment.ZOOCFGDIR || join(checkoutDirectory, 'conf'), name);
}
