import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = mkdtempSync(join(tmpdir(), 'zoots-operate-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** Stand-ins for a server, by what they do. */
const servers: Readonly<Record<string, string>> = {
  serves: 'async () => ({ clientPort: 1, failed: never, stop: async () => {} })',
  refuses: `async () => { throw new StartupError('port 1 is in use', 1); }`,
  breaks: `async () => { throw new TypeError('a bug'); }`,
  'never starts': '() => never',
  fails: `async () => ({ clientPort: 1, failed: Promise.resolve(new StartupError('sync failed', 10)), stop: async () => {} })`,
  'does not stop': `async () => ({ clientPort: 1, failed: never, stop: async () => { throw new Error('stuck'); } })`,
  throws: `async () => { setTimeout(() => { throw new Error('assertion'); }, 10); return { clientPort: 1, failed: never, stop: async () => {} }; }`,
};

interface Outcome {
  readonly code: number | null;
  readonly lines: readonly string[];
}

class Operated {
  readonly directory = mkdtempSync(join(root, 'data-'));
  readonly child: ChildProcess;
  #text = '';

  constructor(server: string, isDaemon = false) {
    const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
    const script = `
      const { operateServer } = await import(${here('./operate.js')});
      const { StartupError } = await import(${here('./running-server.js')});
      const dataDir = process.argv[1];
      const never = new Promise(() => setInterval(() => {}, 1000));
      const logger = { level: 30, log(level, event, fields) { if (level >= 30 && event !== 'stack') console.log(event, JSON.stringify(fields ?? {})); } };
      const config = { dataDir, dataLogDir: dataDir, datadirAutocreate: true };
      const onServing = () => console.log('serving');
      console.log('begun');
      process.exit(await operateServer({ config, logger, startServer: ${servers[server]}, onServing, isDaemon: ${isDaemon} }));`;
    this.child = spawn(process.execPath, ['--input-type=module', '-e', script, this.directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString();
    });
  }

  async said(text: string): Promise<void> {
    while (!this.#text.includes(text)) await once(this.child.stdout as NodeJS.EventEmitter, 'data');
  }

  async end(): Promise<Outcome> {
    const [code] = (await once(this.child, 'close')) as [number | null];
    return { code, lines: this.#text.trim().split('\n').slice(1) };
  }

  get claims(): string[] {
    return readdirSync(this.directory).filter((name) => name.startsWith('zoots.lock'));
  }
}

test('SIGTERM and SIGINT stop a server cleanly: exit code 0, no lock left', async () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    const operated = new Operated('serves');
    await operated.said('serving');
    assert.equal(operated.claims.length, 1);
    operated.child.kill(signal);
    assert.deepEqual(await operated.end(), {
      code: 0,
      lines: ['serving', `stopping {"signal":"${signal}"}`, 'stopped {}'],
    });
    assert.deepEqual(operated.claims, []);
  }
});

test('a daemon outlives its terminal', async () => {
  const operated = new Operated('serves', true);
  await operated.said('serving');
  operated.child.kill('SIGHUP');
  setTimeout(() => operated.child.kill('SIGTERM'), 50);
  assert.equal((await operated.end()).lines[1], 'stopping {"signal":"SIGTERM"}');
});

test('a start that is refused: the reason in one line, its exit code, no lock left', async () => {
  const operated = new Operated('refuses');
  assert.deepEqual(await operated.end(), {
    code: 1,
    lines: ['server did not start {"reason":"port 1 is in use"}'],
  });
  assert.deepEqual(operated.claims, []);
});

test('a signal during the start ends it at once', async () => {
  const operated = new Operated('never starts');
  await operated.said('begun');
  setTimeout(() => operated.child.kill('SIGTERM'), 100);
  assert.deepEqual(await operated.end(), { code: 0, lines: ['stopped before it served {"signal":"SIGTERM"}'] });
  assert.deepEqual(operated.claims, []);
});

test('failures: exit codes and the reason as the last line', async () => {
  assert.deepEqual(await new Operated('fails').end(), {
    code: 10,
    lines: ['serving', 'server failed {"reason":"sync failed"}'],
  });
  assert.deepEqual((await new Operated('breaks').end()).lines, ['server did not start {"reason":"a bug"}']);
  const thrown = await new Operated('throws').end();
  assert.deepEqual(thrown, { code: 1, lines: ['serving', 'server failed {"reason":"assertion"}'] });
});

test('a server that does not stop cleanly says so with its exit code', async () => {
  const operated = new Operated('does not stop');
  await operated.said('serving');
  operated.child.kill('SIGTERM');
  const { code, lines } = await operated.end();
  assert.equal(code, 1);
  assert.equal(lines.at(-1), 'server did not stop cleanly {"reason":"stuck"}');
});
