import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { bodies, Op, openAcl } from '../wire/records.js';
import { Generator, type Profile } from './generator.js';
import { differencesBetween } from './known-differences.js';
import { isLethal, isOrderlyMulti } from './lethal.js';
import { Prng } from './prng.js';
import { type Step, stepsToText } from './steps.js';

const view = { isOpen: () => true, sessionOf: (slot: number) => slot, sessionCount: 6 };

function draw(seed: number, count: number, changes: Partial<Profile> = {}): Step[] {
  const profile = {
    differences: new Set<never>(),
    mix: 'both',
    manyIds: true,
    enforceQuota: false,
    ...changes,
  } as Profile;
  const generator = new Generator(new Prng(seed), profile, view);
  return Array.from({ length: count }, () => generator.next());
}

const requestsOf = (steps: readonly Step[]) => steps.flatMap((step) => (step.kind === 'burst' ? step.requests : []));

test('a seed names its steps', () => {
  assert.equal(stepsToText(draw(7, 500)), stepsToText(draw(7, 500)));
  assert.notEqual(stepsToText(draw(7, 500)), stepsToText(draw(8, 500)));
});

test('every operation and every kind of step is drawn', () => {
  const steps = draw(1, 8_000);
  const types = new Set(requestsOf(steps).map(({ type }) => type));
  const internal: number[] = [Op.createSession, Op.notification, Op.error];
  for (const type of Object.values(Op)) if (!internal.includes(type)) assert.ok(types.has(type), `op ${type}`);
  const kinds = new Set(steps.map(({ kind }) => kind));
  assert.deepEqual([...kinds].sort(), ['burst', 'cut', 'expire', 'open', 'raw', 'settle']);
});

test('nothing that stops an Apache server is drawn, and what an old one cannot bear is not', () => {
  const differences = differencesBetween('apache-3.8.0', 'apache-3.9.5');
  const requests = requestsOf(draw(2, 8_000, { differences, mix: 'watches' }));
  for (const { type, body } of requests) assert.ok(!isLethal(type, body));
  assert.ok(!requests.some(({ type }) => type === Op.check || type === Op.deleteContainer));
});

test('what is lethal', () => {
  const ttl = (flags: number, ttlMs: bigint) => bodies.createTTL('/a', null, openAcl, flags, ttlMs);
  assert.ok(isLethal(Op.createTTL, ttl(0, -1n)));
  assert.ok(!isLethal(Op.createTTL, ttl(5, -1n)));
  assert.ok(!isLethal(Op.createTTL, ttl(0, 1n)));
  assert.ok(isLethal(Op.create, bodies.create('/zookeeper/quota/zookeeper_limits', null, openAcl, 0)));
  const check = { type: Op.check, body: bodies.pathVersion('/a', 0) };
  assert.ok(isLethal(Op.multi, bodies.multi([check, { type: Op.createTTL, body: ttl(4, -9n) }])));
  assert.ok(!isLethal(Op.multi, bodies.multi([check])));
});

test('an orderly multi has no null field and decodes to its end', () => {
  const create = (acl: typeof openAcl | null) => ({ type: Op.create, body: bodies.create('/a', null, acl, 0) });
  assert.ok(isOrderlyMulti(bodies.multi([create(openAcl)])));
  assert.ok(!isOrderlyMulti(bodies.multi([create(null)])));
  assert.ok(!isOrderlyMulti(bodies.multi([{ type: Op.delete, body: bodies.pathVersion(null, 0) }])));
  assert.ok(!isOrderlyMulti(bodies.multi([create(openAcl)]).subarray(0, 20)));
});

test('servers of one behaviour are compared without any allowance', () => {
  assert.equal(differencesBetween('apache-3.9.5', 'apache-3.9.5').size, 0);
  assert.ok(!differencesBetween('zoots', 'apache-3.9.5').has('readPermission'));
  assert.ok(differencesBetween('zoots', 'apache-3.8.0').has('readPermission'));
  assert.ok(differencesBetween('apache-3.8.0', 'apache-3.8.0').has('topLevelCheck'), 'harm is avoided all the same');
});
