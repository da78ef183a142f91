/**
 * What people do with ZooKeeper after one of five tutorials, line by line, with our directory in place of the unpacked archive and
 * ports of this machine in place of hosts. What they are told to expect is what is checked.
 */
import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../peers/peer.js';
import { WireSession } from '../wire/session.js';
import type { SoloAct } from './plan.js';
import { until } from './row.js';
import { Unpacked } from './unpacked.js';

interface Place {
  readonly id: number;
  readonly client: number;
  readonly quorum: number;
  readonly election: number;
}

async function placesFor(ids: readonly number[]): Promise<Place[]> {
  const places: Place[] = [];
  for (const id of ids) {
    places.push({ id, client: await freePort(), quorum: await freePort(), election: await freePort() });
  }
  return places;
}

function serverLines(places: readonly Place[], host = '127.0.0.1'): string[] {
  return places.map(({ id, quorum, election }) => `server.${id}=${host}:${quorum}:${election}`);
}

/** One host per server, with conf/zoo.cfg and a dataDir with its id. */
function unpackHosts(
  workDir: string,
  places: readonly Place[],
  lines: (place: Place) => readonly string[],
): Unpacked[] {
  return places.map((place) => {
    const host = new Unpacked(join(workDir, `host-${place.id}`));
    const dataDir = host.path('zkdata');
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'myid'), `${place.id}\n`);
    host.configure('zoo.cfg', [`dataDir=${dataDir}`, `clientPort=${place.client}`, ...lines(place)]);
    return host;
  });
}

async function started(host: Unpacked, line = 'bin/zkServer.sh start'): Promise<void> {
  const { text, exitCode } = await host.run(line);
  assert.match(text, /^Using config: \S+\nStarting zookeeper \.\.\. STARTED\n$/);
  assert.equal(exitCode, 0);
}

/** The mode that `status` shows, or null. */
async function modeOf(host: Unpacked, line = 'bin/zkServer.sh status'): Promise<string | null> {
  return /^Mode: (\w+)$/m.exec((await host.run(line)).text)?.[1] ?? null;
}

async function untilMode(host: Unpacked, wanted: RegExp, line?: string): Promise<string> {
  let mode: string | null = null;
  await until(`${host.home} is ${wanted}`, async () => {
    mode = await modeOf(host, line);
    return wanted.test(mode ?? '');
  });
  return mode as unknown as string;
}

async function stopAll(hosts: readonly Unpacked[], line = 'bin/zkServer.sh stop'): Promise<void> {
  await Promise.all(hosts.map((host) => host.run(line)));
}

/** Stand-alone, then three servers on one machine from three files in conf. */
async function pseudoEnsemble(workDir: string): Promise<string[]> {
  const here = new Unpacked(join(workDir, 'zookeeper'));
  const [alone, ...places] = (await placesFor([0, 1, 2, 3])) as [Place, ...Place[]];
  mkdirSync(here.path('data0'));
  await here.run('cp zoo_sample.cfg zoo.cfg', { at: 'conf' });
  here.configure('zoo.cfg', ['tickTime=2000', `dataDir=${here.path('data0')}`, `clientPort=${alone.client}`]);
  try {
    await started(here, 'cd bin; ./zkServer.sh start');
    assert.match(
      (await here.run('./zkServer.sh status', { at: 'bin' })).text,
      /^Using config: \S+zoo\.cfg\n[\s\S]*^Mode: standalone$/m,
    );
    const log = readFileSync(here.path('logs/zookeeper.out'), 'utf8');
    assert.match(log, /Either no config or no quorum defined in config, running in standalone mode/);
    assert.match((await here.run('zkServer.sh stop')).text, /Stopping zookeeper \.\.\. STOPPED\n$/);
    for (const place of places) {
      const dataDir = here.path(`data${place.id}`);
      mkdirSync(dataDir);
      writeFileSync(join(dataDir, 'myid'), `${place.id}\n`);
      const own = [`dataDir=${dataDir}`, `clientPort=${place.client}`];
      here.configure(`zoo${place.id}.cfg`, [...own, ...serverLines(places)]);
    }
    // Each with its own log, to look into; without it all three would share one file.
    for (const { id } of places)
      await started(here, `cd bin; ZOO_LOG_DIR=../log${id} ./zkServer.sh start zoo${id}.cfg`);
    const modes = await Promise.all(
      places.map(({ id }) => untilMode(here, /leader|follower/, `bin/zkServer.sh status zoo${id}.cfg`)),
    );
    assert.deepEqual(modes.sort(), ['follower', 'follower', 'leader']);
    const firstLog = readFileSync(here.path('log1/zookeeper.out'), 'utf8');
    assert.match(firstLog, new RegExp(`Cannot open channel to 3 at election address \\S+:${places[2]?.election}`));
    // A majority is up as long as one is gone.
    await here.run('bin/zkServer.sh stop zoo1.cfg');
    await untilMode(here, /leader|follower/, 'bin/zkServer.sh status zoo2.cfg');
    const session = await WireSession.connect(places[1]?.client as number);
    await session.create('/still-there');
    await session.close();
    // Of three, one alone is none.
    await here.run('bin/zkServer.sh stop zoo2.cfg');
    await until(
      'one of three does not serve',
      async () => (await modeOf(here, 'bin/zkServer.sh status zoo3.cfg')) === null,
    );
    return modes;
  } finally {
    for (const { id } of places) await here.run(`bin/zkServer.sh stop zoo${id}.cfg`);
    await here.run('bin/zkServer.sh stop');
  }
}

