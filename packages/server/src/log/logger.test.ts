import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { logLevelOff, logLevels } from '@zoots/base';
import { createLogger, type LogFormat, LogOptionError, logOptionsOf } from './logger.js';

const directory = mkdtempSync(join(tmpdir(), 'zoots-log-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** What a logger writes; nothing is buffered, so it is read at once. */
async function linesOf(
  format: LogFormat,
  level: number,
  write: (logger: Awaited<ReturnType<typeof createLogger>>) => void,
  colorize = false,
): Promise<string[]> {
  const path = join(directory, 'log');
  const fd = openSync(path, 'w');
  write(await createLogger({ format, level, fd, colorize }));
  const text = readFileSync(path, 'utf8');
  closeSync(fd);
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

test('text: one line per event, with time, level and fields', async () => {
  const lines = await linesOf('text', logLevels.info, (logger) => {
    logger.log(logLevels.debug, 'too fine');
    logger.log(logLevels.info, 'serving clients', { port: 2181, secure: false, address: null });
    logger.log(logLevels.warn, 'odd', { text: 'two\nlines "quoted"', blank: 'a b', empty: '' });
  });
  assert.equal(lines.length, 2);
  assert.match(
    lines[0] as string,
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} INFO: serving clients {2}port=2181 {2}secure=false {2}address=null$/,
  );
  assert.match(lines[1] as string, / WARN: odd {2}text="two\\nlines \\"quoted\\"" {2}blank=a b {2}empty=""$/);
});

test('text in colour: the same lines but for the colours', async () => {
  const write: Parameters<typeof linesOf>[2] = (logger) => {
    for (const level of Object.values(logLevels))
      logger.log(level, 'sync failed', { afterMs: 3, path: '/a\nb', none: '' });
  };
  const plain = await linesOf('text', logLevels.trace, write);
  const coloured = await linesOf('text', logLevels.trace, write, true);
  const withoutTime = (line: string): string => line.replace(/^[-\dT:.]{23} /, '');
  assert.equal(plain.length, 6);
  assert.notDeepEqual(coloured.map(withoutTime), plain.map(withoutTime));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are.
  const bare = coloured.map((line) => line.replaceAll(/\x1b\[\d+m/g, ''));
  assert.deepEqual(bare.map(withoutTime), plain.map(withoutTime));
});

test('json: one object per line', async () => {
  const lines = await linesOf('json', logLevels.info, (logger) =>
    logger.log(logLevels.error, 'sync failed', { path: '/x', afterMs: 3 }),
  );
  const record = JSON.parse(lines[0] as string);
  assert.equal(record.level, 50);
  assert.equal(record.msg, 'sync failed');
  assert.deepEqual([record.path, record.afterMs, record.pid], ['/x', 3, process.pid]);
});

test('levels between the named ones, and off', async () => {
  const lines = await linesOf('json', 25, (logger) => {
    logger.log(24, 'below');
    logger.log(25, 'at');
    logger.log(35, 'above');
  });
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).msg),
    ['at', 'above'],
  );
  assert.deepEqual(await linesOf('text', logLevelOff, (logger) => logger.log(logLevels.fatal, 'nothing')), []);
});

test('options: the command line before the environment before text at info', () => {
  const environment = { ZOOTS_LOG_FORMAT: 'json', ZOOTS_LOG_LEVEL: 'debug' };
  const none = { format: undefined, level: undefined };
  assert.deepEqual(logOptionsOf({ ...none, environment: {} }), { format: 'text', level: logLevels.info });
  assert.deepEqual(logOptionsOf({ ...none, environment }), { format: 'json', level: logLevels.debug });
  assert.deepEqual(logOptionsOf({ format: 'text', level: 'WARN', environment }), {
    format: 'text',
    level: logLevels.warn,
  });
  assert.throws(() => logOptionsOf({ ...none, level: 'loud', environment }), LogOptionError);
  assert.throws(() => logOptionsOf({ ...none, format: 'xml', environment }), LogOptionError);
});

test('a log that nobody reads any more does not stop the process', () => {
  const script = `
    const { createLogger } = await import(${JSON.stringify(new URL('./logger.js', import.meta.url).href)});
    const logger = await createLogger({ format: 'text', level: 10, fd: 1, colorize: false });
    for (let i = 0; i < 20_000; i++) logger.log(30, 'filling the pipe', { i });
    process.stderr.write('survived');`;
  const command = `"$0" --input-type=module -e "$1" | head -n 1 >/dev/null`;
  const result = spawnSync('bash', ['-c', command, process.execPath, script], { encoding: 'utf8' });
  assert.match(result.stderr, /survived/);
});
