import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { type ConfigSources, loadServerConfig, parsePropertyWord, propertyWordsOf } from './config-load.js';
import { ConfigError } from './config-settings.js';
import type { ServerConfig } from './server-config.js';

const directory = mkdtempSync(join(tmpdir(), 'zoots-config-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const dataDir = join(directory, 'data');

interface Given {
  readonly properties?: string[];
  readonly environment?: Record<string, string>;
}

function load(text: string, given: Given = {}): ReturnType<typeof loadServerConfig> {
  writeFileSync(join(directory, 'zoo.cfg'), text);
  return loadWords(['zoo.cfg'], given);
}

function loadWords(words: string[], given: Given = {}): ReturnType<typeof loadServerConfig> {
  const sources: ConfigSources = {
    words,
    properties: (given.properties ?? []).map((word) => parsePropertyWord(word) ?? assert.fail(word)),
    environment: given.environment ?? {},
    workingDirectory: directory,
    defaults: { configFile: join(directory, 'default.cfg'), dataDir: join(directory, 'built-in'), clientPort: 2181 },
  };
  return loadServerConfig(sources);
}

const base = `dataDir=${dataDir}\nclientPort=2181\n`;

function configOf(text: string, given: Given = {}): ServerConfig {
  return load(base + text, given).config;
}

/** Lines of the notices, as a person would read them. */
function noticesOf(text: string, given: Given = {}): string[] {
  return load(base + text, given).notices.map(
    ({ event, fields }) =>
      `${event}${Object.entries(fields)
        .map(([name, value]) => ` ${name}=${value}`)
        .join('')}`,
  );
}

function refusal(text: string, given: Given = {}): string {
  try {
    load(text, given);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.exitCode, 2);
    assert.ok(!error.message.includes('\n'), 'one line');
    return error.message;
  }
  return assert.fail('was accepted');
}

test('the defaults are those of Apache', () => {
  const config = configOf('');
  assert.equal(config.tickTimeMs, 3000);
  assert.equal(config.minSessionTimeoutMs, 6000);
  assert.equal(config.maxSessionTimeoutMs, 60_000);
  assert.equal(config.maxClientCnxns, 60);
  assert.equal(config.dataLogDir, dataDir);
  assert.equal(config.clientPortAddress, null);
  assert.equal(config.snapCount, 100_000);
  assert.equal(config.preAllocBytes, 64 * 1024 * 1024);
  assert.equal(config.snapSizeLimitBytes, 4 * 1024 ** 3);
  assert.equal(config.txnLogSizeLimitBytes, 0);
  assert.equal(config.juteMaxBytes, 0xfffff);
  assert.equal(config.juteExtraBytes, 0xfffff);
  assert.equal(config.forceSync, true);
  assert.equal(config.skipAcl, false);
  assert.deepEqual(config.fourLetterWhitelist, new Set(['srvr']));
  assert.deepEqual(config.autopurge, { snapRetainCount: 3, purgeIntervalMs: 0 });
  assert.deepEqual(config.container, { checkIntervalMs: 60_000, maxPerMinute: 10_000, maxNeverUsedIntervalMs: 0 });
  assert.equal(config.digestHash, 'sha1');
  assert.equal(config.serverId, 0);
  assert.equal(config.sessionServerId, 1);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.throttle));
});

test('keys of zoo.cfg take effect, the last one wins, blanks are trimmed', () => {
  const config = configOf(`
    tickTime = 2000
    tickTime : 500
    minSessionTimeout=-1
    maxSessionTimeout=9000
    clientPortAddress=127.0.0.1
    maxClientCnxns=0
    dataLogDir = logs
    snapCount=1
    preAllocSize=0
    txnLogSizeLimitInKb=10
    forceSync=no
    skipACL=yes
    4lw.commands.whitelist=stat , ruok
    digest.enabled=FALSE
    snapshot.compression.method=gz
    enforceQuota=true
    autopurge.purgeInterval=2
    DigestAuthenticationProvider.digestAlg=SHA-256
    connectionMaxTokens=7
    request_throttle_max_requests=8
    jute.maxbuffer=0x1000
    znode.container.checkIntervalMs=100`);
  assert.equal(config.tickTimeMs, 500);
  assert.equal(config.minSessionTimeoutMs, 1000);
  assert.equal(config.maxSessionTimeoutMs, 9000);
  assert.equal(config.clientPortAddress, '127.0.0.1');
  assert.equal(config.dataLogDir, join(directory, 'logs'));
  assert.equal(config.snapCount, 2);
  assert.equal(config.preAllocBytes, 0);
  assert.equal(config.txnLogSizeLimitBytes, 10_240);
  assert.equal(config.forceSync, false);
  assert.equal(config.skipAcl, true);
  assert.deepEqual(config.fourLetterWhitelist, new Set(['srvr', 'stat', 'ruok']));
  assert.equal(config.digestEnabled, false);
  assert.equal(config.snapshotCompression, 'gz');
  assert.equal(config.enforceQuota, true);
  assert.equal(config.autopurge.purgeIntervalMs, 7_200_000);
  assert.equal(config.digestHash, 'sha256');
  assert.equal(config.connectionThrottle.tokens, 7);
  assert.equal(config.throttle.requestsMax, 8);
  assert.equal(config.juteMaxBytes, 4096);
  assert.equal(config.container.checkIntervalMs, 100);
});

