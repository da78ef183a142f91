/** Fills a server with every kind of znode and transaction, so that its data directory shows all that tools can meet. */
import { type Acl, bodies, Flags, Op, openAcl } from '../wire/records.js';
import { WireSession } from '../wire/session.js';

const childCount = 2_000;
const deepest = 300;

/** The `abandoned` session stays in the database, with its ephemerals. */
export async function fillServer(port: number): Promise<void> {
  const session = await WireSession.connect(port, { timeoutMs: 40_000 });
  const abandoned = await WireSession.connect(port, { timeoutMs: 40_000 });
  await session.auth('digest', 'bob:secret');
  await makeKinds(session);
  await makeMany(session);
  await makeTxns(session);
  for (const path of ['/e1', '/wide/e2']) await abandoned.create(path, 'mine', { flags: Flags.ephemeral });
  await session.create('/gone', null, { flags: Flags.ephemeral });
  await session.close();
  abandoned.abandon();
}

async function makeKinds(session: WireSession): Promise<void> {
  const acl: readonly Acl[] = [
    { perms: 31, scheme: 'auth', id: '' },
    { perms: 1, scheme: 'ip', id: '127.0.0.1/8' },
  ];
  await session.create('/null', null);
  await session.create(
    '/binary',
    Uint8Array.from({ length: 256 }, (_, i) => i),
  );
  await session.create('/größe', 'straße 東京 €');
  await session.create('/a,b}%c', 'x', { acl });
  await session.create('/"quoted"\\', 'x');
  await session.create('/seq-', '', { flags: Flags.persistentSequential });
  await session.createContainer('/box', 'c');
  await session.create('/box/inner', 'x'.repeat(5_000));
  await session.createTTL('/ttl', 't', 86_400_000n);
}

/** Enough children to show the order in which sets give them back, in tables of many sizes; and a deep path. */
async function makeMany(session: WireSession): Promise<void> {
  await session.create('/wide');
  const names = Array.from({ length: childCount }, (_, i) => (i % 2 === 0 ? `n-${i}` : `${(i * 7919) % 10007}_k`));
  await Promise.all(names.map((name, i) => session.create(`/wide/${name}`, 'd'.repeat(i % 50))));
  for (const size of [1, 5, 6, 7, 12, 13, 25, 49]) {
    await session.create(`/set${size}`);
    for (let i = 0; i < size; i++) await session.create(`/set${size}/${String(i).padStart(10, '0')}`);
  }
  let path = '';
  for (let depth = 0; depth < deepest; depth++) {
    path += '/d';
    await session.create(path, String(depth));
  }
}

async function makeTxns(session: WireSession): Promise<void> {
  await session.setData('/null', 'no longer');
  await session.setACL('/binary', [...openAcl, { perms: 1, scheme: 'digest', id: 'a:b' }]);
  await session.delete('/set1/0000000000');
  await session.request(Op.create, bodies.create('/null', null, openAcl, 0));
  await session.multi([
    { type: Op.create, body: bodies.create('/m', Buffer.from('ü'), openAcl, 0) },
    { type: Op.setData, body: bodies.setData('/null', null, -1) },
    { type: Op.check, body: bodies.pathVersion('/m', 0) },
    { type: Op.delete, body: bodies.pathVersion('/m', 0) },
  ]);
  await session.multi([
    { type: Op.create, body: bodies.create('/m', null, openAcl, 0) },
    { type: Op.check, body: bodies.pathVersion('/none', 0) },
  ]);
}
