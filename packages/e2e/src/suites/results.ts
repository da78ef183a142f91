/**
 * Reads what a suite's own test runner wrote, one reader per format, into one list of results.
 *
 * The readers are strict: a report that is cut off, empty, or disagrees with its own totals throws, because a suite
 * that did not run must never look like one that passed. A test that began and never ended is a failed test.
 * Test names are the suite's own, in the form its runner accepts to run that test alone.
 */

export interface TestResult {
  readonly test: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped, one line; empty when it passed. */
  readonly message: string;
}

/** Throws Error when the report is not whole. */
export type ReportReader = (report: string) => readonly TestResult[];

export const readers = { junit: readJunit, zktest: readZktest, goJson: readGoJson, tap: readTap } as const;

const unfinished = 'began and never ended: the test program died, or was stopped';

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 300);
}

function whole(results: readonly TestResult[], declared: number, what: string): readonly TestResult[] {
  if (results.length === 0) throw new Error(`${what}: no test ran`);
  if (results.length !== declared) {
    throw new Error(`${what}: it declares ${declared} tests and shows ${results.length}`);
  }
  const names = new Set<string>();
  for (const { test } of results) {
    if (names.has(test)) throw new Error(`${what}: ${test} is there twice`);
    names.add(test);
  }
  return results;
}

/** pytest's JUnit XML. pytest escapes markup in every text and attribute, so patterns are enough to take it apart. */
export function readJunit(report: string): readonly TestResult[] {
  const suite = /<testsuite [^>]*\btests="(\d+)"/.exec(report);
  if (suite === null || !report.includes('</testsuites>')) throw new Error('JUnit report: cut off, or none at all');
  const results: TestResult[] = [];
  for (const [, attributes, body] of report.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    // The clean-up of a test that passed or was skipped may fail: then there is more than one element.
    const bad = /<(failure|error)\b([^>]*)>/.exec(body ?? '') ?? /<(skipped)\b([^>]*)>/.exec(body ?? '');
    results.push({
      test: pytestNodeId(attribute(attributes, 'classname'), attribute(attributes, 'name')),
      outcome: bad === null ? 'passed' : bad[1] === 'skipped' ? 'skipped' : 'failed',
      message: bad === null ? '' : oneLine(attribute(bad[2] as string, 'message')),
    });
  }
  return whole(results, Number(suite[1]), 'JUnit report');
}

const xmlEntities = [
  [/&#(\d+);/g, (_: string, code: string) => String.fromCodePoint(Number(code))],
  [/&#x([0-9a-fA-F]+);/g, (_: string, code: string) => String.fromCodePoint(Number.parseInt(code, 16))],
  [/&lt;/g, () => '<'],
  [/&gt;/g, () => '>'],
  [/&quot;/g, () => '"'],
  [/&apos;/g, () => "'"],
  [/&amp;/g, () => '&'],
] as const;

function attribute(attributes: string, name: string): string {
  let text = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? '';
  for (const [pattern, replacement] of xmlEntities) text = text.replace(pattern, replacement);
  return text;
}

/** `a.tests.test_x.Class` and `test_y` to `a/tests/test_x.py::Class::test_y`. Modules begin with `test_`. */
function pytestNodeId(className: string, name: string): string {
  const words = className.split('.');
  const moduleEnd = words.findIndex((word) => word.startsWith('test_')) + 1;
  if (moduleEnd === 0) return [className, name].filter((word) => word !== '').join('::');
  return [`${words.slice(0, moduleEnd).join('/')}.py`, ...words.slice(moduleEnd), name].join('::');
}

/**
 * zktest's progress: `Suite::test` on a line of its own, whatever the test itself prints, ` : elapsed MS`, and
 * ` : OK` where it passed. At the end `OK (N)`, or a `Run: N` line and the failures in the order they happened.
 */
export function readZktest(report: string): readonly TestResult[] {
  const total = /^OK \((\d+)\)$/m.exec(report) ?? /^Run: (\d+)\b/m.exec(report);
  const failures = [...report.matchAll(/^\S+\.\w+:\d+: ?(?:Assertion|Error).*$/gm)].map((match) => match[0]);
  const starts = [...report.matchAll(/^(\w+::test\w+)$/gm)];
  const results: TestResult[] = [];
  for (const [index, start] of starts.entries()) {
    const text = report.slice(start.index, starts[index + 1]?.index);
    const end = / : elapsed \d+( : OK)?\s*$/m.exec(text);
    const passed = end?.[1] !== undefined;
    results.push({
      test: start[1] as string,
      outcome: passed ? 'passed' : 'failed',
      message: passed ? '' : end === null ? unfinished : oneLine(failures.shift() ?? 'failed without a message'),
    });
  }
  // Without totals the program died: the test it died in is a failure, those after it are missing.
  return whole(results, total === null ? results.length : Number(total[1]), 'zktest report');
}

interface GoEvent {
  readonly Action: string;
  readonly Test?: string;
  readonly Output?: string;
}

/** `go test -json`: one event a line, tests and sub-tests alike. */
export function readGoJson(report: string): readonly TestResult[] {
  const outcomes: Record<string, TestResult['outcome']> = { pass: 'passed', fail: 'failed', skip: 'skipped' };
  const results = new Map<string, TestResult>();
  const outputs = new Map<string, string[]>();
  let ended = false;
  for (const line of report.split('\n')) {
    if (line === '') continue;
    const event = JSON.parse(line) as GoEvent;
    const outcome = outcomes[event.Action];
    if (event.Test === undefined) {
      ended ||= outcome !== undefined;
    } else if (event.Action === 'run') {
      results.set(event.Test, { test: event.Test, outcome: 'failed', message: unfinished });
    } else if (event.Action === 'output') {
      outputs.set(event.Test, [...(outputs.get(event.Test) ?? []), event.Output ?? '']);
    } else if (outcome !== undefined) {
      const message = outcome === 'passed' ? '' : goMessage(outputs.get(event.Test) ?? []);
      results.set(event.Test, { test: event.Test, outcome, message });
    }
  }
  if (!ended) throw new Error('go test report: cut off, or none at all');
  return whole([...results.values()], results.size, 'go test report');
}

/** Go's own lines are `    file_test.go:12: what went wrong`; the servers' logs run through the same output. */
function goMessage(outputs: readonly string[]): string {
  const own = outputs.filter((line) => /^\s+\w+\.go:\d+: (?!\[ZKERR\])/.test(line));
  return oneLine((own.length > 0 ? own : outputs).slice(-3).join(' '));
}

/** ava's TAP: `ok N - file › title`, `not ok N - file › title`, a plan `1..N`. */
export function readTap(report: string): readonly TestResult[] {
  const plan = /^1\.\.(\d+)$/m.exec(report);
  if (plan === null) throw new Error('TAP report: cut off, or none at all');
  const results: TestResult[] = [];
  for (const [, not, title, directive] of report.matchAll(/^(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)\b.*)?$/gm)) {
    const outcome = directive !== undefined ? 'skipped' : not === undefined ? 'passed' : 'failed';
    const message = outcome === 'passed' ? '' : oneLine(directive ?? 'see the report');
    results.push({ test: (title ?? '').replace(' › ', ' > '), outcome, message });
  }
  return whole(results, Number(plan[1]), 'TAP report');
}