test('a property of the command line, of JVMFLAGS, of SERVER_JVMFLAGS: the first wins, and zoo.cfg over all', () => {
  const environment = {
    SERVER_JVMFLAGS: '-Xmx1000m -Dzookeeper.snapCount=11 -Dzookeeper.maxCnxns=11 -Dzookeeper.flushDelay=11',
    JVMFLAGS: "-Dzookeeper.snapCount=22 '-Dzookeeper.maxCnxns=22' -XX:+UseG1GC",
  };
  const config = configOf('', { environment, properties: ['-Dzookeeper.snapCount=33'] });
  assert.deepEqual([config.snapCount, config.maxCnxns, config.flushDelayMs], [33, 22, 11]);
  assert.equal(configOf('snapCount=44', { environment }).snapCount, 44);
});

test('properties without prefix, aliases, hexadecimal numbers', () => {
  const properties = [
    '-Djute.maxbuffer=0x9fffff',
    '-Dreadonlymode.enabled=true',
    '-Dznode.container.checkIntervalMs=100',
    '-Dfsync.warningthresholdms=5',
    '-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=',
    '-Dzookeeper.connectionMaxTokens=3',
    '-Djava.security.auth.login.config=/x/jaas.conf',
    '-Dlog4j.configuration=file:/x',
  ];
  const { config, notices } = load(base, { properties });
  assert.equal(config.juteMaxBytes, 0x9fffff);
  assert.equal(config.container.checkIntervalMs, 100);
  assert.equal(config.fsyncWarningThresholdMs, 5);
  assert.equal(config.superDigest, 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=');
  assert.equal(config.connectionThrottle.tokens, 3);
  assert.deepEqual(config.fourLetterWhitelist, new Set(['srvr', 'isro']));
  assert.deepEqual(
    notices.map((notice) => notice.fields.keys).filter((keys) => keys !== undefined),
    ['java.security.auth.login.config'],
  );
});

test('-D words in flags, with quotes, and nothing else', () => {
  assert.deepEqual(propertyWordsOf(`-Xmx1g "-Da=b c" -Dd='e f' -De -server x-Dy=z`), [
    { name: 'a', value: 'b c' },
    { name: 'd', value: 'e f' },
    { name: 'e', value: '' },
  ]);
});

test('the way out of a refused recovery is a property for one start', () => {
  assert.equal(configOf('').allowLogGaps, false);
  assert.equal(configOf('', { properties: ['-Dzoots.recovery.allowGaps=true'] }).allowLogGaps, true);
});

test('the whitelist * is everything', () => {
  assert.equal(configOf('4lw.commands.whitelist=*').fourLetterWhitelist, '*');
  assert.equal(configOf('4lw.commands.whitelist=stat, *').fourLetterWhitelist, '*');
});

test('keys of later pieces are named in one line; those of the virtual machine in none', () => {
  const lines = noticesOf(`
    admin.serverPort=8081
    ssl.keyStore.location=/x
    metricsProvider.httpPort=7000
    nio.numSelectorThreads=4
    serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
    jvm.pause.monitor=true`);
  assert.deepEqual(lines, [
    'these keys are for a later version and have no effect yet keys=admin.serverPort, metricsProvider.httpPort, ssl.keyStore.location',
    'Either no config or no quorum defined in config, running in standalone mode',
  ]);
});

test('a key that nobody knows is reported with the nearest name, and is no error', () => {
  const lines = noticesOf('datdir=/x\nwhatever.this.is=1', { properties: ['-Dzookeeper.snapcount=4', '-DdataDir=/y'] });
  assert.deepEqual(lines.slice(0, 4), [
    'unknown configuration key: ignored place=-Dzookeeper.snapcount meant=zookeeper.snapCount',
    'a key of zoo.cfg is not a property: ignored place=-DdataDir',
    'unknown configuration key: ignored place=zoo.cfg:3: datdir meant=dataDir',
    'unknown configuration key: ignored place=zoo.cfg:4: whatever.this.is',
  ]);
});

test('a wrong value of a property is reported and the default stands, as with Apache', () => {
  const lines = noticesOf('snapCount=many\nenforceQuota=1\nforceSync=false\nautopurge.snapRetainCount=1');
  assert.deepEqual(lines.slice(0, 4).sort(), [
    'configuration value place=zoo.cfg:3: snapCount problem="many" is not an integer in range: the default 100000 is used',
    'configuration value place=zoo.cfg:4: enforceQuota problem="1" is neither true nor false: false is used',
    'configuration value place=zoo.cfg:5: forceSync problem="false" is neither yes nor no: yes is used',
    'configuration value place=zoo.cfg:6: autopurge.snapRetainCount problem=1 is too low: 3 is used',
  ]);
  assert.equal(configOf('forceSync=false').forceSync, true);
});

const refusals: readonly (readonly [text: string, message: RegExp])[] = [
  ['clientPort=2181', /dataDir is not set$/],
  [`dataDir=\nclientPort=2181`, /^zoo\.cfg:1: dataDir: "" is not a path$/],
  [`dataDir=${dataDir}\nclientPort=21x`, /^zoo\.cfg:2: clientPort: "21x" is not a number from 0 to 65535$/],
  [`dataDir=${dataDir}\nclientPort=65536`, /^zoo\.cfg:2: clientPort: .* 65535$/],
  [`dataDir=${dataDir}\nclientPort=0x10`, /^zoo\.cfg:2: clientPort:/],
  [`dataDir=${dataDir}\n`, /clientPort is not set/],
  [`dataDir=${dataDir}\nsecureClientPort=2281`, /clientPort is not set \(secureClientPort needs TLS/],
  [`${base}tickTime=0`, /^zoo\.cfg:3: tickTime: "0" is not at least 1$/],
  [`${base}tickTime=99999999999`, /^zoo\.cfg:3: tickTime:/],
  [`${base}minSessionTimeout=9000\nmaxSessionTimeout=8000`, /^zoo\.cfg:3: .*must not be larger/],
  [`${base}maxSessionTimeout=100`, /^zoo\.cfg:3: .*minSessionTimeout \(6000 ms\)/],
  [`${base}standaloneEnabled=yes`, /^zoo\.cfg:3: standaloneEnabled: "yes" is not true or false$/],
  [`${base}localSessionsEnabled=1`, /^zoo\.cfg:3: localSessionsEnabled: "1" is not true or false$/],
  [`${base}electionAlg=2`, /^zoo\.cfg:3: electionAlg: "2" is not at least 3$/],
  [`${base}peerType=leader`, /^zoo\.cfg:3: peerType: "leader" is neither observer nor participant$/],
  [`dataDir=${dataDir}\nclientPortAddress=::1`, /clientPortAddress is set but clientPort is not set$/],
  [`${base}secureClientPortAddress=::1`, /secureClientPortAddress is set but secureClientPort is not set$/],
  [`${base}autopurge.purgeInterval=daily`, /^zoo\.cfg:3: .*"daily" is not a number of hours/],
  [`${base}jvm.pause.monitor=maybe`, /^zoo\.cfg:3: jvm\.pause\.monitor: "maybe" is not true or false$/],
  [`${base}DigestAuthenticationProvider.digestAlg=CRC32`, /^zoo\.cfg:3: .*no hash is named "CRC32"$/],
  [`${base}metricsProvider.className=x.Y`, /^zoo\.cfg:3: .*"x\.Y" is not one of/],
  [`${base}enforce.auth.enabled=true`, /^zoo\.cfg:3: .*enforce\.auth\.schemes must be set/],
  [`${base}enforce.auth.enabled=true\nenforce.auth.schemes=sasl`, /^zoo\.cfg:4: .*there is no scheme "sasl"$/],
  [`${base}quorum.auth.learnerRequireSasl=true`, /^zoo\.cfg:3: .*needs quorum\.auth\.enableSasl=true$/],
  [`${base}server.x=h:1:2`, /^zoo\.cfg:3: "server\.x" is not server\. and a number$/],
  [`${base}server.1=h:1`, /^zoo\.cfg:3: server\.1: "h:1" is not host:quorumPort:electionPort/],
  [`${base}server.1=h:1:2:observer`, /observers without an ensemble/],
  [`${base}standaloneEnabled=false`, /^zoo\.cfg:3: .*needs at least one participant/],
  [`${base}x=\\u00g0`, /^zoo\.cfg:3: \\u must be followed/],
];

for (const [text, message] of refusals) {
  test(`refused: ${JSON.stringify(text.replace(base, '…').replaceAll(directory, ''))}`, () => {
    assert.match(refusal(text), message);
  });
}

function writeMyid(text: string): void {
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(join(dataDir, 'myid'), text);
}

test('one server line is stand-alone, with its client port', () => {
  writeMyid('5\n');
  const { config, notices } = load(`dataDir=${dataDir}\nserver.5=h:2888:3888;127.0.0.1:2199`);
  assert.equal(config.myid, 5);
  assert.deepEqual([config.clientPort, config.clientPortAddress], [2199, '127.0.0.1']);
  assert.deepEqual(
    notices.map((notice) => notice.event),
    [
      'Invalid configuration, only one server specified (ignoring)',
      'Either no config or no quorum defined in config, running in standalone mode',
    ],
  );
  assert.match(refusal(`${base}server.5=h:2888:3888;2199`), /client port 2199 differs from clientPort=2181$/);
  writeMyid('five');
  assert.match(refusal(base), /myid: serverid five is not a number$/);
  rmSync(join(dataDir, 'myid'));
});

test('SASL can be required, and then nobody gets in without it', () => {
  assert.deepEqual(configOf('sessionRequireClientSASLAuth=true').enforceAuth, { enabled: true, schemes: ['sasl'] });
  const both = 'enforce.auth.enabled=true\nenforce.auth.schemes=digest, sasl\nauthProvider.1=';
  const config = configOf(`${both}org.apache.zookeeper.server.auth.SASLAuthenticationProvider`);
  assert.deepEqual(config.enforceAuth, { enabled: true, schemes: ['digest', 'sasl'] });
});

test('the form port dataDir [tickTime] [maxcnxns]', () => {
  const { config } = loadWords(['2182', 'here', '500', '7'], { properties: ['-Dzookeeper.snapCount=9'] });
  assert.deepEqual(
    [config.clientPort, config.dataDir, config.tickTimeMs, config.maxClientCnxns, config.snapCount],
    [2182, join(directory, 'here'), 500, 7, 9],
  );
  assert.equal(loadWords(['2182', 'here']).config.tickTimeMs, 3000);
  assert.throws(() => loadWords(['x', 'here']), /argument 1 \(clientPort\): "x" is not a number/);
  assert.throws(() => loadWords(['1', '2', '3', '4', '5']), /too many arguments/);
});

test('nothing: the default file if there is one, else built-in defaults', () => {
  const builtIn = loadWords([]);
  assert.ok(builtIn.isBuiltIn);
  assert.deepEqual([builtIn.config.clientPort, builtIn.config.dataDir], [2181, join(directory, 'built-in')]);
  writeFileSync(join(directory, 'default.cfg'), `dataDir=${dataDir}\nclientPort=2183`);
  const found = loadWords([]);
  assert.equal(found.config.clientPort, 2183);
  assert.equal(found.config.configFile, join(directory, 'default.cfg'));
  rmSync(join(directory, 'default.cfg'));
});

test('files that cannot be read', () => {
  assert.throws(() => loadWords(['missing.cfg']), /cannot read the configuration missing\.cfg: no such file/);
  assert.throws(() => loadWords(['.']), /cannot read the configuration \.: it is a directory/);
});

test('a directory name in UTF-8, and the garbled one in which a Java server keeps its data', () => {
  const named = join(directory, 'données');
  assert.equal(load(`dataDir=${named}\nclientPort=1`).config.dataDir, named);
  const garbled = Buffer.from(named, 'utf8').toString('latin1');
  mkdirSync(join(garbled, 'version-2'), { recursive: true });
  assert.match(refusal(`dataDir=${named}\nclientPort=1`), /rename that directory to .*données$/);
});

test('any file is a configuration or one clear line', () => {
  const piece = fc.constantFrom(
    'dataDir',
    'clientPort',
    'tickTime',
    'server.1',
    'server.',
    '=',
    ':',
    ' ',
    '\n',
    '\\',
    '#',
    '7',
    '-1',
    'x',
    'true',
    'é',
    '\0',
    '4lw.commands.whitelist',
    'group',
    'weight.1',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        load(base + pieces.join(''));
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
