/** zoo.cfg of an ensemble: who is in it, who this server is, and what it is refused for. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { type ConfigSources, type LoadedConfig, loadServerConfig, parsePropertyWord } from './config-load.js';
import { ConfigError } from './config-settings.js';
import type { EnsembleConfig } from './server-config.js';

const dataDir = mkdtempSync(join(tmpdir(), 'zoots-ensemble-config-'));
after(() => rmSync(dataDir, { recursive: true, force: true }));
beforeEach(() => writeMyid('1'));

const base = `dataDir=${dataDir}\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n`;
const three = `${base}server.1=a:2888:3888\nserver.2=b:2889:3889\nserver.3=c:2890:3890\n`;

function writeMyid(text: string): void {
  writeFileSync(join(dataDir, 'myid'), text);
}

function load(text: string, properties: readonly string[] = []): LoadedConfig {
  writeFileSync(join(dataDir, 'zoo.cfg'), text);
  const sources: ConfigSources = {
    words: ['zoo.cfg'],
    properties: properties.map((word) => parsePropertyWord(word) ?? assert.fail(word)),
    environment: {},
    workingDirectory: dataDir,
    defaults: { configFile: '', dataDir: '', clientPort: 0 },
  };
  return loadServerConfig(sources);
}

function ensembleOf(text: string, properties: readonly string[] = []): EnsembleConfig {
  return load(text, properties).config.ensemble ?? assert.fail('stand-alone');
}

function eventsOf(text: string): string[] {
  return load(text).notices.map(({ event }) => event);
}

function refusal(text: string): string {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(!error.message.includes('\n'), 'one line');
    return error.message;
  }
  return assert.fail('it was accepted');
}

test('three servers, with the defaults of Apache', () => {
  const { config, notices } = load(three);
  assert.deepEqual(notices, []);
  assert.deepEqual([config.serverId, config.sessionServerId, config.myid], [1, 1, 1]);
  const { configuration, ...rules } = config.ensemble as EnsembleConfig;
  assert.deepEqual(
    configuration.members.map(({ id, role, client }) => [id, role, client]),
    [1, 2, 3].map((id) => [id, 'participant', null]),
  );
  assert.deepEqual(configuration.members[1]?.addresses, [{ host: 'b', quorumPort: 2889, electionPort: 3889 }]);
  assert.deepEqual([configuration.groups.size, configuration.weights.size, configuration.version], [0, 0, 0]);
  assert.deepEqual(rules, {
    serverId: 1,
    initLimit: 10,
    syncLimit: 5,
    connectToLearnerMasterLimit: 0,
    leaderConnectDelayMs: 100,
    leaderServes: true,
    readOnlyEnabled: false,
    localSessionsEnabled: false,
    localSessionsUpgradingEnabled: false,
    notifyMinMs: 200,
    notifyMaxMs: 60_000,
    committedLogCount: 500,
    snapshotSizeFactor: 0.33,
    forceSnapshotSync: false,
    snapSyncsMax: 10,
    diffSyncsMax: 100,
    electionConnectTimeoutMs: 5_000,
    electionReadTimeoutMs: 15_000,
    electionBindAttemptsMax: 3,
    listensOnAllAddresses: false,
    tcpKeepAlive: false,
    leaderNoDelay: true,
    followerNoDelay: true,
  });
});

test('every key of the table that an ensemble reads', () => {
  const keys = `tickTime=1000
    connectToLearnerMasterLimit=7\nleaderConnectDelayDuringRetryMs=20\nleaderServes=no\nreadonlymode.enabled=true
    localSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\nfastleader.minNotificationInterval=50
    fastleader.maxNotificationInterval=900\ncommitLogCount=800\nsnapshotSizeFactor=-1\nforceSnapshotSync=true
    maxConcurrentSnapSyncs=2\nleader.maxConcurrentDiffSyncs=3\ncnxTimeout=1500\nelectionPortBindRetry=0
    quorumListenOnAllIPs=true\ntcpKeepAlive=true\n`;
  const { configuration: _, ...rules } = ensembleOf(`${three}${keys}`, ['-Dfollower.nodelay=false']);
  assert.deepEqual(rules, {
    serverId: 1,
    initLimit: 10,
    syncLimit: 5,
    connectToLearnerMasterLimit: 7,
    leaderConnectDelayMs: 20,
    leaderServes: false,
    readOnlyEnabled: true,
    localSessionsEnabled: true,
    localSessionsUpgradingEnabled: true,
    notifyMinMs: 50,
    notifyMaxMs: 900,
    committedLogCount: 800,
    snapshotSizeFactor: -1,
    forceSnapshotSync: true,
    snapSyncsMax: 2,
    diffSyncsMax: 3,
    electionConnectTimeoutMs: 1_500,
    electionReadTimeoutMs: 5_000,
    electionBindAttemptsMax: 0,
    listensOnAllAddresses: true,
    tcpKeepAlive: true,
    leaderNoDelay: true,
    followerNoDelay: false,
  });
  assert.deepEqual(
    load(`${three}${keys}`).notices.map(({ fields }) => fields.keys),
    [],
  );
});

test('ids from 0 to 255, comments and blanks behind server lines', () => {
  for (const id of [0, 255]) {
    writeMyid(`${id}\n`);
    const lines = `server.0=node00:2888:3888   # the first\nserver.7=node07:2888:3888:observer \t\nserver.255 = node255:2888:3888\n`;
    const { config } = load(base + lines);
    assert.deepEqual([config.serverId, config.sessionServerId], [id, id]);
    assert.deepEqual(
      config.servers.map((member) => [member.id, member.role, member.addresses[0]?.host]),
      [
        [0, 'participant', 'node00'],
        [7, 'observer', 'node07'],
        [255, 'participant', 'node255'],
      ],
    );
  }
});

test("this server's client port may stand in its server line", () => {
  const lines = `dataDir=${dataDir}\ninitLimit=10\nsyncLimit=5\nserver.1=a:1:2;127.0.0.1:2199\nserver.2=[::1]:1:2:participant;2200\nserver.3=c:1:2`;
  const first = load(lines).config;
  assert.deepEqual([first.clientPort, first.clientPortAddress], [2199, '127.0.0.1']);
  writeMyid('2');
  const second = load(lines).config;
  assert.deepEqual([second.clientPort, second.clientPortAddress], [2200, null]);
  assert.equal(second.servers[1]?.addresses[0]?.host, '::1');
  writeMyid('3');
  assert.match(refusal(lines), /clientPort is not set/);
});

test('myid is missing, no number, or nobody', () => {
  rmSync(join(dataDir, 'myid'));
  assert.match(refusal(three), /\/myid: myid file is missing: write the number .* \(one of 1, 2, 3\)$/);
  writeMyid('first\n');
  assert.match(refusal(three), /\/myid: serverid first is not a number$/);
  writeMyid('4');
  assert.match(refusal(three), /\/myid: My id 4 not in the peer list \(1, 2, 3\)$/);
  writeMyid('256');
  assert.match(refusal(`${three}server.256=d:1:2`), /\/myid: 256 is not a number from 0 to 255$/);
  writeMyid('255');
  assert.match(refusal(`${three}server.255=d:1:2\nextendedTypesEnabled=true`), /from 0 to 254 \(with extendedTypes/);
});

test('limits must be set', () => {
  assert.match(refusal(three.replace('initLimit=10', '')), /initLimit is not set/);
  assert.match(refusal(three.replace('syncLimit=5', 'syncLimit=0')), /^zoo\.cfg:4: syncLimit is not set/);
});

test('one participant is an ensemble if stand-alone is ruled out', () => {
  const one = `${base}server.1=a:1:2\n`;
  assert.equal(load(one).config.ensemble, null);
  assert.equal(ensembleOf(`${one}standaloneEnabled=false`).serverId, 1);
  assert.deepEqual(eventsOf(`${one}standaloneEnabled=false`), [
    'No server failure will be tolerated. You need at least 3 servers.',
  ]);
  assert.match(refusal(`${one}server.2=b:1:2:observer`), /observers without an ensemble of participants$/);
});

test('numbers of servers that are worth a warning', () => {
  const two = `${base}server.1=a:1:2\nserver.2=b:1:2\n`;
  assert.deepEqual(eventsOf(two), ['No server failure will be tolerated. You need at least 3 servers.']);
  assert.deepEqual(eventsOf(`${three}server.4=d:1:2`), [
    'Non-optimal configuration, consider an odd number of servers.',
  ]);
  assert.deepEqual(eventsOf(`${three}server.4=d:1:2:observer`), []);
});

test('the role of the server line wins over peerType', () => {
  assert.deepEqual(eventsOf(`${three}peerType=observer`), [
    "Peer type from servers list (PARTICIPANT) doesn't match peerType (OBSERVER). Defaulting to servers list.",
  ]);
  writeMyid('4');
  const withObserver = `${three}server.4=d:1:2:observer\n`;
  assert.equal(eventsOf(withObserver).length, 1);
  assert.deepEqual(eventsOf(`${withObserver}peerType=observer`), []);
});

test('groups and weights', () => {
  const grouped = `${three}group.1=1:2\ngroup.2=3\nweight.2=0\n`;
  const { configuration } = ensembleOf(grouped);
  assert.deepEqual([...configuration.groups], [[1, [1, 2]], [2, [3]]]); // biome-ignore format: pairs
  assert.deepEqual([...configuration.weights].sort(), [[1, 1], [2, 0], [3, 1]]); // biome-ignore format: pairs
  assert.match(refusal(`${three}group.1=1:2\n`), /server\.3: server 3 is not in a group$/);
  assert.match(refusal(`${three}group.1=1:2\ngroup.2=2:3\n`), /group\.2: server 2 is in multiple groups$/);
  assert.match(refusal(`${three}group.1=1:2:3:9\n`), /group\.1: there is no server\.9 line/);
  assert.match(refusal(`${three}weight.1=2\n`), /server 1 is not in a group$/);
  assert.match(refusal(`${three}group.1=1:x\n`), /group\.1: "x" is not a number$/);
});

test('a dynamic configuration file holds the members, and its name their version', () => {
  const dynamic = join(dataDir, 'zoo.cfg.dynamic.10000000a');
  const members = 'server.1=a:1:2:participant;2181\nserver.2=b:1:2:participant;2181\nserver.3=c:1:2:observer;2181\n';
  writeFileSync(dynamic, members);
  const { configuration } = ensembleOf(`${base}dynamicConfigFile=${dynamic}`);
  assert.deepEqual([configuration.members.length, configuration.version], [3, 0x10000000a]);
  assert.match(refusal(`${three}dynamicConfigFile=${dynamic}`), /^zoo\.cfg:5: server\.1: must stand in/);
  writeFileSync(dynamic, 'version=1\n');
  assert.match(refusal(`${base}dynamicConfigFile=${dynamic}`), /10000000a:1: only server\./);
  assert.match(refusal(`${base}dynamicConfigFile=${dynamic}x`), /cannot read the configuration .*no such file$/);
  assert.equal(ensembleOf(`${three}version=1f`).configuration.version, 0x1f);
});

test('protection that was asked for and is not there', () => {
  assert.match(refusal(`${three}sslQuorum=true`), /^zoo\.cfg:8: sslQuorum: TLS between servers is not in this version/);
  const sasl = `${three}quorum.auth.enableSasl=true\n`;
  assert.match(refusal(`${sasl}quorum.auth.learnerRequireSasl=true`), /SASL between servers is not in this version/);
  assert.deepEqual(eventsOf(sasl), ['these keys are for a later version and have no effect yet']);
});

test('server lines that cannot be', () => {
  assert.match(refusal(`${three}server.-1=h:1:2`), /^zoo\.cfg:8: server\.-1: the number of a server is 0 or more$/);
  const wrong = ['', 'h', 'h:1', 'h:1:2:leader', 'h:1:2:observer:x', 'h:x:2', 'h:1:70000', 'h:1:1', '[::1:1:2'];
  for (const text of [...wrong, '[::1]1:2', 'h:1:2;x', 'h:1:2;a:b:3', 'h:1:2;1;2', ':1:2', 'h:1:2|i:3:4']) {
    assert.match(refusal(`${three}server.9=${text}`), /^zoo\.cfg:8: server\.9: /, text);
  }
  assert.equal(
    ensembleOf(`${three}server.9=h:1:2|[::1]:3:4\nmultiAddress.enabled=true`).configuration.members.length,
    4,
  );
});
