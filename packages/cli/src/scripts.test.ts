/** The scripts of bin/, run as people and suites run them, against the real server. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { checkoutDirectory } from './checkout.js';

const root = mkdtempSync(join(tmpdir(), 'zoots-scripts-'));
const started = new Set<number>();
afterEach(() => {
  for (const pid of started) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  }
  started.clear();
});
after(() => rmSync(root, { recursive: true, force: true }));

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

class Place {
  readonly directory = mkdtempSync(join(root, 'place-'));
  readonly conf = join(this.directory, 'conf');
  readonly logs = join(this.directory, 'logs');
  readonly dataDir = join(this.directory, 'data');
  readonly port: number;
  #environment: Record<string, string> = {};

  constructor(port: number, cfg = '') {
    this.port = port;
    mkdirSync(this.conf);
    this.configure(cfg);
  }

  configure(cfg: string, name = 'zoo.cfg'): void {
    writeFileSync(
      join(this.conf, name),
      `tickTime=500\n dataDir = ${this.dataDir}  \nclientPort=${this.port}\npreAllocSize=64\n${cfg}`,
    );
  }

  set(environment: Record<string, string>): void {
    this.#environment = environment;
  }

  get environment(): Record<string, string> {
    const { PATH, HOME } = process.env;
    return { PATH: PATH ?? '', HOME: HOME ?? '', USER: 'tester', ZOO_LOG_DIR: this.logs, ...this.#environment };
  }

  run(script: string, ...words: string[]): Result {
    const path = join(checkoutDirectory, 'bin', script);
    const result = spawnSync('bash', [path, ...words], {
      env: this.environment,
      encoding: 'utf8',
      cwd: this.directory,
    });
    const pid = this.pid;
    if (pid !== null) started.add(pid);
    return { code: result.status, out: result.stdout, err: result.stderr };
  }

  /** zkServer.sh with this place's configuration directory. */
  server(...words: string[]): Result {
    return this.run('zkServer.sh', '--config', this.conf, ...words);
  }

  get pid(): number | null {
    const file = this.#environment.ZOOPIDFILE ?? join(this.dataDir, 'zookeeper_server.pid');
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
  }

  get console(): string {
    return readFileSync(join(this.logs, 'zookeeper.out'), 'utf8');
  }
}

async function listen(): Promise<Server> {
  const server = createServer();
  server.listen(0);
  await once(server, 'listening');
  return server;
}

async function freePort(): Promise<number> {
  const server = await listen();
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

async function ask(port: number, word: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  socket.end(word);
  await once(socket, 'close');
  return answer;
}

test('start, status, stop: the messages, exit codes and files of Apache', async () => {
  const place = new Place(await freePort());
  assert.deepEqual(place.server('status'), {
    code: 1,
    out: `Client port found: ${place.port}. Client address: localhost. Client SSL: false.\nError contacting service. It is probably not running.\n`,
    err: `Using config: ${place.conf}/zoo.cfg\n`,
  });
  assert.deepEqual(place.server('start'), {
    code: 0,
    out: 'Starting zookeeper ... STARTED\n',
    err: `Using config: ${place.conf}/zoo.cfg\n`,
  });
  const pid = place.pid as number;
  assert.equal(readFileSync(join(place.dataDir, 'zookeeper_server.pid'), 'utf8'), String(pid), 'no newline');
  assert.match(await ask(place.port, 'srvr'), /^Mode: standalone$/m, 'it answers when start returns');
  assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /QuorumPeerMain .*zoo\.cfg/);

  for (const verb of ['status', '-status']) {
    const status = place.server(verb);
    assert.equal(status.code, 0);
    assert.match(
      status.out,
      /^Client port found: \d+\. Client address: localhost\. Client SSL: false\.\nMode: standalone\n$/,
    );
  }
  const again = place.server('start');
  assert.deepEqual([again.code, again.out], [1, `Starting zookeeper ... already running as process ${pid}.\n`]);

  const stop = place.server('stop');
  assert.deepEqual([stop.code, stop.out], [0, 'Stopping zookeeper ... STOPPED\n']);
  assert.ok(!isRunning(pid), 'it has ended when stop returns');
  assert.match(place.console, / INFO: stopped\n$/);
  assert.equal(place.server('status').code, 1);
  const nothing = place.server('stop');
  const file = join(place.dataDir, 'zookeeper_server.pid');
  assert.deepEqual(
    [nothing.code, nothing.out],
    [0, `Stopping zookeeper ... no zookeeper to stop (could not find file ${file})\n`],
  );
});

