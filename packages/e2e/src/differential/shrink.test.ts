import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { shrink } from './shrink.js';
import { type Step, stepsFromText, stepsToText } from './steps.js';

const limits = { trialsMax: 10_000, timeMaxMs: 60_000 };
const cut = (slot: number): Step => ({ kind: 'cut', slot });
const burst = (...types: number[]): Step => ({
  kind: 'burst',
  slot: 0,
  requests: types.map((type) => ({ xid: 1, type, body: Buffer.from([type]) })),
});

test('what does not matter goes, steps and requests within a burst', async () => {
  const steps = [
    ...Array.from({ length: 300 }, (_, at) => cut(at)),
    burst(3, 4, 5),
    ...Array.from({ length: 40 }, () => cut(1)),
  ];
  // Fails where step 7 was played and later a request of type 4.
  const fails = async (candidate: readonly Step[]): Promise<number | null> => {
    const seven = candidate.findIndex((step) => step.kind === 'cut' && step.slot === 7);
    const four = candidate.findIndex((step) => step.kind === 'burst' && step.requests.some(({ type }) => type === 4));
    return seven >= 0 && four > seven ? four : null;
  };
  assert.deepEqual(await shrink(steps, fails, limits), [cut(7), burst(4)]);
});

test('a failure that does not come again is left as it is', async () => {
  const steps = [cut(1), cut(2)];
  assert.deepEqual(await shrink(steps, async () => null, limits), steps);
});

test('steps survive being written and read', () => {
  const open: Step = {
    kind: 'open',
    slot: 1,
    timeoutMs: 5,
    protocolVersion: 0,
    readOnly: null,
    session: 'unknown',
    password: 'wrong',
    zxidDelta: -1,
    trailing: Buffer.from('ab'),
  };
  const steps = [open, burst(1, 2), { kind: 'settle' } as const];
  assert.deepEqual(stepsFromText(stepsToText(steps)), steps);
});
