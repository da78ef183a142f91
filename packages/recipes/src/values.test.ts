/** Counters and values: no change is lost, layouts are those of others, unknown outcomes are told. */
import { strict as assert } from 'node:assert';
import { json, RequestTimeoutError } from '@zoots/client';
import { AtomicLong, AtomicValue, Counter } from './index.js';
import { staged } from './stage.test.js';

staged('a counter begins at its initial value and counts', async ({ one }) => {
  const counter = new Counter(one, '/a/count', { initial: 5 });
  assert.equal(await counter.get(), 5);
  assert.deepEqual(await counter.add(2), { before: 5, after: 7 });
  assert.deepEqual(await counter.decrement(), { before: 7, after: 6 });
  assert.deepEqual(await counter.set(40), { before: 6, after: 40 });
  assert.equal(String((await one.get('/a/count')).data), '40');
});

staged('no increment is lost among many', async ({ one, two }) => {
  const adders = [one, two, one, two].map((zk) => new Counter(zk, '/count', { backoffMaxMs: 5 }));
  const results = await Promise.all(adders.flatMap((counter) => Array.from({ length: 10 }, () => counter.increment())));
  assert.equal(await new Counter(one, '/count').get(), 40);
  assert.deepEqual(
    results.map(({ after }) => after).sort((a, b) => a - b),
    Array.from({ length: 40 }, (_, i) => i + 1),
  );
});

staged('the layouts of counters', async ({ one }) => {
  const int32 = new Counter(one, '/int', { layout: 'int32' });
  await int32.add(-2);
  assert.deepEqual((await one.get('/int')).data, Buffer.from('fffffffe', 'hex'));
  await assert.rejects(int32.add(2 ** 31 + 2), /no 32-bit integer/);
  await assert.rejects(new Counter(one, '/int').get(), /is its layout 'int32'/);

  await one.create('/kazoo', '');
  const text = new Counter(one, '/kazoo', { initial: 0.5 });
  assert.deepEqual(await text.add(1), { before: 0.5, after: 1.5 });
  await assert.rejects(new Counter(one, '/kazoo', { layout: 'int32' }).get(), /is its layout 'text'/);
  await assert.rejects(text.add(2 ** 60), /use AtomicLong/);
});

staged('a 64-bit integer wraps around as in Java', async ({ one }) => {
  const long = new AtomicLong(one, '/long');
  assert.equal(await long.get(), 0n);
  assert.equal((await long.add(2n ** 63n - 1n)).after.value, 2n ** 63n - 1n);
  assert.equal((await long.increment()).after.value, -(2n ** 63n));
  assert.deepEqual((await one.get('/long')).data, Buffer.from('8000000000000000', 'hex'));
  await one.set('/long', 'abc');
  await assert.rejects(long.get(), /holds 3 bytes/);
});

staged('compare-and-set, by version', async ({ one }) => {
  const value = new AtomicValue(one, '/v', json<number>(), 0);
  assert.equal(await value.initialize(1), true);
  assert.equal(await value.initialize(2), false);
  const { stat } = await value.getWithStat();
  const written = await value.compareAndSet(stat?.version ?? null, 5);
  assert.equal(written?.value, 5);
  assert.equal(await value.compareAndSet(stat?.version ?? null, 6), null);
  assert.equal(await value.compareAndSet(null, 6), null);
  assert.equal(await value.get(), 5);
});

staged('a change is computed anew from what somebody else wrote', async ({ one, two }) => {
  const value = new AtomicValue(one, '/v', json<string>(), '', { random: () => 0 });
  await value.set('a');
  let isFirst = true;
  const { before, after, tries } = await value.update(async (now) => {
    if (isFirst) await two.set('/v', '"b"');
    isFirst = false;
    return `${now}!`;
  });
  assert.deepEqual([before.value, after.value, tries], ['b', 'b!', 2]);
});

staged('an update that never gets through ends with its time', async ({ one, two }) => {
  const value = new AtomicValue(one, '/v', json<number>(), 0);
  await value.set(1);
  const never = value.update(
    async (now) => {
      await two.set('/v', '7');
      return now;
    },
    { timeoutMs: 50 },
  );
  await assert.rejects(never, RequestTimeoutError);
});
