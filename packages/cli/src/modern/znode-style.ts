/** The colours of znodes' names, the same in every listing. */
import type { Stat } from '@zoots/client';
import type { Output } from './output.js';

export function styledName(out: Output, name: string, stat: Stat | null): string {
  if (stat === null) return name;
  if (stat.ephemeralOwner !== 0n) return out.styled('yellow', name);
  return stat.numChildren > 0 ? out.styled('blue', name) : name;
}
