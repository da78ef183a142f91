/** What the tests of the recipes stand on: a server in this process, two clients, and ways to look at both. */
import { strict as assert } from 'node:assert';
import { connect as connectSocket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ZooKeeper } from '@zoots/client';
import { startServer, type TestServer } from '@zoots/testing';

export interface Stage {
  readonly server: TestServer;
  readonly one: ZooKeeper;
  readonly two: ZooKeeper;
  /** A further client; closed with the stage. */
  readonly another: () => Promise<ZooKeeper>;
}

export function staged(name: string, body: (stage: Stage) => Promise<void>): void {
  test(name, { timeout: 20_000 }, async () => {
    await using server = await startServer();
    const clients: ZooKeeper[] = [];
    const options = { sessionTimeoutMs: 10_000, backoff: { minMs: 5, maxMs: 20 } };
    const another = async (): Promise<ZooKeeper> => {
      const client = await connect(server.connectString, options);
      clients.push(client);
      return client;
    };
    try {
      await body({ server, one: await another(), two: await another(), another });
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  });
}

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadlineMs, `never: ${what}`);
    await sleep(3);
  }
}

/** Names of the children; none if the znode does not exist. */
export async function childrenOf(client: ZooKeeper, path: string): Promise<string[]> {
  return (await client.exists(path)) === null ? [] : (await client.children(path)).sort();
}

/** A promise that can be asked whether it is settled. */
export function tracked<T>(promise: Promise<T>): { readonly promise: Promise<T>; readonly isSettled: boolean } {
  const state = { promise, isSettled: false };
  const settle = (): void => {
    state.isSettled = true;
  };
  promise.then(settle, settle);
  return state;
}

/** Cuts a client's connection; resolves when the client has noticed. */
export async function drop(server: TestServer, client: ZooKeeper): Promise<void> {
  const noticed = new Promise<void>((resolve) => client.once('state', () => resolve()));
  server.dropConnection(client);
  await noticed;
}

/** Counts the listeners that are added to a client from now on and not taken away. */
export function countListeners(client: ZooKeeper): () => number {
  let count = 0;
  const { on, off } = client;
  client.on = ((event, listener) => {
    count++;
    return on.call(client, event, listener as never);
  }) as typeof on;
  client.off = ((event, listener) => {
    count--;
    return off.call(client, event, listener as never);
  }) as typeof off;
  return () => count;
}

/** Watches that the server keeps, by the four letter word `wchs`. */
export async function watchCount(server: TestServer): Promise<number> {
  const text = await new Promise<string>((resolve, reject) => {
    let answer = '';
    const socket = connectSocket(server.port, '127.0.0.1', () => socket.write('wchs'));
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
  const [, count] = /Total watches:\s*(\d+)/.exec(text) ?? assert.fail(`wchs: ${text}`);
  return Number(count);
}
