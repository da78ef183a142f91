/** Both ports of a member, made from its configuration. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { type Logger, nullLogger, RecordingLogger } from '@zoots/base';
import { serverConfigOf } from '../config/config-load.js';
import { StartupError } from '../running-server.js';
import { EnsembleLinks } from './ensemble-links.js';

const dataDir = mkdtempSync(join(tmpdir(), 'zoots-ensemble-links-'));
after(() => rmSync(dataDir, { recursive: true, force: true }));
writeFileSync(join(dataDir, 'myid'), '1');

function linksOf(
  context: TestContext,
  own: string,
  keys: Readonly<Record<string, string>> = {},
  logger: Logger = nullLogger,
): EnsembleLinks {
  const { config } = serverConfigOf({
    dataDir,
    clientPort: '0',
    initLimit: '10',
    syncLimit: '5',
    'server.1': own,
    'server.2': '127.0.0.1:1:2',
    'server.3': '127.0.0.1:3:4',
    ...keys,
  });
  const links = new EnsembleLinks(config.ensemble ?? assert.fail('stand-alone'), config.tickTimeMs, logger);
  context.after(() => links.close());
  return links;
}

async function occupied(context: TestContext, host: string): Promise<{ net: NetServer; port: number }> {
  const net = createServer();
  await new Promise<void>((resolve) => net.listen(0, host, resolve));
  context.after(() => net.close());
  return { net, port: (net.address() as { port: number }).port };
}

async function refusalOf(links: EnsembleLinks): Promise<StartupError> {
  const error: unknown = await links.bind().then(
    () => null,
    (reason) => reason,
  );
  assert.ok(error instanceof StartupError, String(error));
  return error;
}

test('an election port in use: place, remedy, and exit code 14', async (context) => {
  const { port } = await occupied(context, '127.0.0.1');
  const { message, exitCode } = await refusalOf(
    linksOf(context, `127.0.0.1:1:${port}`, { electionPortBindRetry: '1' }),
  );
  assert.equal(exitCode, 14);
  assert.equal(
    message,
    `election port 127.0.0.1:${port} is in use: stop what listens there or change the second port of this server's server.N line, on all servers`,
  );
});

test('it is tried as often as configured', async (context) => {
  const { net, port } = await occupied(context, '127.0.0.1');
  const logger = new RecordingLogger();
  const bound = linksOf(context, `127.0.0.1:1:${port}`, { electionPortBindRetry: '0' }, logger).bind();
  while (logger.records.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  net.close();
  await bound;
  assert.deepEqual(
    logger.records.map(({ event }) => event),
    ['waiting for the election port'],
  );
});

test('an address that is not of this machine, and the key that makes it harmless', async (context) => {
  // An address for documentation: nobody has it.
  const own = '192.0.2.1:0:1';
  const { message } = await refusalOf(linksOf(context, own, { electionPortBindRetry: '1' }));
  assert.match(message, /^cannot listen on election port 192\.0\.2\.1:1: this machine does not have that address; /);
  assert.match(message, /quorumListenOnAllIPs=true$/);
  const { port } = await occupied(context, '::');
  const everywhere = linksOf(context, `192.0.2.1:1:${port}`, {
    quorumListenOnAllIPs: 'true',
    electionPortBindRetry: '1',
  });
  assert.match((await refusalOf(everywhere)).message, /^election port \*:\d+ is in use/);
});

test('a name that is a loopback address here, among members elsewhere, is worth a warning', async (context) => {
  const elsewhere = { 'server.2': '192.0.2.2:1:2', 'server.3': '192.0.2.3:1:2' };
  const logger = new RecordingLogger();
  await linksOf(context, 'localhost:2888:0', elsewhere, logger).bind();
  assert.equal(logger.records[0]?.event, 'other machines cannot reach this server');
  assert.match(
    String(logger.records[0]?.fields.reason),
    /^localhost is (127\.0\.0\.1|::1) here, so the ports 2888 and \d+ listen for this machine alone: correct \/etc\/hosts /,
  );
  const quiet = new RecordingLogger();
  await linksOf(context, 'localhost:1:0', {}, quiet).bind();
  await linksOf(context, 'localhost:1:0', { ...elsewhere, quorumListenOnAllIPs: 'true' }, quiet).bind();
  assert.deepEqual(quiet.records, []);
});
