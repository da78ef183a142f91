/**
 * A transaction as one line of text, as Apache's TxnLogToolkit prints it:
 *
 *   <date> session 0x<id> cxid 0x<n> zxid 0x<n> <op> <fields>
 *
 * Creates and setData have their fields side by side, data as text; the others are written as records (`'/path`, `v{…}`)
 * and end in a line break of their own. An ACL list holds one behind each entry, too: that is how Apache prints it.
 * The parts of a multi are op and raw bytes; with `isDecoded` they are written like transactions of their own.
 */
import { ByteReader, decodeUtf8, pairToBigint, pairToHex, toHex } from '@zoots/base';
import { OP, type RawAcl, readAcls, TxnBody, TxnHeader } from '@zoots/protocol';
import { recordString, shortDateLongTime } from './text-forms.js';

const names = new Map<number, string>(Object.entries(OP).map(([name, code]) => [code, name]));

function opName(type: number): string {
  return names.get(type) ?? `unknown ${type}`;
}

/** The line of an entry, with its line break. An entry that cannot be decoded is described instead. */
export function txnLine(entry: Uint8Array, isDecoded: boolean): string {
  const reader = new ByteReader(entry);
  const header = new TxnHeader();
  if (!header.read(reader)) return `an entry of ${entry.length} bytes without a readable header\n`;
  const time = shortDateLongTime(pairToBigint(header.timeHigh, header.timeLow));
  const session = pairToHex(header.sessionHigh, header.sessionLow);
  const ids = `session 0x${session} cxid 0x${toHex(header.cxid)} zxid 0x${toHex(header.zxid)}`;
  const line = `${time} ${ids} ${opName(header.type)} ${fieldsOf(header.type, reader, isDecoded)}`;
  return line.endsWith('\n') ? line : `${line}\n`;
}

function fieldsOf(type: number, reader: ByteReader, isDecoded: boolean): string {
  const body = new TxnBody();
  const byteCount = reader.remaining;
  const problem = body.read(reader, type);
  if (problem !== null) return `(${byteCount} bytes: ${problem})`;
  const format = formats.get(type);
  return format === undefined ? '' : format(body, isDecoded);
}

type Format = (body: TxnBody, isDecoded: boolean) => string;

const create: Format = (body) => `${pathData(body)},${aclList(body)},${body.isEphemeral},${body.parentCversion}`;
const setData: Format = (body) => `${pathData(body)},${body.version}`;
const pathOnly: Format = (body) => `${recordString(pathOf(body))}\n`;

const formats: ReadonlyMap<number, Format> = new Map<number, Format>([
  [OP.create, create],
  [OP.create2, create],
  [OP.createContainer, (body) => `${pathData(body)},${aclList(body)},${body.parentCversion}`],
  [
    OP.createTTL,
    (body) => `${pathData(body)},${aclList(body)},${body.parentCversion},${pairToBigint(body.ttlHigh, body.ttlLow)}`,
  ],
  [OP.delete, pathOnly],
  [OP.deleteContainer, pathOnly],
  [OP.setData, setData],
  [OP.reconfig, setData],
  [OP.setACL, (body) => `${recordString(pathOf(body))},${aclRecord(body)},${body.version}\n`],
  [OP.check, (body) => `${recordString(pathOf(body))},${body.version}\n`],
  [OP.createSession, (body) => `${body.timeoutMs}\n`],
  [OP.closeSession, (body) => (body.listCount < 0 ? '' : `v{${pathsOf(body).map(recordString).join(',')}}\n`)],
  [OP.error, (body) => `${body.error}\n`],
  [OP.multi, multiText],
]);

function multiText(body: TxnBody, isDecoded: boolean): string {
  const parts: string[] = [];
  const reader = new ByteReader(body.bytes, body.listStart);
  for (let i = 0; i < body.listCount; i++) {
    const type = reader.int32();
    const isNull = !reader.range();
    const { rangeStart, rangeEnd } = reader;
    if (isNull) parts.push(`${opName(type)}:`);
    else if (isDecoded) {
      const fields = fieldsOf(type, new ByteReader(body.bytes, rangeStart, rangeEnd), true);
      parts.push(`${opName(type)}:${fields.replace(/\n$/, '')}`);
    } else parts.push(`${opName(type)}:${decodeUtf8(body.bytes, rangeStart, rangeEnd)}`);
  }
  return parts.join(';');
}

function pathOf(body: TxnBody): string | null {
  return body.pathStart < 0 ? null : decodeUtf8(body.bytes, body.pathStart, body.pathEnd);
}

function pathData(body: TxnBody): string {
  const data = body.dataStart < 0 ? '' : decodeUtf8(body.bytes, body.dataStart, body.dataEnd);
  return `${pathOf(body)},${data}`;
}

function aclsOf(body: TxnBody): RawAcl[] | null {
  return readAcls(new ByteReader(body.bytes, body.aclStart, body.aclEnd));
}

/** As Java prints a list of records. */
function aclList(body: TxnBody): string {
  const acls = aclsOf(body);
  if (acls === null) return 'null';
  const entries = acls.map(({ perms, scheme, id }) => `${perms},s{${recordString(scheme)},${recordString(id)}}\n`);
  return `[${entries.join(', ')}]`;
}

/** As a vector within a record. */
function aclRecord(body: TxnBody): string {
  const acls = aclsOf(body) ?? [];
  return `v{${acls.map(({ perms, scheme, id }) => `s{${perms},s{${recordString(scheme)},${recordString(id)}}}`).join(',')}}`;
}

function pathsOf(body: TxnBody): (string | null)[] {
  const reader = new ByteReader(body.bytes, body.listStart);
  return Array.from({ length: body.listCount }, () => reader.string());
}
