/** The model against the examples of the sheets: a model that is wrong in the server's way would check nothing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteWriter, toHex } from '@zoots/base';
import { ERROR, OP } from '@zoots/protocol';
import { passwordOf } from './checkers/sessions.js';
import { type Logged, Model, type ModelTxn } from './model.js';
import { expectedRead } from './model-reads.js';
import { makeRequest, type Request, writeRequest } from './request.js';

const RULES = { extendedTypesEnabled: false, enforceQuota: true };

class Session {
  readonly model = new Model(RULES);
  #zxid = 0;

  do(op: number, fields: Partial<Request>): ModelTxn {
    const zxid = ++this.#zxid;
    const logged: Logged = {
      zxid,
      timeMs: 1000 + zxid,
      sessionHigh: 1,
      sessionLow: 2,
      op,
      quotaStates: [zxid - 1],
      exceededPart: -1,
    };
    return this.model.execute(logged, makeRequest(op, { xid: zxid, ...fields }));
  }

  code(op: number, fields: Partial<Request>): number {
    return this.do(op, fields).code;
  }
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

test('requests have the bytes of the wire sheet', () => {
  const out = new ByteWriter();
  writeRequest(out, makeRequest(OP.create, { path: '/foo', data: 'bar', xid: 1 }));
  assert.equal(
    hexOf(out.toBytes()),
    '000000360000000100000001000000042f666f6f00000003626172000000010000001f00000005776f726c6400000006616e796f6e6500000000',
  );
  out.clear();
  const parts = [
    makeRequest(OP.create, { path: '/m', data: 'x' }),
    makeRequest(OP.check, { path: '/foo', version: 0 }),
    makeRequest(OP.delete, { path: '/d' }),
  ];
  writeRequest(out, makeRequest(OP.multi, { parts, xid: 4 }));
  assert.equal(
    hexOf(out.toBytes()),
    '0000006c000000040000000e0000000100ffffffff000000022f6d00000001780000' +
      '00010000001f00000005776f726c6400000006616e796f6e65000000000000000d00ffffffff000000042f666f6f00000000' +
      '0000000200ffffffff000000022f64ffffffffffffffff01ffffffff',
  );
});

test('passwords are those of the sheet', () => {
  assert.equal(hexOf(passwordOf(0, 1)), '054cc74a37327db215e702e20c73f005');
  assert.equal(hexOf(passwordOf(0x10000123, (0x45678abc + 0x11) | 0)).length, 32);
  assert.equal(hexOf(passwordOf(0x018bcfe5, 0x68000000)), 'f2e26f4f973e3638201c89f83802c844');
  assert.equal(hexOf(passwordOf(-1, -1)), '20f62cb5648dc2d771471c8a2486a9ee');
});

test('the checks of create, in their order', () => {
  const session = new Session();
  const create = (fields: Partial<Request>): number => session.code(OP.create, fields);
  assert.equal(create({ path: '/a//b' }), ERROR.noNode);
  assert.equal(create({ path: '/..' }), ERROR.badArguments);
  assert.equal(create({ path: 'a' }), ERROR.badArguments);
  assert.equal(create({ path: '/a', flags: 7 }), ERROR.badArguments);
  assert.equal(create({ path: '/a', flags: 5 }), ERROR.unimplemented);
  assert.equal(create({ path: '/a', acls: [] }), ERROR.invalidAcl);
  assert.equal(create({ path: '/a', flags: 1 }), ERROR.ok);
  assert.equal(create({ path: '/a' }), ERROR.nodeExists);
  assert.equal(create({ path: '/a/b' }), ERROR.noChildrenForEphemerals);
  assert.equal(session.code(OP.createTTL, { path: '/t', flags: 0 }), ERROR.badArguments);
});

test('a failed multi leaves nothing, and answers with a code for each part', () => {
  const session = new Session();
  assert.equal(session.code(OP.create, { path: '/foo', data: 'bar' }), 0);
  const parts = [
    makeRequest(OP.create, { path: '/m', data: 'x' }),
    makeRequest(OP.check, { path: '/foo', version: 7 }),
    makeRequest(OP.delete, { path: '/d' }),
  ];
  const txn = session.do(OP.multi, { parts });
  assert.equal(txn.code, 0);
  assert.deepEqual(txn.partCodes, [0, -103, -2]);
  assert.equal(
    hexOf((txn.reply as Uint8Array).subarray(20)),
    'ffffffff000000000000000000ffffffff00ffffff99ffffff99ffffffff00fffffffefffffffeffffffff01ffffffff',
  );
  assert.equal(session.model.now('/m'), undefined);
  assert.equal(session.model.now('/')?.cversion, 1);
  assert.deepEqual(txn.events, []);
});

test('versions of the past stay readable, and a rollback takes back what came later', () => {
  const session = new Session();
  session.do(OP.create, { path: '/a', data: 'one' });
  session.do(OP.setData, { path: '/a', data: 'two' });
  session.do(OP.delete, { path: '/a' });
  const { model } = session;
  assert.equal(model.at('/a', 1)?.data, 'one');
  assert.equal(model.at('/a', 2)?.data, 'two');
  assert.equal(model.at('/a', 3), undefined);
  model.rollBack(2);
  assert.equal(model.now('/a')?.data, 'two');
  assert.equal(model.now('/')?.childCount, 2);
  model.prune(2);
  assert.equal(model.now('/a')?.data, 'two');
});

test('cversion as clients see it counts creations and deletions', () => {
  const session = new Session();
  session.do(OP.create, { path: '/a' });
  session.do(OP.create, { path: '/b' });
  session.do(OP.delete, { path: '/b' });
  const reply = expectedRead(session.model, makeRequest(OP.exists, { path: '/', xid: 9 }), 3, 1, 2);
  const stat = new DataView(reply.buffer, reply.byteOffset + 20);
  // Two creations kept, /zookeeper and /a left: 2 * 2 - 2.
  assert.equal(stat.getInt32(36), 2);
  assert.equal(toHex(stat.getInt32(60 + 4)), '3');
});

test('a hard quota refuses what exceeds it', () => {
  const session = new Session();
  session.do(OP.create, { path: '/q', data: 'xxxx' });
  session.do(OP.create, { path: '/zookeeper/quota/q' });
  session.do(OP.create, {
    path: '/zookeeper/quota/q/zookeeper_limits',
    data: 'count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=2',
  });
  session.do(OP.create, { path: '/zookeeper/quota/q/zookeeper_stats', data: '' });
  assert.equal(session.model.now('/zookeeper/quota/q/zookeeper_stats')?.data, 'count=1,bytes=4');
  assert.equal(session.code(OP.create, { path: '/q/a', data: 'xxxxxxx' }), ERROR.quotaExceeded);
  assert.equal(session.code(OP.create, { path: '/q/a', data: 'x' }), 0);
  assert.equal(session.code(OP.create, { path: '/q/b' }), ERROR.quotaExceeded);
  assert.equal(session.code(OP.setData, { path: '/q', data: 'xxxxxxxxxx' }), ERROR.quotaExceeded);
});
