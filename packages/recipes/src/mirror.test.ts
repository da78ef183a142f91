/** Changes and the caches' mirror on a client that does what the test says: events that come at the worst moment. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ConnectionLossError, type Namespace, NoNodeError, type Stat, type WatchEvent } from '@zoots/client';
import { Changes } from './changes.js';
import { Deadline } from './deadline.js';
import { type CacheEvent, Mirror } from './mirror.js';

/** A namespace whose reads are answered by hand. */
class Puppet {
  readonly reads: { readonly what: string; answer: (value: unknown) => void; fail: (error: Error) => void }[] = [];
  listener: (event: WatchEvent) => void = () => {};
  readonly client = {
    state: 'connected',
    on: (_event: string, listener: () => void): void => {
      this.onState = listener;
    },
    off() {},
  };
  onState: () => void = () => {};

  get zk(): Namespace {
    return this as unknown as Namespace;
  }

  watch(_path: string, _options: unknown, listener: (event: WatchEvent) => void): unknown {
    this.listener = listener;
    return { ready: Promise.resolve(), close: async () => {} };
  }

  get(path: string): Promise<unknown> {
    return new Promise((answer, fail) => this.reads.push({ what: `get ${path}`, answer, fail }));
  }

  exists(path: string): Promise<unknown> {
    return new Promise((answer, fail) => this.reads.push({ what: `exists ${path}`, answer, fail }));
  }

  tell(type: WatchEvent['type'], path: string): void {
    this.listener({ type, path, zxid: null });
  }

  /** The next read that waits, which must be this one. */
  async next(what: string): Promise<Puppet['reads'][number]> {
    await turn();
    const read = this.reads.shift();
    assert.equal(read?.what, what);
    return read as Puppet['reads'][number];
  }
}

function nodeAt(mzxid: number): { data: Buffer; stat: Stat } {
  return { data: Buffer.from(String(mzxid)), stat: { czxid: 1, mzxid, pzxid: 1, numChildren: 0 } as Stat };
}

/** A mirror of /n that is loaded, with the lines of its events. */
async function loaded(): Promise<{ puppet: Puppet; mirror: Mirror; lines: string[] }> {
  const puppet = new Puppet();
  const mirror = new Mirror(puppet.zk, '/n', 1, { refreshJitterMs: 0 });
  const lines: string[] = [];
  mirror.events.on(({ type, node }: CacheEvent) => lines.push(`${type} ${node?.data}`));
  (await puppet.next('get /n')).answer(nodeAt(5));
  await mirror.ready;
  return { puppet, mirror, lines };
}

test('an event between an answer and its turn makes the mirror read again', async () => {
  const { puppet, mirror, lines } = await loaded();
  puppet.tell('changed', '/n');
  const read = await puppet.next('get /n');
  // Both in one packet: the answer is of the past when its turn comes.
  read.answer(nodeAt(6));
  puppet.tell('changed', '/n');
  (await puppet.next('get /n')).answer(nodeAt(7));
  await turn();
  assert.deepEqual(lines, ['added 5', 'changed 6', 'changed 7']);
  assert.ok(mirror.isCurrent);
});

test('an answer of before a deletion does not bring the znode back', async () => {
  const { puppet, mirror, lines } = await loaded();
  puppet.tell('changed', '/n');
  const read = await puppet.next('get /n');
  read.answer(nodeAt(6));
  puppet.tell('deleted', '/n');
  (await puppet.next('get /n')).fail(new NoNodeError(-101));
  await turn();
  assert.deepEqual(lines, ['added 5', 'removed undefined']);
  assert.equal(mirror.nodes.size, 0);
});

test('events of one znode while it is read are one more read', async () => {
  const { puppet, lines } = await loaded();
  puppet.tell('changed', '/n');
  const read = await puppet.next('get /n');
  for (let i = 0; i < 5; i++) puppet.tell('changed', '/n');
  read.answer(nodeAt(9));
  (await puppet.next('get /n')).answer(nodeAt(9));
  await turn();
  assert.deepEqual(puppet.reads, []);
  assert.deepEqual(lines, ['added 5', 'changed 9']);
});

test('what fails for a passing reason is tried again', async () => {
  const { puppet, mirror, lines } = await loaded();
  puppet.tell('changed', '/n');
  (await puppet.next('get /n')).fail(new ConnectionLossError('not-sent'));
  while (puppet.reads.length === 0) await turn();
  assert.ok(!mirror.isCurrent);
  (await puppet.next('get /n')).answer(nodeAt(6));
  await turn();
  assert.deepEqual(lines, ['added 5', 'changed 6']);
  assert.ok(mirror.isCurrent);
});

test('from the loss of the connection to the check after it the mirror is not current', async () => {
  const { puppet, mirror } = await loaded();
  const become = (state: string): void => {
    puppet.client.state = state;
    puppet.onState();
  };
  assert.ok(mirror.isCurrent);
  become('suspended');
  assert.ok(!mirror.isCurrent);
  become('connected');
  assert.ok(!mirror.isCurrent, 'nobody has looked yet');
  puppet.tell('gap', '/n');
  while (puppet.reads.length === 0) await turn();
  assert.ok(!mirror.isCurrent);
  (await puppet.next('exists /n')).answer(nodeAt(5).stat);
  await turn();
  assert.ok(mirror.isCurrent);
});

test('what happens between a look and the wait ends the wait at once', async () => {
  const puppet = new Puppet();
  const deadline = new Deadline({ timeoutMs: 5_000 }, 'test', '/n');
  const changes = await Changes.of(puppet.zk, '/n', deadline, 'children');
  changes.clear();
  puppet.tell('created', '/n/child');
  await changes.next(deadline);
  changes.clear();
  puppet.tell('changed', '/n/child');
  puppet.tell('created', '/n/child/deeper');
  puppet.tell('deleted', '/n');
  assert.equal(await changes.within(1, deadline), false);
  puppet.tell('gap', '/n');
  assert.equal(await changes.within(1_000, deadline), true);
});
