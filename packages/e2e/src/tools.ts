/**
 * The data tools beside Apache's 3.9.5 on the same files: equal line by line, equal exit codes, equal files afterwards.
 *
 * The files come from an Apache server and from ours, which are filled with every kind of znode and transaction, and from
 * damage done to their logs. Run: node packages/e2e/dist/tools.js
 */
import { strict as assert } from 'node:assert';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type PeerKind, skipMissingPeer, startPeer } from './peers/peer.js';
import { fillServer } from './tools/material.js';
import { Toolbox, tools } from './tools/toolbox.js';

interface DataFiles {
  readonly snapshots: readonly string[];
  readonly logs: readonly string[];
}

/** Data of a server that wrote `compression`, was filled, stopped, and started and stopped once more. */
async function makeData(kind: PeerKind, workDir: string, compression: string): Promise<DataFiles> {
  const config = { snapCount: '500', 'snapshot.compression.method': compression, preAllocSize: '256' };
  const properties = { 'zookeeper.extendedTypesEnabled': 'true' };
  const port = await freePort();
  const first = await startPeer(kind, { workDir, port, config, properties });
  await fillServer(port).finally(() => first.stop());
  await (await startPeer(kind, { workDir, port, config, properties })).stop();
  const directory = join(workDir, 'data', 'version-2');
  const names = readdirSync(directory).sort((a, b) => zxidOf(a) - zxidOf(b));
  const paths = (prefix: string): string[] =>
    names.filter((name) => name.startsWith(prefix)).map((name) => join(directory, name));
  return { snapshots: paths('snapshot.'), logs: paths('log.') };
}

function zxidOf(name: string): number {
  return Number.parseInt(name.split('.')[1] ?? '', 16) || 0;
}

/** Counts what was compared; throws at the first difference. */
class Comparisons {
  readonly toolbox: Toolbox;
  count = 0;

  constructor(toolbox: Toolbox) {
    this.toolbox = toolbox;
  }

  same(...words: Parameters<Toolbox['difference']>): void {
    const difference = this.toolbox.difference(...words);
    assert.equal(difference, null, difference ?? '');
    this.count++;
  }
}

function compareSnapshots(comparisons: Comparisons, snapshots: readonly string[]): void {
  const last = snapshots.at(-1) as string;
  for (const words of [[last], ['-d', last], ['-json', last]]) comparisons.same(tools.snapshot, words);
  for (const path of snapshots.slice(0, -1)) comparisons.same(tools.snapshot, [path]);
  for (const [path, depth] of [
    ['/', '0'],
    ['/', '1'],
    ['/d/d', '3'],
    ['/wide', '0'],
  ] as const) {
    comparisons.same(tools.summary, [last, path, depth]);
  }
  const middle = snapshots[Math.floor(snapshots.length / 2)] as string;
  const pairs = [
    [middle, last],
    [last, middle],
  ] as const;
  for (const [left, right] of pairs) {
    const words = ['-l', left, '--right', right];
    comparisons.same(tools.compare, [...words, '-b', '10', '-n', '2']);
    comparisons.same(tools.compare, [...words, '--bytes=0', '--nodes=0', '-d']);
    const input = `${['', '/', '/wide', '/none', '999', 'x', '2', ''].join('\n')}\n${'\n'.repeat(1000)}`;
    comparisons.same(tools.compare, [...words, '-i', '-b', '3', '-n', '1'], { input });
  }
}

function compareLogs(comparisons: Comparisons, logs: readonly string[]): void {
  for (const path of logs) comparisons.same(tools.txnlog, [path], { isErrorCompared: true });
}

/** Offsets of the records of a log, and where the last one ends. */
function recordsOf(bytes: Buffer): { starts: number[]; end: number } {
  const starts: number[] = [];
  let at = 16;
  while (at + 12 <= bytes.length && bytes.readInt32BE(at + 8) > 0) {
    starts.push(at);
    at += 13 + bytes.readInt32BE(at + 8);
  }
  return { starts, end: at };
}

/** Recovery and chopping of one log, undamaged and damaged; what they write must be equal up to padding. */
function compareRepairs(comparisons: Comparisons, source: string, workDir: string): void {
  const bytes = readFileSync(source);
  const { starts, end } = recordsOf(bytes);
  const path = join(workDir, 'log.1');
  const damaged = Buffer.from(bytes);
  for (const index of [1, 4, starts.length - 1]) damaged[(starts[index] as number) + 3] ^= 1;
  damaged[(starts[2] as number) + 12 + 24] ^= 1;
  writeFileSync(path, damaged);
  comparisons.same(tools.txnlog, [path]);
  for (const [words, input] of [
    [['-r', '-y', path], ''],
    [['-ryv', path], ''],
    [['-r', path], 'y\nno maybe Yes\nN\n'],
    [['-r', '-v', path], 'n n n n'],
  ] as const) {
    compareWritten(comparisons, words, `${path}.fixed`, end, input);
  }
  comparisons.same(tools.txnlog, ['-r', path], {
    input: 'y a',
    isErrorCompared: true,
    between: () => rmSync(`${path}.fixed`),
  });
  writeFileSync(path, bytes);
  const zxidAt = (index: number): number => Number(bytes.readBigInt64BE((starts[index] as number) + 12 + 12));
  for (const zxid of [zxidAt(0), zxidAt(5), zxidAt(starts.length - 1), zxidAt(starts.length - 1) + 9]) {
    compareWritten(comparisons, ['-c', '-z', `0x${zxid.toString(16)}`, path], `${path}.chopped${zxid}`, end, '');
  }
  const holed = Buffer.concat([bytes.subarray(0, starts[3]), bytes.subarray(starts[5], end)]);
  writeFileSync(path, holed);
  compareWritten(comparisons, ['--chop', '--zxid', String(zxidAt(7)), path], `${path}.chopped${zxidAt(7)}`, end, '');
  for (const partial of [bytes.subarray(0, (starts[6] as number) + 5), bytes.subarray(0, (starts[6] as number) + 40)]) {
    writeFileSync(path, partial);
    comparisons.same(tools.txnlog, [path]);
  }
  const endless = Buffer.from(bytes);
  endless[(starts[7] as number) - 1] = 0;
  writeFileSync(path, endless);
  comparisons.same(tools.txnlog, [path], { isErrorCompared: true });
}