test('restart gives a new process; kill -9 does not block a start', async () => {
  const place = new Place(await freePort());
  place.server('start');
  const first = place.pid as number;
  const restart = place.server('restart');
  assert.equal(restart.out, 'Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n');
  const second = place.pid as number;
  assert.notEqual(first, second);
  process.kill(second, 'SIGKILL');
  assert.equal(place.server('start').out, 'Starting zookeeper ... STARTED\n');
  assert.match(place.console, /removed the lock of a server that is gone/);
  assert.equal(place.server('stop').code, 0);
});

test('a daemon survives the end of its terminal', async () => {
  const place = new Place(await freePort());
  place.server('start');
  process.kill(place.pid as number, 'SIGHUP');
  assert.match(await ask(place.port, 'srvr'), /Mode/);
  assert.equal(place.server('stop').code, 0);
});

test('what keeps a server from starting is said in one line', async () => {
  const taken = await listen();
  const place = new Place((taken.address() as { port: number }).port);
  const failedToStart = (reason: RegExp): void => {
    const result = place.server('start');
    assert.deepEqual([result.code, result.out], [1, 'Starting zookeeper ... FAILED TO START\n']);
    const [config, line, ...rest] = result.err.trim().split('\n');
    assert.match(config as string, /^Using config: /);
    assert.match(line as string, reason);
    assert.deepEqual(rest, []);
    assert.equal(place.pid, null, 'no pid file stays');
  };
  failedToStart(/port .*:\d+ is in use/);
  taken.close();
  place.configure('syncLimit=many\n');
  failedToStart(/zoo\.cfg:5: syncLimit: "many" is not an integer/);
  place.configure('initLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\n');
  failedToStart(/myid file is missing/);
  place.configure(`dataDir=/proc/zoots\n`);
  failedToStart(/dataDir \/proc\/zoots cannot be created/);
  rmSync(join(place.conf, 'zoo.cfg'));
  failedToStart(/cannot read the configuration .*no such file/);

  place.configure('');
  place.server('start');
  const other = new Place(await freePort(), `dataDir=${place.dataDir}\n`);
  other.set({ ZOOPIDFILE: join(other.directory, 'pid') });
  const second = other.server('start');
  assert.equal(second.code, 1);
  assert.match(second.err, new RegExp(`data directory ${place.dataDir} is in use by .*process ${place.pid}`));
  assert.equal(place.server('stop').code, 0);
});

