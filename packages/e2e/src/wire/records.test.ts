import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { WireFormatError, WireReader } from './bytes.js';
import { WireConnection } from './connection.js';
import {
  bodies,
  Op,
  openAcl,
  readConnectResponse,
  readMultiResults,
  sessionPassword,
  writeConnectRequest,
} from './records.js';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

test('session passwords are those that any Apache server computes', () => {
  const vectors: [bigint, string][] = [
    [0x1n, '054cc74a37327db215e702e20c73f005'],
    [0x0001000000000000n, 'f22acd4a97e69d6d20a49bb638eadb38'],
    [0x100012345678abcdn, '0ee78c40428d13b7b2939c34f5e56169'],
    [-1n, '20f62cb5648dc2d771471c8a2486a9ee'],
    [0x018bcfe568000000n, 'f2e26f4f973e3638201c89f83802c844'],
  ];
  for (const [id, password] of vectors) assert.equal(sessionPassword(id).toString('hex'), password);
});

test('a ConnectRequest with and without the readOnly byte', () => {
  const body = '00000000 0000000000000000 00007530 0000000000000000 00000010 00000000000000000000000000000000';
  assert.deepEqual(WireConnection.frame(writeConnectRequest({ readOnly: false })), hex(`0000002d ${body} 00`));
  assert.deepEqual(WireConnection.frame(writeConnectRequest({})), hex(`0000002c ${body}`));
});

test('a ConnectResponse', () => {
  const response = readConnectResponse(
    hex('00000000 00007530 018bcfe568000000 00000010 f2e26f4f973e3638201c89f83802c844 00'),
  );
  assert.equal(response.sessionId, 0x018bcfe568000000n);
  assert.deepEqual(response.password, sessionPassword(response.sessionId));
  assert.equal(response.readOnly, false);
});

test('a create request, byte by byte', () => {
  const frame = WireConnection.requestFrame(1, Op.create, bodies.create('/foo', Buffer.from('bar'), openAcl, 0));
  const expected = `00000036 00000001 00000001 00000004 2f666f6f 00000003 626172 00000001 0000001f 00000005
    776f726c64 00000006 616e796f6e65 00000000`;
  assert.deepEqual(frame, hex(expected));
});

test('a multi request and its two kinds of reply', () => {
  const body = bodies.multi([
    { type: Op.create, body: bodies.create('/m', Buffer.from('x'), openAcl, 0) },
    { type: Op.check, body: bodies.pathVersion('/foo', 0) },
    { type: Op.delete, body: bodies.pathVersion('/d', -1) },
  ]);
  assert.equal(WireConnection.requestFrame(4, Op.multi, body).readInt32BE(0), 0x6c);
  const done = hex('00000001 00 00000000 00000002 2f6d 0000000d 00 00000000 00000002 00 00000000 ffffffff 01 ffffffff');
  assert.deepEqual(
    readMultiResults(new WireReader(done)).map(({ type, path }) => [type, path]),
    [
      [1, '/m'],
      [13, undefined],
      [2, undefined],
    ],
  );
  const failed = hex(`ffffffff 00 00000000 00000000 ffffffff 00 ffffff99 ffffff99 ffffffff 00 fffffffe fffffffe
    ffffffff 01 ffffffff`);
  assert.deepEqual(
    readMultiResults(new WireReader(failed)).map(({ err }) => err),
    [0, -103, -2],
  );
});

test('a body that is cut short or lies about a length does not decode', () => {
  assert.throws(() => new WireReader(hex('00000005 2f61')).string(), WireFormatError);
  assert.throws(() => new WireReader(hex('7fffffff')).vector(() => 0), WireFormatError);
  assert.equal(new WireReader(hex('ffffffff')).string(), null);
});
