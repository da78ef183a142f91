/**
 * A process that does one kind of work until it is told to stop, or killed: a member of a group, a consumer of a locking queue, an
 * adder to a counter, a worker on a partition. It tells its parent what it does.
 */
import { connect, type ZooKeeper, ZooKeeperError } from '@zoots/client';
import { Counter, GroupMembership, LockingQueue, SetPartitioner } from '@zoots/recipes';
import { sleep } from './row.js';

export type WorkKind = 'member' | 'consumer' | 'adder' | 'partition';

export interface WorkSettings {
  readonly kind: WorkKind;
  readonly who: string;
  readonly connectString: string;
  readonly path: string;
  readonly items: readonly string[];
}

/** To the parent; `what` is the entry, the item, or the outcome of an addition. */
export interface WorkReport {
  readonly type: 'ready' | 'took' | 'done' | 'lost' | 'added' | 'owns' | 'disowns';
  readonly what: string;
  /** Fencing token of an item. */
  readonly token: number;
}

const stopping = new AbortController();

function tell(type: WorkReport['type'], what = '', token = 0): void {
  process.send?.({ type, what, token });
}

async function member(client: ZooKeeper, { path, who }: WorkSettings): Promise<void> {
  await using group = new GroupMembership(client, path, { id: who });
  await group.ready;
  tell('ready');
  while (!stopping.signal.aborted) await sleep(20);
}

async function consumer(client: ZooKeeper, { path }: WorkSettings): Promise<void> {
  const queue = new LockingQueue(client, path);
  tell('ready');
  while (!stopping.signal.aborted) {
    let name = '';
    try {
      await using entry = await queue.take({ signal: stopping.signal });
      name = entry.name;
      tell('took', name);
      await sleep(Math.random() * 10);
      await entry.done();
      tell('done', name);
    } catch (error) {
      if (!isPassing(error)) throw error;
      // Whether it was deleted is known only to who looks.
      if (name !== '') tell('lost', name);
    }
  }
}

async function adder(client: ZooKeeper, { path }: WorkSettings): Promise<void> {
  const counter = new Counter(client, path);
  tell('ready');
  while (!stopping.signal.aborted) {
    try {
      await counter.increment();
      tell('added', 'yes');
    } catch (error) {
      if (!isPassing(error)) throw error;
      tell('added', error.outcome);
    }
  }
}

async function partition(client: ZooKeeper, { path, who, items }: WorkSettings): Promise<void> {
  await using partitioner = new SetPartitioner(client, path, items, { id: who, settleMs: 100 });
  stopping.signal.addEventListener('abort', () => void partitioner.close());
  tell('ready');
  for await (const share of partitioner) {
    for (const item of share.items) tell('owns', item, share.tokens.get(item));
    if (!share.signal.aborted) {
      await new Promise((resolve) => share.signal.addEventListener('abort', resolve, { once: true }));
    }
    for (const item of share.items) tell('disowns', item);
  }
}

/** What happens while lines are cut, servers restarted and sessions lost. */
function isPassing(error: unknown): error is ZooKeeperError {
  return error instanceof ZooKeeperError && (error.retryable || ['ZK_SESSION_LOST', 'ZK_ABORTED'].includes(error.code));
}

const settings = JSON.parse(process.argv[2] as string) as WorkSettings;
process.on('message', () => stopping.abort());
// Without its parent it has no purpose.
process.on('disconnect', () => process.exit(1));
const works = { member, consumer, adder, partition };
{
  const options = { sessionTimeoutMs: 1_500, backoff: { minMs: 10, maxMs: 100 }, timeoutMs: 30_000 };
  await using client = await connect(settings.connectString, options);
  await works[settings.kind](client, settings);
}
process.exit(0);
