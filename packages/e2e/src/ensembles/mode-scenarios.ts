/** Servers that do not do everything: read-only without a majority, and sessions that only their own server knows. */
import { strict as assert } from 'node:assert';
import type { Member } from '../peers/ensemble.js';
import { bodies, Flags, Op } from '../wire/records.js';
import { WireSession } from '../wire/session.js';
import { type Scenario, type Stage, until } from './row.js';

/** One voter of each kind is left alone in turn. */
async function minorityReads(stage: Stage): Promise<void> {
  const { ensemble, root } = stage;
  await (await stage.session(stage.leader)).create(`${root}/read-me`, 'yes');
  const kinds = new Set(ensemble.participants.map(({ kind }) => kind));
  for (const kind of kinds) {
    const left = ensemble.participants.find((member) => member.kind === kind) as Member;
    const before = await stage.session(left);
    await before.sync('/');
    await Promise.all(ensemble.members.filter((member) => member !== left).map((member) => member.kill()));
    await until(`${left} is read-only`, async () => (await left.mode()) === 'read-only', 30_000);
    const reader = await WireSession.connect(left.port, { readOnly: true });
    assert.equal(reader.connected.readOnly, true);
    assert.equal(String((await reader.getData(`${root}/read-me`)).data), 'yes');
    const { err } = await reader.request(Op.setData, bodies.setData(`${root}/read-me`, Buffer.from('no'), -1));
    assert.equal(err, -119);
    await assert.rejects(WireSession.connect(left.port, { readOnly: false }), `${left}: a client that wants to write`);
    await ensemble.heal();
    await until('its read-only session is over', () => reader.connection.closed);
    const after = await stage.session(left);
    await after.setData(`${root}/read-me`, 'yes');
    stage.note(`${left}`);
  }
}

/** A local session reads and writes, but is known elsewhere only once it has an ephemeral. */
async function localSessions(stage: Stage): Promise<void> {
  const { ensemble, root } = stage;
  for (const home of ensemble.members) {
    const there = ensemble.participants.find((member) => member !== home) as Member;
    const local = await stage.session(home);
    await local.create(`${root}/local-${home.id}`, 'from a local session');
    const stranger = { sessionId: local.sessionId, password: local.password };
    await assert.rejects(
      WireSession.connect(there.port, stranger),
      `${there} does not know a local session of ${home}`,
    );
    const upgraded = await stage.session(home);
    const path = `${root}/upgraded-${home.id}`;
    await upgraded.create(path, '', { flags: Flags.ephemeral });
    assert.equal((await upgraded.exists(path))?.ephemeralOwner, upgraded.sessionId);
    const moved = await stage.move(upgraded, there);
    await moved.setData(path, 'moved');
    await moved.close();
    for (const member of ensemble.members) {
      const session = await stage.session(member);
      await stage.catchUp(session, member);
      assert.equal(await session.exists(path), null, `${path} at ${member} after its session was closed`);
    }
  }
}

const localSessionConfig = { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' };

export const modeScenarios: readonly Scenario[] = [
  {
    name: 'a minority reads',
    properties: { 'readonlymode.enabled': 'true' },
    // Without them Apache's read-only servers answer a new client with bytes that are no ConnectResponse.
    config: localSessionConfig,
    run: minorityReads,
  },
  { name: 'local sessions and their upgrade', config: localSessionConfig, run: localSessions },
];
