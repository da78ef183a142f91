import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Prng, pairToHex } from '@zoots/base';
import { sessionPassword } from './password.js';
import { type Session, SessionTable } from './session-table.js';

test('passwords are those any Apache server computes', () => {
  const vectors: [bigint, string][] = [
    [0x1n, '054cc74a37327db215e702e20c73f005'],
    [0x0001000000000000n, 'f22acd4a97e69d6d20a49bb638eadb38'],
    [0x100012345678abcdn, '0ee78c40428d13b7b2939c34f5e56169'],
    [0x200123456789ab00n, '7f4fde82875251ec6844b1a15d2c9813'],
    [0xffffffffffffffffn, '20f62cb5648dc2d771471c8a2486a9ee'],
    [0x018bcfe568000000n, 'f2e26f4f973e3638201c89f83802c844'],
  ];
  for (const [id, expected] of vectors) {
    const password = sessionPassword(Number(BigInt.asIntN(32, id >> 32n)), Number(BigInt.asIntN(32, id)));
    assert.equal(Buffer.from(password).toString('hex'), expected);
  }
});

test('ids have the server in the top byte, then the time, then a counter', () => {
  const table = new SessionTable(1, 2000, 0x18bcfe56803);
  const first = table.create(4000, 0);
  // 0x18bcfe56803 has 41 bits; its low 40 stand in bits 16..55.
  assert.equal(pairToHex(first.high, first.low), '18bcfe568030001');
  const second = table.create(4000, 0);
  assert.equal(pairToHex(second.high, second.low), '18bcfe568030002');
});

test('an id that is taken is never given again', () => {
  const table = new SessionTable(1, 2000, 5);
  const other = new SessionTable(1, 2000, 5);
  const taken = table.create(4000, 0);
  other.add(taken.high, taken.low, 4000, 0);
  const fresh = other.create(4000, 0);
  assert.notDeepEqual([fresh.high, fresh.low], [taken.high, taken.low]);
});

test('a session lives from its timeout to a tick more after its last touch, whatever the history', () => {
  const prng = new Prng(8);
  const tickMs = 500;
  const table = new SessionTable(1, tickMs, 1);
  const touchedMs = new Map<Session, number>();
  let expired = 0;
  for (let nowMs = 0; nowMs < 200_000; nowMs += prng.below(700)) {
    for (const session of table.takeExpired(nowMs)) {
      const silentMs = nowMs - touchedMs.get(session)!;
      assert.ok(silentMs > session.timeoutMs, `expired after ${silentMs} of ${session.timeoutMs}`);
      assert.ok(session.isClosing);
      assert.ok(!table.touch(session, nowMs), 'a closing session is not touched');
      table.remove(session);
      touchedMs.delete(session);
      expired++;
    }
    for (const [session, atMs] of touchedMs) {
      assert.ok(nowMs <= atMs + session.timeoutMs + tickMs, 'overdue');
      if (prng.chance(0.2)) {
        assert.ok(table.touch(session, nowMs));
        touchedMs.set(session, nowMs);
      }
    }
    if (touchedMs.size < 30) touchedMs.set(table.create(1000 + prng.below(5000), nowMs), nowMs);
  }
  assert.ok(expired > 100);
  assert.equal(table.count, touchedMs.size);
});
