/** The session core against scripted ports: the test plays the network, the server and the clock. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteReader, ByteWriter, Prng } from '@zoots/base';
import { EVENT, OP, readConnectRequest, XID } from '@zoots/protocol';
import { type FailureOutcome, type FailureReason, SessionRequest } from './request.js';
import { SessionCore } from './session-core.js';
import type { SessionOptions, SessionPorts } from './session-ports.js';
import type { WatchAsk, Watcher } from './watch-registry.js';

const OPTIONS: SessionOptions = {
  serverCount: 1,
  sessionTimeoutMs: 9_000,
  connectTimeoutMs: 1_000,
  readOnly: false,
  auth: [],
  session: null,
  backoffMinMs: 10,
  backoffMaxMs: 100,
  newSession: true,
  inFlightMax: 100,
  waitingMax: 100,
  failWhenSuspended: false,
  requestBytesMax: 1_000,
  replyBytesMax: 1_000,
};

interface Frame {
  readonly xid: number;
  readonly op: number;
  readonly body: Uint8Array;
}

/** Ports that write everything down, and a server that answers what the test says. */
class Stage implements SessionPorts {
  readonly core: SessionCore;
  readonly prng = new Prng(1);
  /** States, session ends and the like, as words in order. */
  log: string[] = [];
  now = 1_000;
  dialled: number[] = [];
  disconnects = 0;
  isDirty = false;
  hear: (word: string) => void = () => {};
  #sent: Frame[] = [];
  #connectFrame: Uint8Array | null = null;

  constructor(options: Partial<SessionOptions> = {}) {
    this.core = new SessionCore({ ...OPTIONS, ...options }, this);
  }

  nowMs(): number {
    return this.now;
  }
  connect(server: number): void {
    this.dialled.push(server);
  }
  disconnect(): void {
    this.disconnects++;
  }
  onDirty(): void {
    this.isDirty = true;
  }
  onDeadline(): void {}
  onState(state: string): void {
    this.#say(state);
  }
  onSession(): void {
    this.#say('session');
  }
  onSessionEnd(end: string): void {
    this.#say(`end ${end}`);
  }
  onEvent(type: number, path: string): void {
    this.#say(`event ${type} ${path}`);
  }
  onConnectionEnd(): void {}

