import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { WireWriter } from '../wire/bytes.js';
import { Op, sessionPassword } from '../wire/records.js';
import { canonicalConnect, canonicalEvent, canonicalReply, type SideNames } from './canonical.js';

function side(sessions: bigint[], extra: Partial<SideNames> = {}): SideNames {
  return {
    sessionNumber: (id) => sessions.indexOf(id),
    canonicalZxid: (zxid) => zxid,
    timeMinMs: Date.now(),
    sortAcls: false,
    maskEventZxid: false,
    ...extra,
  };
}

function statReply({ zxid = 7n, mzxid = 5n, timeMs = Date.now(), owner = 0n, version = 1 }): Buffer {
  const writer = new WireWriter().int32(3).int64(zxid).int32(0).int64(1n).int64(mzxid);
  writer.int64(BigInt(timeMs)).int64(BigInt(timeMs)).int32(version).int32(0).int32(0).int64(owner);
  return writer.int32(0).int32(0).int64(1n).finish();
}

const left = side([0x100n]);
const right = side([0x200n]);
const agree = (a: Buffer, b: Buffer, type: number = Op.exists): boolean =>
  canonicalReply(a, type, left).bytes.equals(canonicalReply(b, type, right).bytes);

test('times and session ids are masked, and nothing else', () => {
  assert.ok(agree(statReply({ owner: 0x100n }), statReply({ owner: 0x200n, timeMs: Date.now() + 50 })));
  assert.ok(!agree(statReply({}), statReply({ zxid: 8n })));
  assert.ok(!agree(statReply({}), statReply({ mzxid: 6n })));
  assert.ok(!agree(statReply({}), statReply({ version: 2 })));
});

test('a time outside the run, and the owner of another session, show', () => {
  assert.ok(!agree(statReply({}), statReply({ timeMs: 0 })));
  assert.ok(!agree(statReply({}), statReply({ timeMs: Date.now() - 3_600_000 })));
  assert.ok(!agree(statReply({ owner: 0x100n }), statReply({ owner: 0x100n })));
  assert.ok(!agree(statReply({ owner: 0x100n }), statReply({ owner: 0n })));
});

test('bytes behind the record, or missing from it, show', () => {
  assert.ok(!agree(statReply({}), Buffer.concat([statReply({}), Buffer.alloc(1)])));
  assert.ok(!agree(statReply({}), statReply({}).subarray(0, 40)));
});

test('children are compared without order, with their number', () => {
  const children = (...names: string[]): Buffer => {
    const writer = new WireWriter().int32(3).int64(7n).int32(0);
    return writer.vector(names, (name) => writer.string(name)).finish();
  };
  assert.ok(agree(children('a', 'b'), children('b', 'a'), Op.getChildren));
  assert.ok(!agree(children('a', 'b'), children('a', 'a'), Op.getChildren));
  assert.ok(!agree(children('a'), children('a', 'a'), Op.getChildren));
});

test('an event keeps its zxid unless that is masked', () => {
  const event = (zxid: bigint): Buffer =>
    new WireWriter().int32(-1).int64(zxid).int32(0).int32(3).int32(3).string('/a').finish();
  const differ = !canonicalEvent(event(5n), left).bytes.equals(canonicalEvent(event(-1n), right).bytes);
  assert.ok(differ);
  const masked = side([], { maskEventZxid: true });
  assert.ok(canonicalEvent(event(5n), masked).bytes.equals(canonicalEvent(event(-1n), masked).bytes));
});

test('a password that is not the computed one shows', () => {
  const frame = (password: Buffer): Buffer => {
    const writer = new WireWriter().int32(0).int32(30_000).int64(0x100n);
    return writer.buffer(password).bool(false).finish();
  };
  const good = canonicalConnect(frame(sessionPassword(0x100n)), left);
  assert.match(good.text, /as computed/);
  assert.ok(!good.bytes.equals(canonicalConnect(frame(Buffer.alloc(16)), left).bytes));
});
