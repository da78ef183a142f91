import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Member } from '../peers/ensemble.js';
import { surprisesIn } from './judge.js';

function memberThatLogged(...lines: readonly string[]): Member {
  return { log: () => lines.join('\n'), toString: () => '1 (apache-3.8.0)' } as unknown as Member;
}

const at = '2026-01-01 00:00:00,000';
const mismatch = `${at} WARN DataTree Message:Digests are not matching. Value is Zxid. Value:4294967337`;

test('an error that nothing explains is a surprise', () => {
  const member = memberThatLogged(`${at} ERROR DataTree All is lost`, 'java.lang.Exception');
  assert.deepEqual(surprisesIn(member, []), [
    `1 (apache-3.8.0) logged: ${at} ERROR DataTree All is lost\njava.lang.Exception`,
  ]);
});

test('what a server says of another one that went away is none', () => {
  const lines = [`${at} ERROR LearnerHandler Unexpected exception in LearnerHandler:`, 'java.io.EOFException'];
  assert.deepEqual(
    surprisesIn(memberThatLogged(...lines, `${at} WARN Learner Exception when following the leader`), []),
    [],
  );
});

test('a digest that does not match is a surprise', () => {
  assert.equal(surprisesIn(memberThatLogged(mismatch, ''), []).length, 1);
});

test('while a snapshot is taken in digests need not match, behind it they must', () => {
  const begins = `${at} INFO Learner Getting a snapshot from leader 0x4000003ac`;
  const ends = `${at} INFO Learner Learner received NEWLEADER message`;
  assert.deepEqual(surprisesIn(memberThatLogged(begins, mismatch, ends, ''), []), []);
  assert.equal(surprisesIn(memberThatLogged(begins, ends, mismatch), []).length, 1);
  assert.equal(surprisesIn(memberThatLogged(begins, mismatch, ''), []).length, 1, 'one that never ended');
});

test('a server that replays a log with doubles may see digests that do not match', () => {
  const doubles = `${at} ERROR FileTxnSnapLog 4294967362(highestZxid) > 4294967337(next log) for type 1`;
  assert.deepEqual(surprisesIn(memberThatLogged(doubles, mismatch, ''), []), []);
});

test('an acknowledgement that comes too early is Apache’s own, and would be a surprise of ours', () => {
  const leader = memberThatLogged(`${at} ERROR Leader NEWLEADER ACK from sid: 3 is from a different epoch`, '');
  const sender = (kind: string): Member => ({ id: 3, kind }) as unknown as Member;
  assert.deepEqual(surprisesIn(leader, [sender('apache-3.8.0')]), []);
  assert.equal(surprisesIn(leader, [sender('zoots')]).length, 1);
});
