/** Every operation and every refusal through every server: a write that is forwarded is answered as one that is not. */
import { strict as assert } from 'node:assert';
import type { Member } from '../peers/ensemble.js';
import { bodies, Flags, Op, openAcl, Perms } from '../wire/records.js';
import type { WireSession } from '../wire/session.js';
import { type Scenario, type Stage, until } from './row.js';

const nobodyDeletes = [{ perms: Perms.read | Perms.write | Perms.create | Perms.admin, scheme: 'world', id: 'anyone' }];
const toCreator = [{ perms: Perms.all, scheme: 'auth', id: '' }];

async function writeAll(session: WireSession, home: string): Promise<void> {
  await session.create(home, 'home');
  assert.equal(await session.create(`${home}/s-`, '', { flags: Flags.persistentSequential }), `${home}/s-0000000000`);
  assert.equal(await session.create(`${home}/s-`, null, { flags: Flags.persistentSequential }), `${home}/s-0000000001`);
  await session.create(`${home}/e`, 'short', { flags: Flags.ephemeral });
  assert.equal((await session.setData(home, 'changed', 0)).version, 1);
  await session.delete(`${home}/s-0000000000`);
  for (const path of ['full', 'full/child', 'full/child/leaf']) await session.create(`${home}/${path}`);
  assert.equal((await session.setACL(home, nobodyDeletes, 0)).aversion, 1);
  const create2 = await session.request(Op.create2, bodies.create(`${home}/two`, Buffer.from('2'), openAcl, 0));
  assert.equal(create2.err, 0);
  const done = await session.multi([
    { type: Op.create, body: bodies.create(`${home}/m`, Buffer.from('m'), openAcl, 0) },
    { type: Op.create2, body: bodies.create(`${home}/m/two`, null, openAcl, 0) },
    { type: Op.check, body: bodies.pathVersion(home, 1) },
    { type: Op.setData, body: bodies.setData(`${home}/m`, Buffer.from('mm'), 0) },
    { type: Op.delete, body: bodies.pathVersion(`${home}/m/two`, 0) },
  ]);
  // Members before 3.8.2 answer a create2 in a multi as a create.
  const types = done.map(({ type }) => type);
  assert.ok(types[1] === Op.create2 || types[1] === Op.create, `a create2 in a multi is answered as ${types[1]}`);
  assert.deepEqual(types.toSpliced(1, 1), [Op.create, Op.check, Op.setData, Op.delete]);
  const undone = await session.multi([
    { type: Op.create, body: bodies.create(`${home}/never`, null, openAcl, 0) },
    { type: Op.check, body: bodies.pathVersion(home, 99) },
    { type: Op.delete, body: bodies.pathVersion(`${home}/m`, -1) },
  ]);
  assert.deepEqual(
    undone.map(({ err }) => err),
    [0, -103, -2],
  );
  await session.auth('digest', 'me:secret');
  await session.create(`${home}/private`, 'p', { acl: toCreator });
}

/** Refusals, each with its code. */
async function refusals(session: WireSession, home: string): Promise<void> {
  const open = (path: string, flags = 0): Buffer => bodies.create(path, null, openAcl, flags);
  const cases: readonly (readonly [number, Buffer, number])[] = [
    [Op.create, open(home), -110],
    [Op.create, open(`${home}/no/parent`), -101],
    [Op.create, open(`${home}/e/child`), -108],
    [Op.create, open('relative'), -8],
    [Op.create, bodies.create(`${home}/acl`, null, [], 0), -114],
    [Op.delete, bodies.pathVersion(`${home}/full/child/leaf`, 7), -103],
    [Op.delete, bodies.pathVersion(`${home}/full/child`, -1), -111],
    [Op.delete, bodies.pathVersion(`${home}/full/absent`, -1), -101],
    [Op.setData, bodies.setData(home, null, 9), -103],
    [Op.setData, bodies.setData(`${home}/private`, null, -1), -102],
    [Op.getData, bodies.pathWatch(`${home}/private`, false), -102],
    // Its parent gives nobody the right to delete.
    [Op.delete, bodies.pathVersion(`${home}/two`, -1), -102],
    [Op.setACL, bodies.setACL(home, openAcl, 9), -103],
  ];
  for (const [type, body, code] of cases) {
    const { err } = await session.request(type, body);
    assert.equal(err, code, `operation ${type} on ${body.toString('latin1')}`);
  }
}

async function operations(stage: Stage): Promise<void> {
  for (const member of stage.ensemble.members) {
    const home = `${stage.root}/at-${member.id}`;
    const owner = await stage.session(member);
    await writeAll(owner, home);
    for (const other of stage.ensemble.members) {
      const session = await stage.session(other);
      await stage.catchUp(session, other);
      await refusals(session, home);
      const names = ['e', 'full', 'm', 'private', 's-0000000001', 'two'];
      assert.deepEqual(await session.getChildren(home), names, `${home} at ${other}`);
      await session.close();
    }
    await owner.close();
    for (const other of stage.ensemble.members) {
      const session = await stage.session(other);
      await stage.catchUp(session, other);
      assert.equal(await session.exists(`${home}/e`), null, `${home}/e at ${other} after its session was closed`);
      await session.close();
    }
  }
}

/** Containers and znodes with a time to live are taken away by the leader, for all. */
async function timedNodes(stage: Stage): Promise<void> {
  const sessions = await Promise.all(stage.ensemble.members.map((member) => stage.session(member)));
  const paths: string[] = [];
  for (const [at, session] of sessions.entries()) {
    const { id } = stage.ensemble.members[at] as Member;
    const [ttl, container] = [`${stage.root}/ttl-${id}`, `${stage.root}/container-${id}`];
    await session.createTTL(ttl, 'short', 800n);
    await session.createContainer(container);
    await session.create(`${container}/child`);
    await session.delete(`${container}/child`);
    paths.push(ttl, container);
  }
  for (const session of sessions) {
    for (const path of paths) {
      await until(`${path} goes`, async () => {
        await session.sync('/');
        return (await session.exists(path)) === null;
      });
    }
  }
}

export const operationScenarios: readonly Scenario[] = [
  { name: 'every operation through every server', run: operations },
  { name: 'containers and times to live', run: timedNodes },
];
