/** Replies that leave in parts: large child lists are lent to the connection, amid replies that are written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader } from '@zoots/base';
import { OP } from '@zoots/protocol';
import type { TestClient } from './stage-client.js';
import { TestEnsemble, type TestMember } from './stage-ensemble.js';

const COUNT = 3_000;
const STAT_BYTES = 68;
const NUM_CHILDREN_AT = 56;

const nameOf = (i: number): string => `service-${String(i).padStart(7, '0')}`;

function children(client: TestClient, op: number): number {
  return client.send(op, (out) => {
    out.string('/services');
    out.bool(false);
  });
}

function fill(client: TestClient, ensemble: TestEnsemble): void {
  client.create('/services');
  for (let i = 0; i < COUNT; i++) {
    client.create(`/services/${nameOf(i)}`);
    if (i % 500 === 0) ensemble.settle();
  }
  ensemble.settle();
}

function readNames(client: TestClient, xid: number, restBytes: number): { names: string[]; rest: Uint8Array } {
  const { body, code } = client.reply(xid) as NonNullable<ReturnType<TestClient['reply']>>;
  assert.equal(code, 0);
  const reader = new ByteReader(body);
  const names = Array.from({ length: reader.int32() }, () => reader.string() as string).sort();
  assert.deepEqual([reader.failed, reader.remaining], [false, restBytes]);
  return { names, rest: body.subarray(reader.offset) };
}

test('large child lists, pipelined among other requests and changes, are those of their moment, in order and complete', () => {
  const ensemble = new TestEnsemble({}).start();
  const member = ensemble.members.find(({ role }) => role === 'following') as TestMember;
  const client = ensemble.client(member, { timeoutMs: 9_000 });
  fill(client, ensemble);
  assert.ok(member.live.tree.childLists.count === 0);

  const data = client.getData('/services');
  const first = children(client, OP.getChildren);
  const second = children(client, OP.getChildren2);
  const between = client.getData(`/services/${nameOf(1)}`);
  const third = children(client, OP.getChildren2);
  const gone = client.delete(`/services/${nameOf(7)}`);
  const fourth = children(client, OP.getChildren2);
  const fifth = children(client, OP.getChildren);
  const more = client.create(`/services/${nameOf(COUNT)}`);
  const last = children(client, OP.getChildren);
  ensemble.settle();

  const xids = [data, first, second, between, third, gone, fourth, fifth, more, last];
  assert.deepEqual(
    client.replies.slice(-xids.length).map(({ xid, code }) => [xid, code]),
    xids.map((xid) => [xid, 0]),
  );
  const all = Array.from({ length: COUNT }, (_, i) => nameOf(i));
  const withoutSeven = all.filter((name) => name !== nameOf(7));
  const expected: [number, number, string[]][] = [
    [first, 0, all],
    [second, STAT_BYTES, all],
    [third, STAT_BYTES, all],
    [fourth, STAT_BYTES, withoutSeven],
    [fifth, 0, withoutSeven],
    [last, 0, [...withoutSeven, nameOf(COUNT)]],
  ];
  for (const [xid, restBytes, wanted] of expected) {
    const { names, rest } = readNames(client, xid, restBytes);
    assert.deepEqual(names, wanted);
    if (restBytes > 0) assert.equal(new ByteReader(rest, NUM_CHILDREN_AT).int32(), wanted.length);
  }
  assert.deepEqual([client.connection?.loans, client.connection?.loanBytes], [null, 0]);
  ensemble.check();
});
