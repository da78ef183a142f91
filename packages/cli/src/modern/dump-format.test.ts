/** The export format: every record comes back, and what is damaged is refused with its line. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { recordsOfDump } from './dump-file.js';
import { type DumpHead, endLine, headLine, parseDump, recordLine } from './dump-format.js';
import { openAcl, type TreeRecord } from './tree-record.js';

const directory = mkdtempSync(join(tmpdir(), 'zoots-dump-'));
after(() => rmSync(directory, { recursive: true }));

const root: TreeRecord = { path: '/', data: null, acl: openAcl, kind: 'persistent', ttlMs: null, owner: null };

async function parsed(lines: readonly string[], onHead?: (head: DumpHead) => void): Promise<TreeRecord[]> {
  return gathered(parseDump(lines, 'x.jsonl', onHead));
}

async function gathered(records: AsyncIterable<TreeRecord>): Promise<TreeRecord[]> {
  const all: TreeRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

const acls = fc.array(
  fc.record(
    { scheme: fc.string(), id: fc.string(), perms: fc.integer({ min: 0, max: 31 }) },
    { noNullPrototype: true },
  ),
  {
    minLength: 1,
  },
);
const kinds = fc.oneof(
  fc.constant({ kind: 'persistent', ttlMs: null, owner: null } as const),
  fc.constant({ kind: 'container', ttlMs: null, owner: null } as const),
  fc.constant({ kind: 'ephemeral', ttlMs: null, owner: '0x1f' } as const),
  fc.integer({ min: 1, max: 2 ** 40 - 1 }).map((ttlMs) => ({ kind: 'ttl', ttlMs, owner: null }) as const),
);

test('any record comes back as it was', async () => {
  const property = fc.asyncProperty(fc.option(fc.uint8Array()), acls, kinds, async (data, acl, kind) => {
    const record: TreeRecord = { path: '/a', data, acl, ...kind };
    const [, back] = await parsed([headLine({ root: '/' }), recordLine(root), recordLine(record), endLine]);
    assert.deepEqual({ ...back, data: back?.data && Uint8Array.from(back.data) }, record);
  });
  await fc.assert(property, { numRuns: 200 });
});

test('what is left out has its default; unknown members are ignored', async () => {
  assert.equal(recordLine(root), '{"path":"/","data":null}');
  const heads: DumpHead[] = [];
  const lines = ['{"zoots":"export","version":1,"root":"/app","more":1}', '', '{"path":"/","why":"?"}', endLine, ''];
  assert.deepEqual(await parsed(lines, (head) => heads.push(head)), [root]);
  assert.equal(heads[0]?.root, '/app');
});

const head = headLine({ root: '/' });
const first = recordLine(root);
const refusals: readonly (readonly [lines: string[], message: RegExp])[] = [
  [[], /^x\.jsonl:0: the file is empty/],
  [['{'], /^x\.jsonl:1: no JSON: /],
  [['[]'], /:1: each line is a JSON object/],
  [['{"path":"/"}'], /:1: this is no file of zoots export/],
  [['{"zoots":"export","version":2,"root":"/"}'], /:1: version 2 of the format is not known; this zoots reads 1/],
  [['{"zoots":"export","version":1}'], /:1: "root" is no path/],
  [[head, first], /:2: the last line \{"end":true\} is missing: the file was cut short/],
  [[head, first, endLine, first], /:4: there is something behind/],
  [[head, '{"data":""}'], /:2: "path" is missing/],
  [[head, '{"path":"a"}'], /:2: path "a" is not valid/],
  [[head, '{"path":"/a/"}'], /:2: path "\/a\/" is not valid/],
  [[head, first, first], /:3: path \/ comes twice/],
  [[head, first, '{"path":"/a/b"}'], /:3: path \/a\/b comes before its parent \/a/],
  [[head, '{"path":"/","data":1}'], /:2: "data" is neither null nor a text/],
  [[head, '{"path":"/","data":"?","encoding":"base64"}'], /:2: "data" is no base64/],
  [[head, '{"path":"/","data":"","encoding":"hex"}'], /:2: "encoding" is neither/],
  [[head, '{"path":"/","acl":[]}'], /:2: "acl" is no list/],
  [[head, '{"path":"/","acl":[{"scheme":"world","id":"anyone","perms":"x"}]}'], /:2: "acl": each entry has/],
  [[head, '{"path":"/","acl":[null]}'], /:2: "acl": each entry has/],
  [[head, '{"path":"/","kind":"odd"}'], /:2: "kind" is none of/],
  [[head, '{"path":"/","kind":"ttl"}'], /:2: "ttlMs" is missing/],
];

test('what is wrong is refused, with the line', async () => {
  for (const [lines, message] of refusals) await assert.rejects(parsed(lines), { name: 'RefusedError', message });
});

test('files plain and compressed, and files that are not there', async () => {
  const text = `${[head, first, endLine].join('\n')}\n`;
  const plain = join(directory, 'plain.jsonl');
  const gzip = join(directory, 'gzip');
  const cut = join(directory, 'cut.gz');
  writeFileSync(plain, text);
  writeFileSync(gzip, gzipSync(text));
  writeFileSync(cut, gzipSync(text).subarray(0, 40));
  for (const file of [plain, gzip]) assert.deepEqual(await gathered(recordsOfDump(file)), [root]);
  await assert.rejects(gathered(recordsOfDump(cut)));
  await assert.rejects(gathered(recordsOfDump(join(directory, 'none'))), { code: 'ENOENT' });
});
