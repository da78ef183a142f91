import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEnsembleConfig } from './ensemble-config.js';
import { ProtocolError } from './errors.js';
import type { Stat } from './types.js';

const stat = {} as Stat;

test('servers, roles, client addresses and the version', () => {
  const text = [
    'server.1=zk1:2888:3888:participant;0.0.0.0:2181',
    'server.2=[::1]:2888:3888:observer;[::1]:2182',
    'server.3=zk3:2888:3888;2183',
    'server.4=zk4:1:2|zk4b:1:2:participant',
    'version=1a00000000',
  ].join('\n');
  const config = parseEnsembleConfig(Buffer.from(text), stat);
  assert.equal(config.version, 0x1a00000000n);
  assert.deepEqual(config.servers, [
    server(1, 'participant', 'zk1', 2888, 3888, { host: '0.0.0.0', port: 2181 }),
    server(2, 'observer', '::1', 2888, 3888, { host: '::1', port: 2182 }),
    server(3, 'participant', 'zk3', 2888, 3888, { host: '0.0.0.0', port: 2183 }),
    server(4, 'participant', 'zk4', 1, 2, null),
  ]);
});

function server(
  id: number,
  role: string,
  host: string,
  quorumPort: number,
  electionPort: number,
  clientAddress: object | null,
): object {
  return { id, role, host, quorumPort, electionPort, clientAddress };
}

test('a stand-alone server has an empty one', () => {
  assert.deepEqual(parseEnsembleConfig(null, stat), { text: '', version: 0n, servers: [], stat });
});

test('a line that is no server is told', () => {
  assert.throws(() => parseEnsembleConfig(Buffer.from('server.x=1'), stat), ProtocolError);
  assert.throws(() => parseEnsembleConfig(Buffer.from('version=zz'), stat), /zookeeper.config.*version=zz/);
});
