import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from './ledger.js';

function ledgerOfThree(): Ledger {
  const ledger = new Ledger();
  ledger.acknowledge(ledger.send('/a', '1'), 5, 100);
  ledger.acknowledge(ledger.send('/a', '2'), 6, 200);
  ledger.send('/a', '3');
  return ledger;
}

test('the tree after the zxid is right; an unknown write may be in it', () => {
  const ledger = ledgerOfThree();
  assert.deepEqual(ledger.judge(new Map([['/a', '2']]), 6).wrong, []);
  assert.deepEqual(ledger.judge(new Map([['/a', '3']]), 7).wrong, []);
});

test('an acknowledged write above the zxid is lost, unless the cut was before its acknowledgement', () => {
  const ledger = ledgerOfThree();
  assert.equal(ledger.judge(new Map([['/a', '1']]), 5).lost.length, 1);
  assert.equal(ledger.judge(new Map([['/a', '1']]), 5, 199).lost.length, 0);
  assert.equal(ledger.judge(new Map(), 4, 150).lost.length, 1);
});

test('holes, old values, deleted nodes that live and nodes nobody wrote are wrong', () => {
  const ledger = ledgerOfThree();
  ledger.acknowledge(ledger.send('/b', 'x'), 8, 300);
  ledger.acknowledge(ledger.send('/b', null), 9, 310);
  const good = new Map([['/a', '3']]);
  assert.deepEqual(ledger.judge(good, 9).wrong, []);
  assert.equal(ledger.judge(new Map([['/a', '1']]), 9).wrong.length, 1);
  assert.equal(ledger.judge(new Map(), 9).wrong.length, 1);
  assert.equal(ledger.judge(new Map([...good, ['/b', 'x']]), 9).wrong.length, 1);
  assert.equal(ledger.judge(new Map([...good, ['/c', '?']]), 9).wrong.length, 1);
});

test('after settling, what was seen must stay', () => {
  const ledger = ledgerOfThree();
  const seen = new Map([['/a', '3']]);
  ledger.settle(seen);
  assert.deepEqual(ledger.judge(seen, 20), { lost: [], wrong: [], checked: 1 });
  assert.equal(ledger.judge(new Map([['/a', '2']]), 20).wrong.length, 1);
});
