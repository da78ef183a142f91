/** The sample configurations of conf: they are accepted as they stand, and those of the ensemble agree with each other. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type LoadedConfig, loadServerConfig } from '@zoots/server';
import { checkoutDirectory } from './checkout.js';

const place = mkdtempSync(join(tmpdir(), 'zoots-samples-'));
after(() => rmSync(place, { recursive: true, force: true }));

function load(name: string): LoadedConfig {
  return loadServerConfig({
    words: [join(checkoutDirectory, 'conf', name)],
    properties: [],
    environment: {},
    workingDirectory: place,
    defaults: { configFile: '', dataDir: '', clientPort: 0 },
  });
}

test('three members of one ensemble, on ports of their own', () => {
  const clientPorts = new Set<number | null>();
  const membersOf = [1, 2, 3].map((id) => {
    const dataDir = join(place, 'data', `zoo${id}`);
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, 'myid'), String(id));
    const { config, notices } = load(`pseudo-ensemble/zoo${id}.cfg`);
    assert.deepEqual(notices, []);
    assert.deepEqual([config.ensemble?.serverId, config.dataDir], [id, dataDir]);
    clientPorts.add(config.clientPort);
    return config.servers;
  });
  assert.equal(clientPorts.size, 3);
  const [members] = membersOf;
  for (const others of membersOf) assert.deepEqual(others, members);
  const ports = members?.flatMap(({ addresses }) =>
    addresses.flatMap(({ quorumPort, electionPort }) => [quorumPort, electionPort]),
  );
  assert.equal(new Set([...(ports ?? []), ...clientPorts]).size, 9);
});

test('the sample to start from is a stand-alone server, and has no key that nobody knows', () => {
  const { config, notices } = load('zoo_sample.cfg');
  assert.equal(config.ensemble, null);
  assert.deepEqual(
    notices.map(({ event }) => event),
    ['Either no config or no quorum defined in config, running in standalone mode'],
  );
  assert.match(readFileSync(join(checkoutDirectory, 'conf', 'zoo_sample.cfg'), 'utf8'), /^clientPort=2181$/m);
});
