/**
 * Brings a received frame into the form in which two servers must agree to the byte, and into readable text.
 *
 * Replaced: ctime and mtime (by "zero", "during this run" or "out of range"), session ids (by their number in this
 * run), passwords (checked against the formula first). Sorted, because no order is promised: children, ephemerals,
 * whoAmI's identities. Everything else stays as it came, zxids above all.
 */
import { WireFormatError, WireReader, WireWriter } from '../wire/bytes.js';
import { type Acl, errorName, eventTypes, Op, opName, readConnectResponse, sessionPassword } from '../wire/records.js';

/** What one server calls the things of this run. */
export interface SideNames {
  /** The number of a session of this run; -1 for an id that is not one. */
  sessionNumber(id: bigint): number;
  /** The server's zxid without the transactions that, by a known difference, only this server counts. */
  canonicalZxid(zxid: bigint): bigint;
  /** Wall-clock bounds of the run, ms since 1970. */
  readonly timeMinMs: number;
  readonly sortAcls: boolean;
  readonly maskEventZxid: boolean;
}

export interface CanonicalFrame {
  readonly bytes: Buffer;
  readonly text: string;
  readonly isEvent: boolean;
}

const clockSlackMs = 2_000;

/** Reads a body, writes its canonical form, and remembers the words for people. */
class Canonicaliser {
  readonly reader: WireReader;
  readonly writer = new WireWriter();
  readonly words: string[] = [];
  readonly #names: SideNames;

  constructor(frame: Buffer, names: SideNames) {
    this.reader = new WireReader(frame);
    this.#names = names;
  }

  int32(label: string): number {
    const value = this.reader.int32();
    this.writer.int32(value);
    this.words.push(`${label}=${value}`);
    return value;
  }

  string(label: string): void {
    const text = this.reader.buffer();
    this.writer.buffer(text);
    this.words.push(`${label}=${text === null ? 'null' : JSON.stringify(text.toString('utf8'))}`);
  }

  data(): void {
    const data = this.reader.buffer();
    this.writer.buffer(data);
    this.words.push(`data=${data === null ? 'null' : JSON.stringify(data.toString('latin1').slice(0, 200))}`);
  }

  zxid(label: string): void {
    const raw = this.reader.int64();
    const zxid = this.#names.canonicalZxid(raw);
    this.writer.int64(zxid);
    this.words.push(`${label}=${zxid}`);
  }

  #time(label: string): void {
    const timeMs = Number(this.reader.int64());
    const inRange = timeMs >= this.#names.timeMinMs - clockSlackMs && timeMs <= Date.now() + clockSlackMs;
    const mark = timeMs === 0 ? 'zero' : inRange ? 'now' : `out-of-range(${timeMs})`;
    this.writer.string(mark);
    this.words.push(`${label}=${mark}`);
  }

  stat(): void {
    this.zxid('czxid');
    this.zxid('mzxid');
    this.#time('ctime');
    this.#time('mtime');
    this.int32('version');
    this.int32('cversion');
    this.int32('aversion');
    const owner = this.reader.int64();
    const number = this.#names.sessionNumber(owner);
    const mark = owner === 0n ? '0' : number >= 0 ? `session ${number}` : `0x${BigInt.asUintN(64, owner).toString(16)}`;
    this.writer.string(mark);
    this.words.push(`owner=${mark}`);
    this.int32('dataLength');
    this.int32('numChildren');
    this.zxid('pzxid');
  }

  /** A vector whose order is not promised. */
  sortedStrings(label: string): void {
    const items = this.reader.vector(() => this.reader.buffer() ?? Buffer.from('\0null'));
    const sorted = items === null ? null : items.sort(Buffer.compare);
    this.writer.vector(sorted, (item) => this.writer.buffer(item));
    this.words.push(`${label}=[${sorted?.map(String).join(',') ?? 'null'}]`);
  }

  acls(): void {
    const acls = this.reader.vector<Acl>(() => ({
      perms: this.reader.int32(),
      scheme: this.reader.string(),
      id: this.reader.string(),
    }));
    const key = (acl: Acl): string => `${acl.perms}:${acl.scheme}:${acl.id}`;
    if (this.#names.sortAcls) acls?.sort((a, b) => (key(a) < key(b) ? -1 : 1));
    this.writer.vector(acls, (acl) => this.writer.int32(acl.perms).string(acl.scheme).string(acl.id));
    this.words.push(`acl=[${acls?.map(key).join(' ') ?? 'null'}]`);
  }

  identities(): void {
    const items = this.reader.vector(() => `${this.reader.string()}:${this.reader.string()}`);
    items?.sort();
    this.writer.vector(items, (item) => this.writer.string(item));
    this.words.push(`ids=[${items?.join(' ') ?? 'null'}]`);
  }

  multi(): void {
    for (;;) {
      const type = this.int32('\n    type');
      const done = this.reader.bool();
      this.writer.bool(done);
      const err = this.int32('err');
      if (done) return;
      if (type === Op.error) {
        this.int32(errorName(err));
        continue;
      }
      const read = multiBodies[type];
      if (read === undefined) throw new WireFormatError(`multi result type ${type}`);
      read(this);
    }
  }

  /** Whatever is left, as it is. */
  rest(): void {
    const rest = this.reader.bytes.subarray(this.reader.at);
    this.writer.raw(rest);
    if (rest.length > 0) this.words.push(`UNREAD ${rest.toString('hex')}`);
  }
}

