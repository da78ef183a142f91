import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '@zoots/base';
import { Link } from './sim-network.js';
import { Simulator } from './simulator.js';

test('events run in the order of their times, and of their making where times are equal', () => {
  const simulator = new Simulator();
  const seen: string[] = [];
  simulator.after(20, () => seen.push('d'));
  simulator.after(10, () => {
    seen.push('a');
    simulator.after(0, () => seen.push('c'));
  });
  simulator.after(10, () => seen.push('b'));
  simulator.runUntil(15);
  assert.deepEqual(seen, ['a', 'b', 'c']);
  assert.equal(simulator.nowUs, 15);
  simulator.runUntil(100);
  assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
});

test('a thousand events come out sorted', () => {
  const simulator = new Simulator();
  const prng = new Prng(7);
  const times: number[] = [];
  for (let i = 0; i < 1000; i++) simulator.after(prng.below(300), () => times.push(simulator.nowUs));
  simulator.runUntil(1000);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
});

for (const chunking of ['whole', 'random', 'tiny'] as const) {
  test(`a stream keeps its bytes and their order, cut ${chunking}`, () => {
    const simulator = new Simulator();
    const manner = { delayMinUs: 1, delayMaxUs: 50, chunking, kernelBytes: 10, stallChance: 0.1, stallMaxUs: 500 };
    const link = new Link(1, simulator, new Prng(3), manner);
    const received: number[] = [];
    let ended = 0;
    let drained = 0;
    const silent = { onBytes: () => {}, onEnd: () => {}, onReset: () => {}, onDrained: () => drained++ };
    link.attach(silent, {
      ...silent,
      onBytes: (bytes, start, end) => {
        for (let i = start; i < end; i++) received.push(bytes[i] as number);
        bytes.fill(0, start, end);
      },
      onEnd: () => ended++,
    });
    const sent = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
    for (let at = 0; at < sent.length; at += 100) link.up.write(sent, at, at + 100);
    link.up.end();
    simulator.runUntil(10_000_000);
    assert.deepEqual(received, [...sent]);
    assert.equal(ended, 1);
    assert.ok(drained > 0);
  });
}

test('a broken stream delivers nothing any more, and tells whom it is to tell', () => {
  const simulator = new Simulator();
  const manner = {
    delayMinUs: 1,
    delayMaxUs: 1,
    chunking: 'whole' as const,
    kernelBytes: 0,
    stallChance: 0,
    stallMaxUs: 0,
  };
  const link = new Link(1, simulator, new Prng(3), manner);
  const events: string[] = [];
  const endpoint = (name: string) => ({
    onBytes: () => events.push(`${name} bytes`),
    onEnd: () => events.push(`${name} end`),
    onReset: () => events.push(`${name} reset`),
    onDrained: () => {},
  });
  link.attach(endpoint('client'), endpoint('server'));
  link.up.write(Uint8Array.of(1, 2), 0, 2);
  link.reset(true, false);
  simulator.runUntil(1000);
  assert.deepEqual(events, ['client reset']);
});
