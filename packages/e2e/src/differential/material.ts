/**
 * The words requests are made of: paths good and bad, data, ACLs, identities, versions, ttls. Every list mixes the
 * ordinary with what must be refused, so that each check of a server is reached and passed often.
 */
import { type Acl, openAcl, Perms } from '../wire/records.js';
import type { Prng } from './prng.js';

export const users = ['u1:p1', 'u2:p2', 'ü:пароль'] as const;

/** `user:base64(sha1(user:password))` of the first two users. */
export const digestIds = ['u1:fpT/y03U+EjItKZOSLGvjnJlyng=', 'u2:o9NxcCGDPOlcV7JVhmKHOf5ctVE='] as const;

export const childNames = ['a', 'b', 'c', 'd', 'é', '中文', 'a b', '...', 'x'.repeat(40)] as const;

export const badPaths: readonly (string | null)[] = [
  null,
  '',
  'a',
  'a/b',
  '//',
  '/a/',
  '/a//b',
  '//a',
  '/./a',
  '/a/..',
  '/a/.',
  '/..',
  '/.',
  '/a\0b',
  '/\u0001',
  '/a\u001f',
  '/\u007f',
  '/a\u009f',
  '/\ud7ff',
  '/\ue000',
  '/\uf8ff',
  '/\uf900',
  '/\uffef',
  '/\ufff0',
  '/\uffff',
  '/\u{1f600}',
  '/a/\u{10ffff}/b',
  '/zookeeper',
  '/zookeeper/config',
  '/zookeeper/quota',
  '/zookeeper/x',
  '/nothing/here/at/all',
  `/${'long'.repeat(200)}`,
];

export const versions = [-1, -1, -1, 0, 1, 2, 3, -2, 2147483647, -2147483648] as const;

/** Around every bound of a ttl. */
export const ttls = [-1n, 0n, 1n, 1000n, 3_600_000n, 0xffffffffffn, 0x10000000000n, -5n, (1n << 62n) - 1n] as const;

export function randomData(prng: Prng): Buffer | null {
  const kind = prng.below(20);
  if (kind === 0) return null;
  if (kind < 3) return Buffer.alloc(0);
  if (kind === 3) return Buffer.alloc(prng.below(60_000), prng.below(256));
  return Buffer.from(`data ${prng.below(1000)} ${'.'.repeat(prng.below(60))}`);
}

const worldReadable: Acl = { perms: Perms.read, scheme: 'world', id: 'anyone' };

const goodAcls: readonly (readonly Acl[])[] = [
  [{ perms: Perms.all, scheme: 'auth', id: '' }],
  [{ perms: Perms.all, scheme: 'digest', id: digestIds[0] }],
  [{ perms: Perms.all, scheme: 'digest', id: digestIds[1] }],
  [worldReadable],
  [{ perms: Perms.read | Perms.create, scheme: 'world', id: 'anyone' }],
  [{ perms: Perms.admin, scheme: 'world', id: 'anyone' }],
  [{ perms: Perms.write | Perms.delete, scheme: 'world', id: 'anyone' }],
  [{ perms: Perms.all, scheme: 'ip', id: '127.0.0.1' }],
  [{ perms: Perms.all, scheme: 'ip', id: '127.0.0.0/8' }],
  [{ perms: Perms.all, scheme: 'ip', id: '10.0.0.0/8' }],
  [
    worldReadable,
    { perms: Perms.write, scheme: 'digest', id: digestIds[0] },
    { perms: Perms.admin, scheme: 'digest', id: digestIds[1] },
  ],
  [worldReadable, worldReadable, { perms: Perms.all, scheme: 'auth', id: 'ignored' }],
];

const ipv6Acls: readonly (readonly Acl[])[] = ['::1', '::1/128', 'fe80::/10', '::ffff:127.0.0.1', '::1/129', ':::'].map(
  (id) => [{ perms: Perms.all, scheme: 'ip', id }],
);