  #say(word: string): void {
    this.log.push(word);
    this.hear(word);
  }

  write(filled: ByteWriter): ByteWriter {
    const bytes = filled.toBytes().slice();
    if (this.#connectFrame === null) this.#connectFrame = bytes;
    else {
      for (let at = 0; at < bytes.length; ) {
        const reader = new ByteReader(bytes, at, bytes.length);
        const end = at + 4 + reader.int32();
        this.#sent.push({ xid: reader.int32(), op: reader.int32(), body: bytes.slice(reader.offset, end) });
        at = end;
      }
    }
    return new ByteWriter();
  }

  // ---- the script ----

  /** What left since the last call; the turn of the process ends first. */
  sent(): Frame[] {
    if (this.isDirty) this.core.flush();
    this.isDirty = false;
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  ops(): number[] {
    return this.sent().map(({ op }) => op);
  }

  connected(): NonNullable<ReturnType<typeof readConnectRequest>> {
    this.#connectFrame = null;
    this.core.onConnected();
    const ask = readConnectRequest(new ByteReader(this.#connectFrame ?? new Uint8Array(0), 4));
    assert.ok(ask !== null);
    return ask;
  }

  receive(build: (out: ByteWriter) => void): void {
    const out = new ByteWriter();
    out.int32(0);
    build(out);
    out.setInt32At(0, out.length - 4);
    this.core.onBytes(out.toBytes(), 0, out.length);
  }

  accept(low: number, timeoutMs = 9_000): void {
    this.receive((out) => {
      out.int32(0);
      out.int32(timeoutMs);
      out.longPair(0, low);
      out.buffer(new Uint8Array(16).fill(low));
      out.bool(false);
    });
  }

  reply(xid: number, zxid: number, code = 0, text?: string): void {
    this.receive((out) => {
      out.int32(xid);
      out.long(zxid);
      out.int32(code);
      if (text !== undefined) out.string(text);
    });
  }

  event(type: number, path: string, zxid = 1): void {
    this.receive((out) => {
      out.int32(XID.notification);
      out.long(zxid);
      out.int32(0);
      out.int32(type);
      out.int32(3);
      out.string(path);
    });
  }

  /** Dialled, shaken hands, open. */
  open(low = 1): this {
    if (this.dialled.length === 0) this.core.start();
    this.connected();
    this.accept(low);
    return this;
  }

  lose(): void {
    this.core.onDisconnected('reset');
  }

  /** The pause before the next dial goes by. */
  redial(): void {
    this.now = Math.max(this.now, this.core.deadlineMs);
    this.core.onTime();
  }

  ask(op: number = OP.getData, watch: WatchAsk | null = null): TestRequest {
    const request = new TestRequest(op, watch);
    this.core.submit(request);
    return request;
  }
}

const READS: readonly number[] = [OP.getData, OP.exists, OP.addWatch];

class TestRequest extends SessionRequest {
  readonly op: number;
  readonly watch: WatchAsk | null;
  text = '/a';
  /** How it ended, each time it was told. */
  ends: string[] = [];
  onEnd: () => void = () => {};

  constructor(op: number, watch: WatchAsk | null) {
    super();
    this.op = op;
    this.watch = watch;
  }

  get isRepeatable(): boolean {
    return READS.includes(this.op);
  }

  write(writer: ByteWriter): void {
    writer.string(this.text);
  }

  onReply(code: number, zxid: number, reader: ByteReader): void {
    this.ends.push(`${code} at ${zxid}${reader.remaining > 0 ? ` ${reader.string()}` : ''}`);
    this.onEnd();
  }

  onFailed(reason: FailureReason, outcome: FailureOutcome): void {
    this.ends.push(`${reason}, ${outcome}`);
    this.onEnd();
  }
}

class TestWatcher implements Watcher {
  heard: string[] = [];
  onEvent(type: number, path: string): void {
    this.heard.push(`${type} ${path}`);
  }
  onGap(path: string): void {
    this.heard.push(`gap ${path}`);
  }
  onRemoved(path: string): void {
    this.heard.push(`removed ${path}`);
  }
}

// ---- sessions ----

test('a first session, a request, its answer', () => {
  const stage = new Stage();
  stage.core.start();
  const ask = stage.connected();
  assert.deepEqual([ask.sessionHigh, ask.sessionLow, ask.timeoutMs, ask.lastZxidSeen], [0, 0, 9_000, 0]);
  stage.accept(7);
  assert.deepEqual(stage.log, ['session', 'connected']);
  const request = stage.ask();
  const [frame] = stage.sent();
  assert.deepEqual([frame?.xid, frame?.op], [1, OP.getData]);
  stage.reply(1, 5, 0, 'data');
  assert.deepEqual(request.ends, ['0 at 5 data']);
  assert.equal(stage.core.lastZxid, 5);
  assert.equal(stage.core.pendingCount, 0);
});

test('a lost connection: reads are asked again, in order and first; a write has an unknown outcome', () => {
  const stage = new Stage({ inFlightMax: 3 }).open();
  const first = stage.ask();
  const write = stage.ask(OP.setData);
  const second = stage.ask();
  const waiting = stage.ask(OP.setData);
  stage.sent();
  stage.lose();
  assert.deepEqual(write.ends, ['connection-loss, unknown']);
  stage.redial();
  assert.equal(stage.connected().sessionLow, 1);
  stage.accept(1);
  assert.deepEqual(stage.log, ['session', 'connected', 'suspended', 'connected']);
  assert.deepEqual(stage.ops(), [OP.getData, OP.getData, OP.setData]);
  stage.reply(first.xid, 1);
  stage.reply(second.xid, 2);
  stage.reply(waiting.xid, 3);
  for (const request of [first, second, waiting]) assert.equal(request.ends.length, 1);
});

test('an expired session: everything ends, and another session begins', () => {
  const stage = new Stage().open();
  const inFlight = stage.ask();
  stage.sent();
  stage.lose();
  stage.redial();
  stage.connected();
  stage.accept(0, 0);
  assert.deepEqual(inFlight.ends, ['session-lost, not-sent']);
  assert.deepEqual(stage.log.slice(2), ['suspended', 'lost', 'end expired']);
  stage.redial();
  assert.equal(stage.connected().sessionLow, 0);
  stage.accept(2);
  assert.deepEqual(stage.log.slice(5), ['session', 'connected']);
});

test('a server that opens another session in place of this one has lost it', () => {
  const stage = new Stage().open(1);
  stage.lose();
  stage.redial();
  stage.connected();
  stage.accept(2);
  assert.deepEqual(stage.log.slice(2), ['suspended', 'lost', 'end replaced', 'session', 'connected']);
});

test('no server answers: the session is given up a timeout after the last answered request was sent', () => {
  const stage = new Stage().open();
  stage.now = 3_000;
  const request = stage.ask();
  stage.sent();
  stage.now = 4_000;
  stage.reply(request.xid, 1);
  stage.lose();
  stage.now = 11_999;
  stage.core.onTime();
  assert.equal(stage.core.state, 'suspended');
  stage.now = 12_000;
  stage.core.onTime();
  assert.equal(stage.core.state, 'lost');
  assert.deepEqual(stage.log.slice(-1), ['end unreachable']);
  assert.equal(stage.core.session, null);
});

test('answers that lay in the socket while this process stood still are nobody’s any more', () => {
  const stage = new Stage().open();
  const request = stage.ask();
  stage.sent();
  stage.now += 9_000;
  stage.reply(request.xid, 5);
  assert.equal(stage.core.state, 'lost');
  assert.deepEqual(request.ends, ['session-lost, unknown']);
});

test('an answer to what was asked a moment ago proves that the session lives', () => {
  const stage = new Stage().open();
  stage.now += 8_999;
  const request = stage.ask();
  stage.sent();
  stage.now += 10;
  stage.reply(request.xid, 5);
  assert.equal(stage.core.state, 'connected');
  assert.deepEqual(request.ends, ['0 at 5']);
});

test('what is asked when the session is lost is for the next one', () => {
  const stage = new Stage().open();
  const write = stage.ask(OP.setData);
  stage.sent();
  const again = new TestRequest(OP.setData, null);
  write.onEnd = () => stage.core.submit(again);
  stage.now = 10_000;
  stage.core.onTime();
  assert.deepEqual(stage.log.slice(2), ['lost', 'end unreachable']);
  assert.deepEqual(write.ends, ['session-lost, unknown']);
  assert.equal(stage.disconnects, 1);
  assert.deepEqual(again.ends, []);
  stage.redial();
  stage.open(2);
  const [frame] = stage.sent();
  stage.reply(frame?.xid ?? 0, 1);
  assert.deepEqual(again.ends, ['0 at 1']);
});

test('events do not keep a session alive whose requests nobody answers', () => {
  const stage = new Stage().open();
  for (stage.now = 1_000; stage.now < 11_000 && stage.core.session !== null; stage.now += 500) {
    stage.event(EVENT.nodeDataChanged, '/a');
    stage.core.onTime();
  }
  assert.equal(stage.core.state, 'lost');
  assert.ok(stage.now <= 10_500);
});

test('newSession: false ends with the session', () => {
  const stage = new Stage({ newSession: false }).open();
  const request = stage.ask();
  stage.lose();
  stage.redial();
  stage.connected();
  stage.accept(0, 0);
  assert.deepEqual(request.ends, ['session-lost, not-sent']);
  assert.deepEqual(stage.log.slice(-2), ['end expired', 'closed']);
  assert.equal(stage.core.deadlineMs, Number.POSITIVE_INFINITY);
});

// ---- life on a connection ----

test('pings after a third of the timeout, and a server that is silent for two thirds is left', () => {
  const stage = new Stage().open();
  stage.now = 4_000;
  stage.core.onTime();
  assert.deepEqual(stage.ops(), [OP.ping]);
  stage.now = 7_000;
  stage.core.onTime();
  assert.equal(stage.disconnects, 1);
  assert.equal(stage.core.state, 'suspended');
});

test('a dial that takes too long is given up for the next server', () => {
  const stage = new Stage({ serverCount: 2 });
  stage.core.start();
  stage.redial();
  assert.equal(stage.disconnects, 1);
  stage.redial();
  assert.deepEqual(stage.dialled, [0, 1]);
});

test('a first answer that is none, a broken reply, a reply out of order: the connection is left', () => {
  const stage = new Stage();
  stage.core.start();
  stage.connected();
  stage.receive((out) => out.int32(1));
  assert.equal(stage.disconnects, 1);
  stage.redial();
  stage.open();
  stage.receive((out) => out.int32(1));
  assert.equal(stage.disconnects, 2);
  stage.redial();
  stage.open();
  const request = stage.ask();
  stage.reply(99, 1);
  assert.equal(stage.disconnects, 3);
  assert.deepEqual(request.ends, []);
});

test('every byte may come alone', () => {
  const stage = new Stage();
  const whole = stage.core.onBytes.bind(stage.core);
  stage.core.onBytes = (bytes, start, end) => {
    for (let at = start; at < end; at++) {
      const one = new Uint8Array([bytes[at] as number]);
      whole(one, 0, 1);
      one.fill(0xee);
    }
  };
  stage.open();
  const request = stage.ask();
  stage.reply(1, 5, 0, 'data');
  assert.deepEqual(request.ends, ['0 at 5 data']);
});

// ---- requests ----

test('the window: what has no room waits, and goes as answers come', () => {
  const stage = new Stage({ inFlightMax: 2 }).open();
  const requests = [stage.ask(), stage.ask(), stage.ask()];
  assert.equal(stage.sent().length, 2);
  stage.reply(1, 1);
  assert.equal(stage.sent().length, 1);
  stage.reply(2, 1);
  stage.reply(3, 1);
  for (const request of requests) assert.equal(request.ends.length, 1);
});

test('the waiting line has an end', () => {
  const stage = new Stage({ waitingMax: 1 });
  stage.core.start();
  stage.ask();
  assert.deepEqual(stage.ask().ends, ['overloaded, not-sent']);
});

test('cancelled while it waits: never sent; in flight: its answer is nobody’s', () => {
  const stage = new Stage({ inFlightMax: 1 }).open();
  const inFlight = stage.ask();
  const waiting = stage.ask();
  const next = stage.ask();
  assert.equal(stage.core.cancel(waiting), 'not-sent');
  assert.equal(stage.core.cancel(inFlight), 'unknown');
  assert.equal(stage.core.cancel(waiting), null);
  stage.sent();
  stage.reply(1, 1, 0, 'first');
  assert.equal(stage.sent().length, 1);
  stage.reply(2, 2, 0, 'next');
  assert.deepEqual([inFlight.ends, waiting.ends, next.ends], [[], [], ['0 at 2 next']]);
  assert.equal(stage.core.pendingCount, 0);
});

test('cancelled requests count no longer once the line was emptied, also if it fills again meanwhile', () => {
  const stage = new Stage({ waitingMax: 3, failWhenSuspended: false });
  stage.core.start();
  const cancelled = stage.ask();
  const failing = stage.ask();
  stage.core.cancel(cancelled);
  failing.onEnd = () => void stage.ask();
  stage.now = 20_000;
  stage.core.onTime();
  assert.deepEqual(failing.ends, ['connection-loss, not-sent']);
  assert.equal(stage.core.pendingCount, 1);
});

test('too large to send, too large to take', () => {
  const stage = new Stage().open();
  const request = new TestRequest(OP.setData, null);
  request.text = 'x'.repeat(2_000);
  stage.core.submit(request);
  assert.deepEqual(request.ends, ['request-too-large, not-sent']);
  assert.equal(stage.sent().length, 0);
  const read = stage.ask();
  stage.sent();
  stage.reply(read.xid, 1, 0, 'x'.repeat(2_000));
  assert.deepEqual(read.ends, ['reply-too-large, unknown']);
  assert.equal(stage.core.state, 'suspended');
});

test('an operation that the server does not know is answered out of turn', () => {
  const stage = new Stage().open();
  const read = stage.ask();
  const odd = stage.ask(99);
  stage.sent();
  stage.reply(odd.xid, -1, -6);
  stage.lose();
  assert.deepEqual(odd.ends, ['-6 at -1']);
  assert.deepEqual(read.ends, []);
});

test('failWhenSuspended: nothing waits for another connection', () => {
  const stage = new Stage({ failWhenSuspended: true, inFlightMax: 1 }).open();
  const inFlight = stage.ask();
  const waiting = stage.ask();
  stage.sent();
  stage.lose();
  assert.deepEqual([inFlight.ends, waiting.ends], [['connection-loss, unknown'], ['connection-loss, not-sent']]);
  assert.deepEqual(stage.ask().ends, ['connection-loss, not-sent']);
});

// ---- watches and identities ----

test('a new connection hears of identities, then watches, then requests, all watches as of the same zxid', () => {
  const stage = new Stage({ auth: [{ scheme: 'digest', auth: 'a:b' }], setWatchesBytesMax: 1 }).open();
  const watcher = new TestWatcher();
  const ask = (path: string): WatchAsk => ({ path, watcher, list: 'data', listIfMissing: null });
  const requests = [stage.ask(OP.getData, ask('/a')), stage.ask(OP.getData, ask('/b'))];
  assert.deepEqual(stage.ops(), [OP.auth, OP.getData, OP.getData]);
  stage.reply(requests[0]?.xid ?? 0, 4);
  stage.reply(requests[1]?.xid ?? 0, 5);
  stage.lose();
  stage.ask();
  stage.redial();
  stage.open();
  const frames = stage.sent();
  assert.deepEqual(
    frames.map(({ op }) => op),
    [OP.auth, OP.setWatches, OP.setWatches, OP.getData],
  );
  for (const { body } of frames.slice(1, 3)) assert.equal(new ByteReader(body).long(), 5);
  stage.event(EVENT.nodeDataChanged, '/a');
  assert.deepEqual(watcher.heard, ['3 /a']);
});

test('watches that a busy server refused are set with another connection', () => {
  const stage = new Stage().open();
  const watcher = new TestWatcher();
  const request = stage.ask(OP.getData, { path: '/a', watcher, list: 'data', listIfMissing: null });
  stage.reply(request.xid, 4);
  stage.lose();
  stage.redial();
  stage.open();
  assert.deepEqual(stage.ops().slice(-1), [OP.setWatches]);
  stage.reply(XID.setWatches, 4, -127);
  assert.equal(stage.core.state, 'suspended');
  stage.redial();
  stage.open();
  assert.deepEqual(stage.ops(), [OP.setWatches]);
});

test('an identity that is refused ends the session; one that is added later is told again', () => {
  const stage = new Stage().open();
  const codes: number[] = [];
  stage.core.authenticate({ scheme: 'digest', auth: 'a:b' }, (code) => codes.push(code));
  assert.deepEqual(stage.ops(), [OP.auth]);
  stage.reply(XID.auth, 0);
  stage.lose();
  stage.redial();
  stage.open();
  assert.deepEqual(stage.ops(), [OP.auth]);
  const request = stage.ask();
  stage.reply(XID.auth, 0, -115);
  assert.deepEqual(codes, [0]);
  assert.deepEqual(request.ends, ['auth-failed, unknown']);
  assert.equal(stage.core.state, 'auth-failed');
});

// ---- ending ----

test('close goes behind everything that was asked, and leaves nothing', () => {
  const stage = new Stage({ inFlightMax: 1 }).open();
  const read = stage.ask();
  const second = stage.ask();
  stage.core.close();
  assert.deepEqual(stage.ask().ends, ['closed, not-sent']);
  stage.sent();
  stage.reply(read.xid, 1);
  stage.reply(second.xid, 1);
  const [close] = stage.sent().slice(-1);
  assert.equal(close?.op, OP.closeSession);
  stage.reply(close?.xid ?? 0, 2);
  assert.deepEqual(stage.log.slice(2), ['closed', 'end closed']);
  assert.deepEqual([read.ends.length, second.ends.length, stage.disconnects], [1, 1, 1]);
  assert.equal(stage.core.deadlineMs, Number.POSITIVE_INFINITY);
  assert.equal(stage.core.pendingCount, 0);
});

test('given up from within the news of the session, it stays closed', () => {
  const stage = new Stage();
  stage.hear = (word) => word === 'session' && stage.core.abandon();
  stage.open();
  assert.deepEqual(stage.log, ['session', 'closed', 'end closed']);
  assert.equal(stage.core.state, 'closed');
});

test('moved from within the news of the session, it is not connected', () => {
  const stage = new Stage({ serverCount: 2 });
  stage.hear = (word) => word === 'session' && stage.core.moveTo(1);
  stage.open();
  assert.deepEqual(stage.log, ['session', 'suspended']);
  assert.deepEqual(stage.dialled, [0, 1]);
});

test('closed from within the news of a lost connection, every request ends', () => {
  const stage = new Stage().open();
  const read = stage.ask();
  const write = stage.ask(OP.setData);
  stage.sent();
  stage.hear = (word) => word === 'suspended' && stage.core.close();
  stage.lose();
  assert.equal(stage.core.state, 'closed');
  assert.deepEqual(read.ends, ['closed, not-sent']);
  assert.deepEqual(write.ends, ['connection-loss, unknown']);
});

test('another list of servers: the current one stays if it is in it', () => {
  const stage = new Stage({ serverCount: 2 }).open();
  stage.core.setServers(3, 2);
  assert.equal(stage.core.state, 'connected');
  assert.equal(stage.core.server, 2);
  stage.core.setServers(1, -1);
  assert.equal(stage.core.state, 'suspended');
  assert.deepEqual(stage.dialled, [0, 0]);
});
