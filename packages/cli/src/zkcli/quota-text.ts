/** The text of a quota znode: limits or usage, `count=1,bytes=2=;byteHardLimit=3;countHardLimit=4`. */

export type QuotaField = 'count' | 'bytes' | 'countHardLimit' | 'byteHardLimit';

/** What is not in the map has no limit, as -1 has none. */
export type QuotaNumbers = Map<string, bigint>;

export function parseQuota(text: string): QuotaNumbers {
  const numbers: QuotaNumbers = new Map();
  for (const pair of text.split(/[,;]+/)) {
    const [name, value] = pair.split('=');
    if (name !== undefined && name !== '') numbers.set(name, BigInt(value || '-1'));
  }
  return numbers;
}

export function quotaOf(numbers: QuotaNumbers, field: QuotaField): bigint {
  return numbers.get(field) ?? -1n;
}

/** The = behind the bytes makes versions up to 3.4.3 ignore what follows. */
export function quotaText(numbers: QuotaNumbers): string {
  const hard = [...numbers.keys()].filter((name) => name !== 'count' && name !== 'bytes').sort();
  const first = `count=${quotaOf(numbers, 'count')},bytes=${quotaOf(numbers, 'bytes')}`;
  return hard.length === 0 ? first : `${first}=${hard.map((name) => `;${name}=${numbers.get(name)}`).join('')}`;
}