/** Runs a tool that writes a file; Apache's and ours must be equal up to Apache's padding. */
function compareWritten(
  comparisons: Comparisons,
  words: readonly string[],
  file: string,
  end: number,
  input: string,
): void {
  let written = Buffer.alloc(0);
  const take = (): void => {
    written = readFileSync(file);
    rmSync(file);
  };
  comparisons.same(tools.txnlog, words, { input, between: take });
  const ours = readFileSync(file);
  rmSync(file);
  assert.ok(ours.length > 16 && ours.length <= end, `${words.join(' ')}: ${ours.length} bytes`);
  assert.ok(ours.equals(written.subarray(0, ours.length)), `${words.join(' ')}: the files differ`);
  assert.ok(
    written.subarray(ours.length).every((byte) => byte === 0),
    `${words.join(' ')}: a part is missing`,
  );
}

/** Both clean up a copy of the same directory; the same files must be left. */
function compareCleanup(comparisons: Comparisons, source: string, workDir: string): void {
  const directory = join(workDir, 'cleanup');
  const restore = (): string[] => {
    const left = existsSync(directory) ? readdirSync(join(directory, 'version-2')).sort() : [];
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    cpSync(source, join(directory, 'version-2'), { recursive: true, preserveTimestamps: true });
    return left;
  };
  const words = [directory, '-n', '3'];
  restore();
  const apache = comparisons.toolbox.apache(tools.cleanup, words);
  const apacheLeft = restore();
  const zoots = comparisons.toolbox.zoots(tools.cleanup, words);
  // Apache removes in the order of the directory, which is no order.
  assert.deepEqual(zoots.out.split('\n').sort(), apache.out.split('\n').sort());
  assert.deepEqual(readdirSync(join(directory, 'version-2')).sort(), apacheLeft);
  comparisons.count++;
}

function compareMisuse(comparisons: Comparisons): void {
  const words = [
    [tools.txnlog, ['-c', '-z']],
    [tools.txnlog, ['nothing-here']],
    [tools.snapshot, []],
    [tools.snapshot, ['nothing-here']],
    [tools.compare, ['-l', 'x']],
    [tools.summary, ['x', '/']],
    [tools.cleanup, ['.', '-n', '2']],
    [tools.cleanup, ['nothing-here', '-n', '3']],
  ] as const;
  for (const [tool, arguments_] of words) {
    const [apache, zoots] = [comparisons.toolbox.apache(tool, arguments_), comparisons.toolbox.zoots(tool, arguments_)];
    // The help texts are our own; whether there is one, the reason and the exit code are Apache's.
    assert.equal(zoots.exitCode, apache.exitCode, `${tool.command} ${arguments_.join(' ')}`);
    assert.equal(zoots.out === '', apache.out === '');
    if (!apache.error.startsWith('USAGE')) assert.equal(zoots.error, apache.error);
    comparisons.count++;
  }
}

async function compareTools(workDir: string): Promise<void> {
  const toolbox = new Toolbox(workDir);
  for (const [kind, compression] of [
    ['apache-3.9.5', ''],
    ['apache-3.8.0', 'gz'],
    ['zoots', ''],
    ['zoots', 'gz'],
    ['zoots', 'snappy'],
  ] as const) {
    const startMs = performance.now();
    const comparisons = new Comparisons(toolbox);
    const directory = mkdtempSync(join(workDir, `${kind}-`));
    const { snapshots, logs } = await makeData(kind, directory, compression);
    compareSnapshots(comparisons, snapshots);
    compareLogs(comparisons, logs);
    if (compression === '') compareRepairs(comparisons, logs[0] as string, directory);
    compareCleanup(comparisons, join(directory, 'data', 'version-2'), directory);
    const what = `${snapshots.length} snapshots ${compression || 'plain'}, ${logs.length} logs`;
    console.log(
      `ok ${kind}: ${comparisons.count} outputs equal (${what}, ${Math.round(performance.now() - startMs)} ms)`,
    );
  }
  const misuse = new Comparisons(toolbox);
  compareMisuse(misuse);
  console.log(`ok misuse: ${misuse.count} refusals equal`);
}

const workDir = mkdtempSync(join(tmpdir(), 'zoots-tools-'));
try {
  await compareTools(workDir);
} catch (error) {
  skipMissingPeer(error);
} finally {
  rmSync(workDir, { recursive: true, force: true });
}
