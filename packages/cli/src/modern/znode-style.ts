/** The colours of znodes' names by their kind, the same in every listing. */
import type { Stat } from '@zoots/client';
import type { Output, Style } from './output.js';
import { type Kind, kindOf } from './znode-facts.js';

const styleOfKind: Readonly<Record<Kind, Style | null>> = {
  persistent: null,
  ephemeral: 'yellow',
  container: 'magenta',
  ttl: 'cyan',
};

export function styledName(out: Output, name: string, stat: Stat): string {
  const style = styleOfKind[kindOf(stat)] ?? (stat.numChildren > 0 ? 'blue' : null);
  return style === null ? name : out.styled(style, name);
}
