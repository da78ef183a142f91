/** TLS: our options are Node's own. In front of any server a proxy ends TLS; Apache's 3.9.5 does it itself. */
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@zoots/client';
import { freePort, startPeer } from '../peers/peer.js';
import { type ClientRow, failureOf, type Stage, until } from './row.js';
import { makeCertificate, openTlsTerminator } from './tls-terminator.js';

async function terminated(stage: Stage): Promise<void> {
  const certificate = makeCertificate(stage.workDir, 'server');
  const terminator = await openTlsTerminator(stage.port, certificate);
  stage.defer(() => terminator.close());
  const ca = certificate.cert;
  const target = `localhost:${terminator.port}`;
  const zk = await stage.connect({ tls: { ca } }, target);
  const id = zk.session?.id;
  await zk.create(`${stage.root}/a`, Buffer.alloc(500_000, 1));
  assert.equal((await zk.get(`${stage.root}/a`)).stat.dataLength, 500_000);
  const byUrl = await stage.connect({ tls: { ca } }, `zks://localhost:${terminator.port}${stage.root}`);
  assert.deepEqual(await byUrl.children('/'), ['a']);
  // By address: Node sends no server name, and checks the certificate's address.
  const byAddress = await stage.connect({ tls: { ca } }, `127.0.0.1:${terminator.port}`);
  assert.notEqual(await byAddress.exists('/'), null);
  await terminator.close();
  await until('suspended', () => zk.state === 'suspended');
  assert.equal(zk.session?.id, id);
}

async function refused(stage: Stage): Promise<void> {
  const certificate = makeCertificate(stage.workDir, 'server');
  const terminator = await openTlsTerminator(stage.port, certificate);
  stage.defer(() => terminator.close());
  const target = `localhost:${terminator.port}`;
  for (const tls of [true, { ca: makeCertificate(stage.workDir, 'other').cert }] as const) {
    const error = await failureOf(connect(target, { tls, timeoutMs: 1_000 }));
    stage.note(`${(error as { code?: string }).code}${error.cause ? ` (${(error.cause as Error).message})` : ''}`);
  }
  // And no client speaks plain text because TLS fails.
  await failureOf(connect(`127.0.0.1:${stage.port}`, { tls: { ca: certificate.cert }, timeoutMs: 1_000 }));
}

async function mutual(stage: Stage): Promise<void> {
  const server = makeCertificate(stage.workDir, 'server');
  const client = makeCertificate(stage.workDir, 'client-ann');
  const terminator = await openTlsTerminator(stage.port, server, client);
  stage.defer(() => terminator.close());
  const target = `localhost:${terminator.port}`;
  const tls = { ca: server.cert, cert: client.cert, key: client.key };
  const zk = await stage.connect({ tls }, target);
  assert.notEqual(await zk.exists('/'), null);
  assert.equal(terminator.clientName(), 'client-ann');
  await failureOf(connect(target, { tls: { ca: server.cert }, timeoutMs: 1_000 }));
}

/** A secure port of Apache's own, with the identity that a client's certificate gives. */
async function apachePort(stage: Stage): Promise<void> {
  const server = makeCertificate(stage.workDir, 'server');
  const client = makeCertificate(stage.workDir, 'client-ann');
  const keyStore = join(stage.workDir, 'server.pem');
  writeFileSync(keyStore, `${readFileSync(server.keyFile)}${readFileSync(server.certFile)}`);
  const [port, secureClientPort] = [await freePort(), await freePort()];
  const peer = await startPeer(stage.kind, {
    workDir: join(stage.workDir, 'secure'),
    port,
    config: {
      secureClientPort: String(secureClientPort),
      serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
      'ssl.keyStore.location': keyStore,
      'ssl.trustStore.location': client.certFile,
      'ssl.trustStore.type': 'PEM',
      'authProvider.x509': 'org.apache.zookeeper.server.auth.X509AuthenticationProvider',
    },
  });
  stage.defer(() => peer.kill());
  const tls = { ca: server.cert, cert: client.cert, key: client.key };
  const zk = await stage.connect({ tls }, `localhost:${secureClientPort}`);
  await zk.create('/mine', 'x', { acl: [{ perms: 31, scheme: 'x509', id: 'CN=client-ann' }] });
  assert.equal(String((await zk.get('/mine')).data), 'x');
  const names = (await zk.whoAmI()).map(({ scheme, user }) => `${scheme}:${user}`);
  assert.ok(names.includes('x509:CN=client-ann'), names.join());
  const plain = await stage.connect({}, `127.0.0.1:${port}`);
  assert.equal(((await failureOf(plain.get('/mine'))) as { code?: string }).code, 'ZK_NO_AUTH');
}

export const tlsRows: readonly ClientRow[] = [
  { name: 'TLS in front of the server', where: 'alone', run: terminated },
  { name: 'TLS: certificates of strangers are refused', where: 'alone', run: refused },
  { name: 'TLS: a certificate of the client', where: 'alone', run: mutual },
  { name: "TLS: Apache's secure port", where: 'alone', kinds: ['apache-3.9.5'], run: apachePort },
];