/** Five hosts with the ids 255, 1, 2, 3, 4; the shell; a client that waits for its server; and the cure-all. */
async function fiveHosts(workDir: string): Promise<string[]> {
  const places = await placesFor([255, 1, 2, 3, 4]);
  const hosts = unpackHosts(workDir, places, () => serverLines(places));
  try {
    await Promise.all(hosts.map((host) => started(host)));
    const modes = await Promise.all(hosts.map((host) => untilMode(host, /leader|follower/)));
    assert.equal(modes.filter((mode) => mode === 'leader').length, 1, modes.join());
    const [first, port] = [hosts[0] as Unpacked, places[0]?.client];
    const status = await first.run('bin/zkServer.sh status');
    assert.match(
      status.text,
      new RegExp(`^Client port found: ${port}\\. Client address: localhost\\. Client SSL: false\\.$`, 'm'),
    );
    const processes = await first.run('ps -eo args');
    assert.match(processes.text, /^zoots/m, 'a telling name in the list of processes');
    const commands = [
      'create /walk hello',
      "set /walk 'two words'",
      'get /walk',
      'set /walk stale 0',
      'create -s /walk/n- x',
    ];
    const more = [`connect 127.0.0.1:${places[2]?.client}`, 'ls /walk', 'delete /walk', 'rmr /walk', 'ls /', 'quit'];
    const input = `${[...commands, ...more].join('\n')}\n`;
    const shell = await first.run(`bin/zkCli.sh -server 127.0.0.1:${port}`, { input });
    assert.match(shell.text, /Created \/walk$/m);
    assert.match(shell.text, /two words/);
    assert.match(shell.text, /version No is not valid : \/walk/);
    assert.match(shell.text, /^.*\[n-0000000000\]$/m);
    assert.match(shell.text, /Node not empty: \/walk/);
    assert.match(shell.text, /^.*\[zookeeper\]$/m);
    await first.run('bin/zkServer.sh stop');
    rmSync(join(first.path('zkdata'), 'version-2'), { recursive: true });
    await started(first);
    await untilMode(first, /leader|follower/);
    return modes;
  } finally {
    await stopAll(hosts);
  }
}

