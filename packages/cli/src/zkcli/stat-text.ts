/** A znode's stat as zkCli prints it, and a session id or zxid in Java's hexadecimal. */
import type { Stat } from '@zoots/client';
import { dateText } from '../data-tools/text-forms.js';

export function statText(stat: Stat): string {
  const rows: readonly (readonly [string, string | number])[] = [
    ['cZxid', hex(stat.czxid)],
    ['ctime', dateText(BigInt(stat.ctime))],
    ['mZxid', hex(stat.mzxid)],
    ['mtime', dateText(BigInt(stat.mtime))],
    ['pZxid', hex(stat.pzxid)],
    ['cversion', stat.cversion],
    ['dataVersion', stat.version],
    ['aclVersion', stat.aversion],
    ['ephemeralOwner', hex(stat.ephemeralOwner)],
    ['dataLength', stat.dataLength],
    ['numChildren', stat.numChildren],
  ];
  return rows.map(([name, value]) => `${name} = ${value}`).join('\n');
}

/** As an unsigned 64-bit number: containers and TTL znodes have owners with the highest bit set. */
function hex(value: number | bigint): string {
  return `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
}
