import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ByteWriter } from '@zoots/base';
import { writeLogHeader } from '@zoots/storage';
import { runTool } from '../data-tools/run-tool.js';
import { sampleLog } from '../data-tools/sample-files.js';

const directory = mkdtempSync(join(tmpdir(), 'zoots-txnlog-'));
after(() => rmSync(directory, { recursive: true }));

const log = join(directory, 'log.1');
const sample = sampleLog();
// Zeros behind the records, as a preallocated log has them.
const padded = Buffer.concat([sample.bytes, Buffer.alloc(1000)]);
writeFileSync(log, padded);

function damaged(name: string, positions: readonly number[]): string {
  const bytes = Buffer.from(padded);
  for (const at of positions) bytes[at] ^= 1;
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
}

/** Within the entry of a record: the second byte of its time. */
function entryByte(index: number): number {
  return (sample.offsets[index] as number) + 12 + 25;
}

const acl = "[31,s{'world,'anyone}\n, 1,s{'digest,'a%2Cb:c%7D}\n]";
const dumped = `ZooKeeper Transactional Log File with dbid 0 txnlog format version 2
11/14/23, 10:13:20 PM UTC session 0x1000001ffff0000 cxid 0x0 zxid 0x1 createSession 30000
11/14/23, 10:13:21 PM UTC session 0x1000001ffff0000 cxid 0x1 zxid 0x2 create /ä,söme,${acl},true,1
11/14/23, 10:13:22 PM UTC session 0x1000001ffff0000 cxid 0x2 zxid 0x3 createTTL /ttl,,${acl},2,5000
11/14/23, 10:13:23 PM UTC session 0x1000001ffff0000 cxid 0x3 zxid 0x4 createContainer /box,,${acl},3
11/14/23, 10:13:24 PM UTC session 0x1000001ffff0000 cxid 0x4 zxid 0x5 setData /ä,x,1
11/14/23, 10:13:25 PM UTC session 0x1000001ffff0000 cxid 0x5 zxid 0x6 setACL '/a%2C%25%7D,v{s{31,s{'world,'anyone}},s{1,s{'digest,'a%2Cb:c%7D}}},1
11/14/23, 10:13:26 PM UTC session 0x1000001ffff0000 cxid 0x6 zxid 0x7 delete '/ä
11/14/23, 10:13:27 PM UTC session 0x1000001ffff0000 cxid 0x7 zxid 0x8 multi delete:\0\0\0\x02/m;error:\ufffd\ufffd\ufffd\ufffd
11/14/23, 10:13:28 PM UTC session 0x1000001ffff0000 cxid 0x8 zxid 0x9 error -110
11/14/23, 10:13:29 PM UTC session 0x1000001ffff0000 cxid 0x9 zxid 0xa closeSession v{'/e1,'/e2}
EOF reached after 10 txns.
`;

test('dump prints a line for each type of transaction, as Apache does', () => {
  const result = runTool(['txnlog', log]);
  assert.equal(result.out, dumped);
  assert.deepEqual([result.exitCode, result.error], [0, '']);
});