/** Five servers started in order on empty disks: the third makes a majority, and leads. */
async function electionByExample(workDir: string): Promise<string[]> {
  const places = await placesFor([1, 2, 3, 4, 5]);
  const comments = ['   # the first', '', '\t# the third', '', ''];
  const lines = serverLines(places).map((line, at) => `${line}${comments[at]}`);
  const hosts = unpackHosts(workDir, places, ({ id }) => [
    `dataLogDir=${join(workDir, `host-${id}`, 'zklogs')}`,
    ...lines,
  ]);
  const start = 'bash bin/zkServer.sh start';
  try {
    const [one, two, three, four, five] = hosts as [Unpacked, Unpacked, Unpacked, Unpacked, Unpacked];
    await started(one, start);
    const alone = await one.run('bin/zkServer.sh status');
    assert.match(alone.text, /^Error contacting service\. It is probably not running\.$/m);
    assert.notEqual(alone.exitCode, 0);
    await started(two, start);
    // They look, and go on looking: two of five are no majority.
    for (let times = 0; times < 3; times++) {
      assert.deepEqual([await modeOf(one), await modeOf(two)], [null, null]);
    }
    await started(three, start);
    await untilMode(three, /leader/);
    for (const host of [one, two]) await untilMode(host, /follower/);
    for (const host of [four, five]) {
      await started(host, start);
      await untilMode(host, /follower/);
    }
    assert.equal(await modeOf(three), 'leader');
    assert.match(
      (await three.run('ls zkdata zklogs')).text,
      /zkdata:\n[\s\S]*version-2[\s\S]*zklogs:\n[\s\S]*version-2/,
    );
    return [];
  } finally {
    await stopAll(hosts);
  }
}

/** Ids from 0 on, and an observer: whoever is written to, the leader orders it, and all show it. */
async function fromZero(workDir: string): Promise<string[]> {
  const places = await placesFor([0, 1, 2, 3]);
  const lines = serverLines(places);
  lines[3] += ':observer';
  const hosts = unpackHosts(workDir, places, ({ id }) => (id === 3 ? ['peerType=observer', ...lines] : lines));
  try {
    await Promise.all(hosts.map((host) => started(host)));
    const modes = await Promise.all(hosts.map((host) => untilMode(host, /leader|follower|observer/)));
    assert.deepEqual([...modes.slice(0, 3).sort(), modes[3]], ['follower', 'follower', 'leader', 'observer']);
    const sessions = await Promise.all(places.map(({ client }) => WireSession.connect(client)));
    for (const [at, session] of sessions.entries()) await session.create(`/from-${at}`, `by ${modes[at]}`);
    for (const session of sessions) {
      await session.sync('/');
      const names = (await session.getChildren('/')).filter((name) => name !== 'zookeeper');
      assert.deepEqual(names, ['from-0', 'from-1', 'from-2', 'from-3']);
      await session.close();
    }
    return modes;
  } finally {
    await stopAll(hosts);
  }
}

/** Three hosts by name, started one after the other; the leader fails. */
async function byName(workDir: string): Promise<string[]> {
  const places = await placesFor([1, 2, 3]);
  const lines = serverLines(places, 'localhost');
  lines[1] += '   ';
  const hosts = unpackHosts(workDir, places, () => lines);
  try {
    for (const host of hosts) await started(host);
    const modes = await Promise.all(hosts.map((host) => untilMode(host, /leader|follower/, 'bin/zkServer.sh -status')));
    const log = await hosts[0]?.run('more zookeeper.out', { at: 'logs' });
    assert.match(log?.text ?? '', /Cannot open channel to [23] at election address localhost\S*/);
    const leader = modes.indexOf('leader');
    const others = places.filter((_, at) => at !== leader);
    const session = await WireSession.connect(others[0]?.client as number);
    await session.create('/before');
    const leaderHost = hosts[leader] as Unpacked;
    const pid = readFileSync(leaderHost.path('zkdata/zookeeper_server.pid'), 'utf8').trim();
    process.kill(Number(pid), 'SIGKILL');
    const rest = hosts.filter((_, at) => at !== leader);
    await until('another one leads', async () =>
      (await Promise.all(rest.map((host) => modeOf(host)))).includes('leader'),
    );
    const again = await WireSession.connect(others[1]?.client as number);
    await again.sync('/');
    assert.notEqual(await again.exists('/before'), null);
    await again.create('/after');
    await again.close();
    session.abandon();
    await started(leaderHost);
    await untilMode(leaderHost, /follower/);
    return modes;
  } finally {
    await stopAll(hosts);
  }
}

export const walkThroughs: readonly SoloAct[] = [
  { name: 'walk-through 1: stand-alone, and three servers on one machine', run: pseudoEnsemble },
  { name: 'walk-through 2: five hosts, the shell, the cure-all', run: fiveHosts },
  { name: 'walk-through 3: election by example', run: electionByExample },
  { name: 'walk-through 4: ids from 0 on, an observer', run: fromZero },
  { name: 'walk-through 5: three hosts by name, the leader fails', run: byName },
];
