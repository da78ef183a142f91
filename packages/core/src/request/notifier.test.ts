import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ByteWriter, encodeUtf8 } from '@zoots/base';
import { EVENT, OP } from '@zoots/protocol';
import { configOf, configurationOf } from '../ensemble/stage-config.js';
import { Connection, WriterPool } from '../session/connection.js';
import { Tree } from '../tree/tree.js';
import { F } from '../tree/znode-store.js';
import { AclChecker } from './acl-check.js';
import { Notifier } from './notifier.js';
import { writeNotification } from './reply.js';

const ZXID = 0x100000007;

class Stage {
  readonly tree = new Tree({
    hashSeed: 5,
    digestEnabled: false,
    extendedTypesEnabled: false,
    emulate353TtlNodes: false,
  });
  readonly aclChecker = new AclChecker(configOf(1, configurationOf({}), {}));
  readonly pool = new WriterPool();
  readonly notifier = new Notifier(this);

  constructor() {
    this.tree.addSystemNodes();
  }

  outOf(connection: Connection): ByteWriter {
    connection.out = this.pool.toAppendTo(connection.out);
    return connection.out;
  }

  share(connection: Connection, packet: ByteWriter): void {
    connection.out = packet;
  }

  connect(address: string): Connection {
    const connection = new Connection(1, address, 1, false, 0, 0);
    connection.state = 'open';
    return connection;
  }

  idOf(path: string): number {
    const bytes = encodeUtf8(path);
    return this.tree.find(bytes, 0, bytes.length);
  }

  tell(connections: readonly Connection[], path: string, acl = -1): void {
    let isFirst = true;
    for (const connection of connections) {
      this.notifier.notify(connection, EVENT.nodeDataChanged, this.idOf(path), acl, ZXID, isFirst);
      isFirst = false;
    }
  }

  packet(path: string): Uint8Array {
    const out = new ByteWriter();
    writeNotification(out, ZXID, EVENT.nodeDataChanged, this.tree.store, this.idOf(path));
    return out.toBytes();
  }
}

test('those who have nothing else to receive share one packet, and what follows goes to each alone', () => {
  const stage = new Stage();
  const [first, second, third, busy, gone] = ['1', '2', '3', '4', '5'].map((a) => stage.connect(a)) as [
    Connection,
    Connection,
    Connection,
    Connection,
    Connection,
  ];
  stage.outOf(busy).int32(OP.ping);
  gone.state = 'closed';
  stage.tell([first, gone, second, busy, third], '/zookeeper');
  const packet = stage.packet('/zookeeper');
  for (const one of [first, second, third]) assert.deepEqual(one.out?.toBytes(), packet);
  assert.deepEqual(busy.out?.toBytes().subarray(4), packet);
  assert.equal(gone.out, null);
  assert.equal(second.out, third.out);
  assert.notEqual(first.out, second.out);

  stage.tell([second, first], '/zookeeper/quota');
  const both = [...packet, ...stage.packet('/zookeeper/quota')];
  assert.deepEqual([...(second.out?.toBytes() ?? [])], both);
  assert.deepEqual([...(first.out?.toBytes() ?? [])], both);
  assert.deepEqual(third.out?.toBytes(), packet);
});

test('a packet that is shared is not taken back for other replies', () => {
  const stage = new Stage();
  const connections = ['1', '2', '3'].map((address) => stage.connect(address));
  stage.tell(connections, '/zookeeper');
  const shared = connections[2]?.out as ByteWriter;
  stage.pool.give(shared);
  assert.notEqual(stage.pool.take(), shared);
  assert.deepEqual(shared.toBytes(), stage.packet('/zookeeper'));
});

test('who may not read the znode hears nothing, whoever was first', () => {
  const stage = new Stage();
  const list = new ByteWriter();
  // [{ READ ip:10.0.0.2 }]
  list.int32(1);
  list.int32(1);
  list.string('ip');
  list.string('10.0.0.2');
  const acl = stage.tree.acls.intern(list.bytes, 0, list.length);
  stage.tree.store.set(stage.idOf('/zookeeper'), F.acl, acl);
  const [stranger, reader, other] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((a) => stage.connect(a)) as [
    Connection,
    Connection,
    Connection,
  ];
  stage.tell([stranger, reader, other], '/zookeeper', acl);
  assert.equal(stranger.out, null);
  assert.equal(other.out, null);
  assert.deepEqual(reader.out?.toBytes(), stage.packet('/zookeeper'));
});