test('--decode prints the parts of a multi', () => {
  assert.match(runTool(['txnlog', '--decode', log]).out, /multi delete:'\/m;error:-101\n/);
});

test('bad invocations print help or a reason, with the exit codes of Apache', () => {
  assert.equal(runTool(['txnlog']).exitCode, 1);
  assert.equal(runTool(['txnlog', '-h']).exitCode, 0);
  const unknown = runTool(['txnlog', '-x', log]);
  assert.equal(unknown.error, 'Unrecognized option: -x\n\n');
  assert.match(unknown.out, /^usage: TxnLogToolkit /);
  assert.equal(unknown.exitCode, 1);
  assert.equal(runTool(['txnlog', '-c', '-z']).error, 'Missing argument for option: z\n\n');
  const missing = runTool(['txnlog', join(directory, 'none')]);
  assert.equal(missing.error, `File doesn't exist or not readable: ${join(directory, 'none')}\n`);
  assert.equal(missing.exitCode, 1);
  const wrong = runTool(['txnlog', damaged('log.magic', [0])]);
  assert.deepEqual([wrong.exitCode, wrong.error], [2, 'Invalid magic number for log.magic\n']);
});

test('a wrong checksum is shown, and the damage named on stderr', () => {
  const result = runTool(['txnlog', damaged('log.crc', [entryByte(4)])]);
  assert.equal(result.exitCode, 0);
  const lines = result.lines.filter((line) => line.includes('zxid 0x5 '));
  assert.equal(lines.length, 2);
  assert.equal(lines[0], `CRC ERROR - ${lines[1]}`);
  assert.match(result.error, /log\.crc: corrupt at offset \d+: /);
});

test('a record without its end is partial', () => {
  const end = (sample.offsets[9] as number) - 1;
  const result = runTool(['txnlog', damaged('log.partial', [end])]);
  assert.deepEqual([result.exitCode, result.error], [1, 'Last transaction was partial.\n']);
  assert.equal(result.lines.at(-2)?.includes('zxid 0x9 error'), true);
});

test('recovery with -y mends every checksum; the copy is the undamaged log', () => {
  const path = damaged('log.y', [sample.offsets[2] as number, (sample.offsets[5] as number) + 6]);
  const result = runTool(['txnlog', '-ry', path]);
  assert.deepEqual(
    result.lines.map((line) => line.slice(0, 11)).filter((line) => line.startsWith('CRC')),
    ['CRC FIXED -', 'CRC FIXED -'],
  );
  assert.equal(result.lines.at(-2), `Recovery file ${path}.fixed has been written with 2 fixed CRC error(s)`);
  assert.deepEqual(readFileSync(`${path}.fixed`), Buffer.from(sample.bytes));
  const again = runTool(['txnlog', '-ry', path]);
  assert.deepEqual([again.exitCode, again.error], [1, `Recovery file ${path}.fixed already exists or not writable\n`]);
});

test('recovery asks: what is not mended stays as it was, abort leaves nothing', () => {
  const places = [sample.offsets[2] as number, sample.offsets[5] as number];
  const path = damaged('log.ask', places);
  const aborted = runTool(['txnlog', '-r', path], 'yes\nabort\n');
  assert.deepEqual([aborted.exitCode, aborted.error], [0, 'Recovery aborted.\n']);
  assert.equal(existsSync(`${path}.fixed`), false);
  assert.equal(runTool(['txnlog', '-r', path], '').exitCode, 1);
  const result = runTool(['txnlog', '--recover', path], 'perhaps no y\n');
  assert.equal(result.out.match(/Would you like to fix it \(Yes\/No\/Abort\) \? /g)?.length, 3);
  assert.match(result.out, /written with 1 fixed CRC error/);
  const expected = Buffer.from(sample.bytes);
  expected[places[0] as number] ^= 1;
  assert.deepEqual(readFileSync(`${path}.fixed`), expected);
});

test('chop keeps everything up to the zxid', () => {
  const result = runTool(['txnlog', '-c', '-z', '0x4', log]);
  assert.equal(result.lines[1], 'Chopping at 4 new log has 4 records');
  assert.deepEqual(readFileSync(`${log}.chopped4`), Buffer.from(sample.bytes.subarray(0, sample.offsets[4])));
  const last = runTool(['txnlog', '--chop', '--zxid=10', log]);
  assert.deepEqual(last.lines.slice(1, 3), ['EOF reached after 10 txns.', 'Got exception: Failed to chop log.1']);
  assert.equal(runTool(['txnlog', '-c', '-z', 'x', log]).exitCode, 1);
});

test('chop names gaps', () => {
  const second = sampleLog(0x100000003).bytes.subarray(16);
  const path = join(directory, 'log.gap');
  writeFileSync(path, Buffer.concat([sample.bytes, second]));
  const result = runTool(['txnlog', '-c', '-z', '0x100000003', path]);
  assert.deepEqual(result.lines.slice(1, 3), [
    'There is inter-epoch gap between a and 100000003',
    'Chopping at 100000003 new log has 11 records',
  ]);
});

test('a durable mark is true of the original only, and is not copied', () => {
  const header = new ByteWriter();
  writeLogHeader(header, sample.bytes.length);
  const bytes = Buffer.concat([header.toBytes(), sample.bytes.subarray(header.length)]);
  const path = join(directory, 'log.mark');
  writeFileSync(path, bytes);
  runTool(['txnlog', '-ry', path]);
  assert.deepEqual(readFileSync(`${path}.fixed`), Buffer.from(sample.bytes));
});
