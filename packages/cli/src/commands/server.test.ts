/** `zoots server` as a process: its words, its output, its exit codes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'zoots-server-'));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

class Zoots {
  readonly child: ChildProcess;
  out = '';
  err = '';

  constructor(words: readonly string[], environment: Record<string, string> = {}) {
    const env = { PATH: process.env.PATH ?? '', ZOOCFGDIR: root, ...environment };
    this.child = spawn(process.execPath, [main, ...words], { env, cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(this.child);
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.out += chunk.toString();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
    });
  }

  async said(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.out);
      if (match !== null) return match;
      assert.equal(this.child.exitCode, null, `it ended:\n${this.out}${this.err}`);
      await Promise.race([once(this.child.stdout as NodeJS.EventEmitter, 'data'), once(this.child, 'exit')]);
    }
  }

  async end(): Promise<number | null> {
    const [code] = (await once(this.child, 'close')) as [number | null];
    children.delete(this.child);
    return code;
  }
}

test('port and directory, -D words, Java words; SIGTERM is a clean end', async () => {
  const zoots = new Zoots(['server', '-Xmx100m', '-Dzookeeper.preAllocSize=64', '-server', '0', 'data', '500', '7']);
  await zoots.said(/INFO: serving clients {2}port=\d+ {2}dataDir=\S*\/data /);
  zoots.child.kill('SIGTERM');
  assert.equal(await zoots.end(), 0);
  assert.match(zoots.out, /INFO: stopped\n$/);
  assert.equal(zoots.err, '');
});

test('JSON lines on request are nothing but JSON', async () => {
  const zoots = new Zoots(['server', '--log-format=json', '--log-level', 'info', '0', 'json']);
  await zoots.said(/serving clients.*\n/);
  const records = zoots.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number });
  assert.ok(records.every((record) => record.level >= 30));
  zoots.child.kill('SIGTERM');
  assert.equal(await zoots.end(), 0);
});

test('refusals: one line and the exit code', async () => {
  const taken = createServer().listen(0);
  await once(taken, 'listening');
  const port = String((taken.address() as { port: number }).port);
  writeFileSync(join(root, 'bad.cfg'), 'dataDir=x\nclientPort=1\ntickTime=0\n');
  const cases: readonly (readonly [words: string[], code: number, message: RegExp])[] = [
    [['server', '--bogus'], 2, /^zoots server: unknown option --bogus\n$/],
    [['server', '--log-level', 'loud'], 2, /^zoots server: log level "loud" is not one of /],
    [['server', 'bad.cfg'], 2, /^zoots: bad\.cfg:3: tickTime: "0" is not at least 1\n$/],
    [['server', 'missing.cfg'], 2, /^zoots: cannot read the configuration missing\.cfg: no such file\n$/],
    [['server', '1', '2', '3', '4', '5'], 2, /^zoots: too many arguments/],
    [['serve'], 2, /^zoots: there is no command "serve"\n/],
    [['server', port, 'taken'], 1, /FATAL: server did not start {2}reason=port .* is in use.*\n$/],
    [
      ['server', '0', '/proc/zoots'],
      3,
      /FATAL: server did not start {2}reason=dataDir \/proc\/zoots cannot be created/,
    ],
  ];
  for (const [words, code, message] of cases) {
    const zoots = new Zoots(words);
    assert.equal(await zoots.end(), code, words.join(' '));
    assert.match(zoots.err || zoots.out, message);
  }
  taken.close();
});

test('help, version', async () => {
  const help = new Zoots(['--help']);
  assert.equal(await help.end(), 0);
  assert.match(help.out, /^Usage: zoots COMMAND/);
  for (const [words, text] of [
    [['version', '--short'], '3.9.5\n'],
    [['--version'], 'Apache ZooKeeper, version 3.9.5'],
    [['version', '--full'], '3.9.5-zoots'],
  ] as const) {
    const version = new Zoots(words);
    assert.equal(await version.end(), 0);
    assert.ok(version.out.startsWith(text), version.out);
  }
  const wrong = new Zoots(['version', '--long']);
  assert.equal(await wrong.end(), 1);
});
