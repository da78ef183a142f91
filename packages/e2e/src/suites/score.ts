/**
 * Holds a suite's results against what is expected of it: packages/e2e/suites/expected/NAME.json lists every test
 * the suite has, by name. Each must pass, except those listed as excluded for something the server under test does
 * not have. Whatever is not accounted for counts against us: a listed test that did not run, a test that ran and is
 * not listed, a test that the suite skipped by itself.
 */
import { readFileSync } from 'node:fs';
import type { TestResult } from './results.js';

/** What a test may need beyond one server with a plain port. */
export const needs = ['three servers', 'reconfiguration', 'TLS', 'SASL', 'Kerberos', 'a quiet machine'] as const;
export type Need = (typeof needs)[number];

export interface Excluded {
  readonly test: string;
  readonly needs: Need;
  readonly reason: string;
}

export interface Expected {
  /** Where the suite comes from, for people. */
  readonly source: string;
  readonly excluded: readonly Excluded[];
  /** Tests that fail now and then on Apache's server too: they run apart from the others, and twice if need be. */
  readonly flaky: readonly { readonly test: string; readonly reason: string }[];
  readonly tests: readonly string[];
}

export interface Score {
  readonly passed: number;
  /** The tests that count against the server, each with what is wrong with it. */
  readonly failed: readonly { readonly test: string; readonly message: string }[];
}

/** Throws Error, naming the file and the entry, when the file does not hold what it should. */
export function readExpected(file: string): Expected {
  const expected = JSON.parse(readFileSync(file, 'utf8')) as Expected;
  const known = new Set(expected.tests);
  if (known.size === 0) throw new Error(`${file}: lists no tests`);
  if (known.size !== expected.tests.length) throw new Error(`${file}: lists a test twice`);
  for (const { test, needs: need, reason } of expected.excluded) {
    if (!known.has(test)) throw new Error(`${file}: excludes ${test}, which is not among its tests`);
    if (!needs.includes(need)) throw new Error(`${file}: ${test} needs ${need}; known are ${needs.join(', ')}`);
    if (!reason) throw new Error(`${file}: excludes ${test} without a reason`);
  }
  for (const { test, reason } of expected.flaky) {
    if (!known.has(test)) throw new Error(`${file}: calls ${test} flaky, which is not among its tests`);
    if (!reason) throw new Error(`${file}: calls ${test} flaky without a reason`);
  }
  return expected;
}

/** The tests that a server lacking `lacks` is excused from, in the file's order. */
export function excludedTests(expected: Expected, lacks: readonly Need[]): readonly Excluded[] {
  return expected.excluded.filter((entry) => lacks.includes(entry.needs));
}

/** Holds `results` against `required`, the tests that have to pass. */
export function scoreResults(expected: Expected, required: readonly string[], results: readonly TestResult[]): Score {
  const known = new Set(expected.tests);
  const byName = new Map(results.map((result) => [result.test, result]));
  const failed: { test: string; message: string }[] = [];
  let passed = 0;
  for (const test of required) {
    const result = byName.get(test);
    if (result === undefined) failed.push({ test, message: 'did not run' });
    else if (result.outcome === 'passed') passed++;
    else failed.push({ test, message: `${result.outcome}: ${result.message}` });
  }
  for (const { test } of byName.values()) {
    if (!known.has(test)) failed.push({ test, message: 'ran, but is not in the list of expected tests' });
  }
  return { passed, failed };
}
