/**
 * Requests that stop an Apache server for good, and so cannot be compared: what ours answers to them is shown by
 * the hostile-input tests instead. Each is logged first and fails when applied, also at every later start.
 */
import { WireReader } from '../wire/bytes.js';
import { Op, readAcls } from '../wire/records.js';

const ttlFlags = [5, 6];
const createTypes = new Set<number>([Op.create, Op.create2, Op.createContainer, Op.createTTL]);

/** The limits of no path at all: applying it fails on the empty path, in every version. */
const rootLimits = '/zookeeper/quota/zookeeper_limits';

/** Reads one create of any kind. Also lethal: plain flags with a negative ttl, in every version up to 3.9.5. */
function isLethalCreate(reader: WireReader, type: number): boolean {
  const path = reader.string();
  reader.buffer();
  readAcls(reader);
  const flags = reader.int32();
  const ttl = type === Op.createTTL ? reader.int64() : 0n;
  return path === rootLimits || (ttl < 0n && !ttlFlags.includes(flags));
}

/** Reads past one sub-request of a multi; true when it is lethal. Throws where the list does not decode. */
function skipMultiEntry(reader: WireReader, type: number): boolean {
  if (createTypes.has(type)) return isLethalCreate(reader, type);
  reader.string();
  if (type === Op.setData) reader.buffer();
  reader.int32();
  return false;
}

export function isLethal(type: number, body: Buffer): boolean {
  try {
    const reader = new WireReader(body);
    if (createTypes.has(type)) return isLethalCreate(reader, type);
    if (type !== Op.multi) return false;
    for (;;) {
      const entryType = reader.int32();
      const done = reader.bool();
      reader.int32();
      if (done) return false;
      if (skipMultiEntry(reader, entryType)) return true;
    }
  } catch {
    // It does not decode here, nor there: a marshalling error.
    return false;
  }
}

/** Does every entry decode, with no null path, ACL list, scheme or id? What does not ends in an exception of Java's. */
export function isOrderlyMulti(body: Buffer): boolean {
  try {
    const reader = new WireReader(body);
    for (;;) {
      const type = reader.int32();
      const done = reader.bool();
      reader.int32();
      if (done) return true;
      if (reader.string() === null) return false;
      if (createTypes.has(type)) {
        reader.buffer();
        const acls = readAcls(reader);
        if (acls === null || acls.some(({ scheme, id }) => scheme === null || id === null)) return false;
        reader.int32();
        if (type === Op.createTTL) reader.int64();
      } else {
        if (type === Op.setData) reader.buffer();
        reader.int32();
      }
    }
  } catch {
    return false;
  }
}
