/** TLS in front of a server that has none: a certificate of its own, made by openssl, and a proxy that ends TLS. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { freePort, PeerMissingError } from '../peers/peer.js';

export interface Certificate {
  readonly keyFile: string;
  readonly certFile: string;
  readonly key: Buffer;
  /** Signs itself, so it is its own authority, too. */
  readonly cert: Buffer;
}

/** For `localhost` and 127.0.0.1. */
export function makeCertificate(directory: string, name: string): Certificate {
  const keyFile = join(directory, `${name}.key`);
  const certFile = join(directory, `${name}.crt`);
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const made = spawnSync('openssl', [...words, ...subject, '-keyout', keyFile, '-out', certFile], { encoding: 'utf8' });
  if (made.error !== undefined) throw new PeerMissingError('no openssl on PATH; install it to test TLS');
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return { keyFile, certFile, key: readFileSync(keyFile), cert: readFileSync(certFile) };
}

export interface TlsTerminator {
  readonly port: number;
  /** Common name of the last client's certificate; null without one. */
  readonly clientName: () => string | null;
  close(): Promise<void>;
}

/** With `clientAuthority` only clients with a certificate of that authority come through. */
export async function openTlsTerminator(
  targetPort: number,
  certificate: Certificate,
  clientAuthority?: Certificate,
): Promise<TlsTerminator> {
  const { key, cert } = certificate;
  const sockets = new Set<{ destroy(): void }>();
  let clientName: string | null = null;
  const mutual = clientAuthority && { requestCert: true, rejectUnauthorized: true, ca: clientAuthority.cert };
  const server = createServer({ key, cert, ...mutual }, (client: TLSSocket) => {
    const { subject } = client.getPeerCertificate();
    clientName = subject === undefined ? null : String(subject.CN);
    const upstream = connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.on('tlsClientError', () => {});
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port, clientName: () => clientName, close };
}