const badAcls: readonly (readonly Acl[] | null)[] = [
  null,
  [],
  [{ perms: Perms.all, scheme: 'world', id: 'someone' }],
  [{ perms: Perms.all, scheme: 'nothing', id: 'x' }],
  [{ perms: Perms.all, scheme: null, id: 'x' }],
  [{ perms: Perms.all, scheme: 'world', id: null }],
  [{ perms: Perms.all, scheme: 'digest', id: null }],
  [{ perms: Perms.all, scheme: 'digest', id: 'no colon' }],
  [{ perms: Perms.all, scheme: 'digest', id: 'a:b:c' }],
  [{ perms: Perms.all, scheme: 'digest', id: ':' }],
  [{ perms: Perms.all, scheme: 'digest', id: 'a:' }],
  [{ perms: Perms.all, scheme: 'digest', id: ':b' }],
  [{ perms: Perms.all, scheme: 'ip', id: '127.0.0' }],
  [{ perms: Perms.all, scheme: 'ip', id: '127.0.0.256' }],
  [{ perms: Perms.all, scheme: 'ip', id: '127.0.0.1/33' }],
  [{ perms: Perms.all, scheme: 'ip', id: '127.0.0.1/-1' }],
  [{ perms: Perms.all, scheme: 'ip', id: '127.0.0.1/x' }],
  [{ perms: Perms.all, scheme: 'ip', id: 'localhost' }],
  [{ perms: Perms.all, scheme: 'ip', id: '' }],
  [{ perms: Perms.all, scheme: 'sasl', id: 'bob' }],
  [{ perms: Perms.all, scheme: 'x509', id: 'CN=bob' }],
  [{ perms: Perms.all, scheme: 'super', id: '' }],
  [{ perms: Perms.all, scheme: '', id: '' }],
  [...openAcl, { perms: 0, scheme: 'nothing', id: '' }],
  [{ perms: 0, scheme: 'world', id: 'anyone' }],
  [{ perms: -1, scheme: 'world', id: 'anyone' }],
  [{ perms: 32 | Perms.all, scheme: 'world', id: 'anyone' }],
  [{ perms: Perms.all, scheme: 'digest', id: 'ü:пароль' }],
];

export interface AclWishes {
  /** Every list lets the world read, so that no reply or event depends on READ. */
  readonly readable: boolean;
  readonly ipv6: boolean;
}

export function randomAcl(prng: Prng, { readable, ipv6 }: AclWishes): readonly Acl[] | null {
  const kind = prng.below(100);
  if (kind < 55) return openAcl;
  if (kind < 57 && ipv6) return prng.pick(ipv6Acls);
  const acl = kind < 85 ? prng.pick(goodAcls) : prng.pick(badAcls);
  return readable && acl !== null ? [worldReadable, ...acl] : acl;
}

/** What an auth packet may carry besides a user's own `user:password`. */
export const oddAuths: readonly { readonly scheme: string | null; readonly credentials: Buffer | null }[] = [
  { scheme: 'ip', credentials: Buffer.alloc(0) },
  { scheme: 'digest', credentials: Buffer.from('no colon') },
  { scheme: 'digest', credentials: Buffer.alloc(0) },
  { scheme: 'digest', credentials: Buffer.from([0xff, 0xfe, 0x3a, 0x80]) },
  { scheme: 'digest', credentials: null },
  { scheme: 'digest', credentials: Buffer.from('super:wrong') },
  { scheme: 'world', credentials: Buffer.from('anyone') },
  { scheme: 'super', credentials: Buffer.alloc(0) },
  { scheme: 'sasl', credentials: Buffer.alloc(0) },
  { scheme: 'x509', credentials: Buffer.alloc(0) },
  { scheme: 'nothing', credentials: Buffer.from('x') },
  { scheme: null, credentials: null },
];

export const quotaTexts = [
  'count=3,bytes=20',
  'count=-1,bytes=-1',
  'count=4,bytes=50=;byteHardLimit=60;countHardLimit=5',
  'count=2,bytes=-1=;byteHardLimit=-1;countHardLimit=3',
  'count=-1,bytes=10=;byteHardLimit=20;countHardLimit=-1',
] as const;