type ReadBody = (c: Canonicaliser) => void;

const path: ReadBody = (c) => c.string('path');
const stat: ReadBody = (c) => c.stat();
const pathStat: ReadBody = (c) => {
  c.string('path');
  c.stat();
};
const dataStat: ReadBody = (c) => {
  c.data();
  c.stat();
};
const children: ReadBody = (c) => c.sortedStrings('children');

const multiBodies: Readonly<Record<number, ReadBody>> = {
  [Op.create]: path,
  [Op.create2]: pathStat,
  [Op.setData]: stat,
  [Op.delete]: () => {},
  [Op.check]: () => {},
  [Op.getData]: dataStat,
  [Op.getChildren]: children,
};

/** Reply body by request type; an absent row means "no body". */
const replyBodies: Readonly<Record<number, ReadBody>> = {
  [Op.create]: path,
  [Op.create2]: pathStat,
  [Op.createContainer]: pathStat,
  [Op.createTTL]: pathStat,
  [Op.exists]: stat,
  [Op.getData]: dataStat,
  [Op.setData]: stat,
  [Op.getACL]: (c) => {
    c.acls();
    c.stat();
  },
  [Op.setACL]: stat,
  [Op.getChildren]: children,
  [Op.getChildren2]: (c) => {
    c.sortedStrings('children');
    c.stat();
  },
  [Op.sync]: path,
  [Op.multi]: (c) => c.multi(),
  [Op.multiRead]: (c) => c.multi(),
  [Op.reconfig]: dataStat,
  [Op.sasl]: (c) => c.data(),
  [Op.getEphemerals]: (c) => c.sortedStrings('ephemerals'),
  [Op.getAllChildrenNumber]: (c) => void c.int32('total'),
  [Op.addWatch]: (c) => void c.int32('err'),
  [Op.whoAmI]: (c) => c.identities(),
};

export function canonicalReply(frame: Buffer, type: number, names: SideNames): CanonicalFrame {
  return guarded(frame, opName(type), false, names, (c) => {
    const xid = c.int32('xid');
    c.zxid('zxid');
    const err = c.int32('err');
    if (err !== 0) c.words.push(errorName(err));
    // A reply to a ping has no body, whatever its request's type field was mapped to.
    if (err === 0 && !(xid === -2 && type === Op.ping)) replyBodies[type]?.(c);
    // A multi that stumbles over an exception answers with the error and, behind it, what it had collected.
    else if (c.reader.remaining > 0 && (type === Op.multi || type === Op.multiRead)) c.multi();
  });
}

export function canonicalEvent(frame: Buffer, names: SideNames): CanonicalFrame {
  return guarded(frame, 'event', true, names, (c) => {
    c.int32('xid');
    if (names.maskEventZxid) {
      c.reader.int64();
      c.writer.int64(-1n);
    } else {
      c.zxid('zxid');
    }
    c.int32('err');
    const type = c.int32('type');
    c.words.push(eventTypes[type] ?? 'no known type');
    c.int32('state');
    c.string('path');
  });
}

function guarded(
  frame: Buffer,
  title: string,
  isEvent: boolean,
  names: SideNames,
  read: (c: Canonicaliser) => void,
): CanonicalFrame {
  const c = new Canonicaliser(frame, names);
  try {
    read(c);
    c.rest();
    return { bytes: c.writer.finish(), text: `${title}: ${c.words.join(' ')}`, isEvent };
  } catch (error) {
    const text = `${title}: undecodable (${(error as Error).message}) ${frame.toString('hex')}`;
    return { bytes: Buffer.from(frame), text, isEvent };
  }
}

/** The password is checked against the formula, then only the verdict is compared; the id becomes its number. */
export function canonicalConnect(frame: Buffer, names: SideNames): CanonicalFrame {
  const response = readConnectResponse(frame);
  const { sessionId, password } = response;
  const expected = sessionId === 0n ? Buffer.alloc(16) : sessionPassword(sessionId);
  const passwordWord =
    password !== null && expected.equals(password) ? 'as computed' : `WRONG ${password?.toString('hex')}`;
  const session = sessionId === 0n ? 'none' : `session ${names.sessionNumber(sessionId)}`;
  const text =
    `connect: version=${response.protocolVersion} timeout=${response.timeoutMs} ${session} password ${passwordWord} ` +
    `readOnly=${response.readOnly ?? 'absent'} length=${frame.length}`;
  return { bytes: Buffer.from(text), text, isEvent: false };
}