test('three members of an ensemble on one machine, started one by one', async () => {
  const distinct = new Set<number>();
  while (distinct.size < 9) distinct.add(await freePort());
  const ports = [...distinct];
  const members = [1, 2, 3].map((id) => ({ id, place: new Place(ports[id - 1] as number) }));
  const lines = members.map(({ id }) => `server.${id}=127.0.0.1:${ports[id + 2]}:${ports[id + 5]}   # member ${id}`);
  for (const { id, place } of members) {
    place.configure(`initLimit=10\nsyncLimit=5\n${lines.join('\n')}\n`, `zoo${id}.cfg`);
    mkdirSync(place.dataDir);
    writeFileSync(join(place.dataDir, 'myid'), `${id}\n`);
  }
  const statusOf = ({ id, place }: (typeof members)[number], verb = 'status'): Result =>
    place.server(verb, `zoo${id}.cfg`);
  const [first, second, third] = members as [(typeof members)[0], (typeof members)[0], (typeof members)[0]];
  const start = ({ id, place }: (typeof members)[0]): void => {
    const result = place.server('start', `zoo${id}.cfg`);
    const config = join(place.conf, `zoo${id}.cfg`);
    assert.deepEqual(
      [result.code, result.out, result.err],
      [0, 'Starting zookeeper ... STARTED\n', `Using config: ${config}\n`],
    );
  };
  start(first);
  const found = `Client port found: ${first.place.port}. Client address: localhost. Client SSL: false.\n`;
  const alone = statusOf(first);
  assert.deepEqual([alone.code, alone.out], [1, `${found}Error contacting service. It is probably not running.\n`]);
  assert.match(first.place.console, /WARN: Cannot open channel to 3 at election address 127\.0\.0\.1:\d+ /);
  start(second);
  start(third);
  const modes = async (): Promise<string[]> => {
    for (;;) {
      const results = members.map((member) => statusOf(member));
      if (results.every(({ code }) => code === 0))
        return results.map(({ out }) => /^Mode: (\w+)$/m.exec(out)?.[1] ?? '');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  assert.deepEqual((await modes()).toSorted(), ['follower', 'follower', 'leader']);
  assert.equal(statusOf(first, '-status').out, `${found}Mode: follower\n`);
  for (const { id, place } of members) {
    assert.equal(place.server('stop', `zoo${id}.cfg`).out, 'Stopping zookeeper ... STOPPED\n');
    assert.match(place.console, / INFO: stopped\n$/);
  }
});

test('names are looked up in the configuration directory, paths are taken as they are', async () => {
  const place = new Place(await freePort());
  place.configure('', 'zoo2.cfg');
  const path = join(place.conf, 'zoo2.cfg');
  assert.match(place.server('print-cmd', 'zoo2.cfg').err, new RegExp(`^Using config: ${path}\n$`));
  assert.match(place.run('zkServer.sh', 'print-cmd', './conf/zoo2.cfg').err, /^Using config: \.\/conf\/zoo2\.cfg\n$/);
  place.set({ ZOOCFGDIR: place.conf, ZOOCFG: 'zoo2.cfg' });
  assert.match(place.run('zkServer.sh', 'print-cmd').err, new RegExp(`^Using config: ${path}\n$`));
  place.set({ ZOOCFGDIR: place.conf, SERVER_JVMFLAGS: '-Dzookeeper.snapCount=5' });
  const command = place.run('zkServer.sh', 'print-cmd', 'zoo2.cfg').out;
  assert.match(
    command,
    /^SERVER_JVMFLAGS=-Dzookeeper\.snapCount=5 "node" ".*main\.js" "server" ".*zoo2\.cfg" > ".*\.out" 2>&1/,
  );
});

test('the environment: conf/zookeeper-env.sh, conf/java.env, ZOOPIDFILE, -D words of the flags', async () => {
  const place = new Place(await freePort());
  place.set({ ZOOPIDFILE: join(place.directory, 'run', 'pid') });
  writeFileSync(join(place.conf, 'zookeeper-env.sh'), `ZOO_LOG_DIR=${place.directory}/other-logs\n`);
  writeFileSync(join(place.conf, 'java.env'), 'SERVER_JVMFLAGS="-Xmx1g -Dzookeeper.4lw.commands.whitelist=ruok"\n');
  assert.equal(place.server('start').code, 0);
  assert.ok(existsSync(join(place.directory, 'run', 'pid')));
  assert.ok(existsSync(join(place.directory, 'other-logs', 'zookeeper.out')));
  assert.equal(await ask(place.port, 'ruok'), 'imok');
  assert.equal(place.server('stop').code, 0);
});

test('ZOO_DATADIR_AUTOCREATE_DISABLE refuses to make directories', async () => {
  const place = new Place(await freePort());
  place.set({ ZOO_DATADIR_AUTOCREATE_DISABLE: '1' });
  const result = place.server('start');
  assert.equal(result.code, 1);
  assert.match(result.out, /^ZooKeeper data directory is missing at .*data fix the path or run initialize\n$/);
  assert.ok(!existsSync(place.dataDir));
  mkdirSync(join(place.dataDir, 'version-2'), { recursive: true });
  assert.equal(place.server('start').code, 0);
  assert.equal(place.server('stop').code, 0);
});

test('a pid file whose pid went to another program neither blocks a start nor lets stop kill it', async () => {
  const place = new Place(await freePort());
  const bystander = spawn('sleep', ['60']);
  mkdirSync(place.dataDir);
  const file = join(place.dataDir, 'zookeeper_server.pid');
  writeFileSync(file, String(bystander.pid));
  assert.equal(place.server('stop').out, 'Stopping zookeeper ... STOPPED\n');
  assert.ok(isRunning(bystander.pid as number));
  writeFileSync(file, String(bystander.pid));
  assert.equal(place.server('start').out, 'Starting zookeeper ... STARTED\n');
  assert.equal(place.server('stop').code, 0);
  bystander.kill();
});

test('start-foreground is the server itself: SIGTERM ends it with exit code 0', async () => {
  const place = new Place(await freePort());
  const words = ['zkServer.sh', 'start-foreground', join(place.conf, 'zoo.cfg')];
  const child = spawn('bash', [join(checkoutDirectory, 'bin', words[0] as string), ...words.slice(1)], {
    env: place.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child.pid as number);
  let text = '';
  while (!text.includes('serving clients')) {
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    text += chunk.toString();
  }
  assert.match(readFileSync(`/proc/${child.pid}/cmdline`, 'latin1'), /QuorumPeerMain/, 'the pid is the server itself');
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('as guides have it: copy the sample, set dataDir, start from bin, several by name', async () => {
  const place = new Place(await freePort());
  const sample = readFileSync(join(checkoutDirectory, 'conf', 'zoo_sample.cfg'), 'utf8');
  const edited = sample.replace(/^dataDir=.*$/m, `dataDir=${place.dataDir}`);
  writeFileSync(join(place.conf, 'zoo1.cfg'), edited.replace(/^clientPort=2181$/m, `clientPort=${place.port}`));
  place.set({ ZOOCFGDIR: place.conf });
  const run = (command: string): Result => {
    const cwd = join(checkoutDirectory, 'bin');
    const result = spawnSync('bash', ['-c', command], { env: place.environment, encoding: 'utf8', cwd });
    if (place.pid !== null) started.add(place.pid);
    return { code: result.status, out: result.stdout, err: result.stderr };
  };
  assert.equal(run('./zkServer.sh start zoo1.cfg').out, 'Starting zookeeper ... STARTED\n');
  assert.match(run('./zkServer.sh status zoo1.cfg').out, /^Mode: standalone$/m);
  assert.match(
    run('more $ZOO_LOG_DIR/zookeeper.out').out,
    /Either no config or no quorum defined in config, running in/,
  );
  assert.doesNotMatch(place.console, /later version|unknown configuration/);
  assert.equal(run('./zkServer.sh stop zoo1.cfg').code, 0);
});

test('version and usage', async () => {
  const place = new Place(await freePort());
  assert.match(place.server('version').out, /^Apache ZooKeeper, version 3\.9\.5\S* \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$/);
  const usage = place.server('sturt');
  assert.match(usage.err, /Usage: .*\{start\|start-foreground\|stop\|version\|restart\|status\|print-cmd\}\n$/);
  assert.equal(usage.code, 0, "as Apache's");
});

test('a symbolic link to a script works; a checkout that is not built says what to run', async () => {
  const place = new Place(await freePort());
  const link = join(place.directory, 'zk');
  symlinkSync(join(checkoutDirectory, 'bin', 'zkServer.sh'), link);
  const version = spawnSync('bash', [link, 'version'], { env: place.environment, encoding: 'utf8' });
  assert.match(version.stdout, /^Apache ZooKeeper, version/);

  const fresh = join(place.directory, 'fresh clone');
  cpSync(join(checkoutDirectory, 'bin'), join(fresh, 'bin'), { recursive: true });
  for (const script of ['zkServer.sh', 'zkCli.sh', 'zkTxnLogToolkit.sh', 'zkCleanup.sh']) {
    const result = spawnSync('bash', [join(fresh, 'bin', script), 'start'], {
      env: place.environment,
      encoding: 'utf8',
    });
    assert.equal(result.status, 1);
    assert.equal(result.stderr, `Error: Zoots is not built yet: run 'npm ci' in ${fresh} first.\n`);
  }
});

test('the console client: exit codes, and what it prints without a server', async () => {
  const place = new Place(await freePort());
  const server = `localhost:${place.port}`;
  const refused = place.run('zkCli.sh', '-server', server, 'ls', '/');
  assert.equal(refused.code, 1);
  assert.equal(refused.out, `Connecting to ${server}\n`);
  assert.equal(refused.err, `Connection refused: ${server}\nKeeperErrorCode = ConnectionLoss for /\n`);
  const unknown = place.run('zkCli.sh', '-server', server, 'nonsense');
  assert.equal(unknown.code, 127);
  const unreadable = place.run('zkCli.sh', '-client-configuration', place.directory, '-server', server, 'ls', '/');
  assert.equal(unreadable.code, 2);
});
