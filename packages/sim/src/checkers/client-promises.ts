/**
 * What the session core promises to the application above it, checked against what really went over the wire:
 *
 * - every request ends once; a write is written once; `not-sent` was never sent;
 * - answers and events come in the order of the wire, each with the bytes of the wire, none left out;
 * - all identities are on a new connection before anything else, then the watches (client-watches.ts);
 * - the session is given up by this side's clock, in time and not before.
 */
import type { ByteReader } from '@zoots/base';
import type { AuthInfo, FailureOutcome, FailureReason } from '@zoots/client/session-core';
import { ERROR, OP } from '@zoots/protocol';
import type { CoreRequest } from '../core-request.js';
import type { Model } from '../model.js';
import { describe, type Request } from '../request.js';
import { ClientWatches } from './client-watches.js';
import { fail, hex } from './violation.js';
import { UNKNOWN_SCHEME, type WireCheck } from './wire.js';

/** What came over the wire and must be handed to the application next. */
interface Delivery {
  /** Null: an event. */
  readonly request: CoreRequest | null;
  readonly code: number;
  readonly zxid: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly path: string;
}

const NO_BYTES = new Uint8Array(0);
const COMPARED_BYTES_MAX = 512;
const READS: ReadonlySet<number> = new Set([OP.exists, OP.getData, OP.getChildren, OP.getChildren2]);

export class ClientPromises {
  readonly watches: ClientWatches;
  /** Submitted and not ended. */
  readonly open = new Set<CoreRequest>();
  /** Of the newest reply that the application saw. */
  deliveredZxid = 0;
  /** When the newest request that was answered had been sent: the server heard us then, or later. */
  heardUs = 0;
  /** The same of what the core counts for sure: its own answers, of chunks that did not end the connection. */
  #surelyHeardUs = 0;
  #answeredUs = 0;
  /** Writes with outcome `unknown`. */
  unknownWriteCount = 0;
  readonly #wire: WireCheck;
  #deliveries: Delivery[] = [];
  /** By xid, of the connection at hand. */
  #sent = new Map<number, CoreRequest>();
  /** Written by the core, not yet seen on the wire. */
  #written: CoreRequest[] = [];
  readonly #identities: AuthInfo[];
  #identitiesToSay: AuthInfo[] = [];

  constructor(wire: WireCheck, model: Model, isOpen: boolean, identities: readonly AuthInfo[]) {
    this.#wire = wire;
    this.#identities = [...identities];
    this.watches = new ClientWatches(wire.name, model, isOpen);
  }

  get name(): string {
    return this.#wire.name;
  }

  // ---- connections ----

  onAccepted(askedUs: number): void {
    this.heardUs = askedUs;
    this.#answeredUs = askedUs;
    this.#surelyHeardUs = askedUs;
    this.#identitiesToSay = [...this.#identities];
    this.watches.onAccepted();
  }

  onDisconnected(): void {
    this.#deliveries = [];
    this.#sent.clear();
    this.#written = [];
    this.#identitiesToSay = [];
    this.watches.onDisconnected();
  }

  // ---- what goes out ----

  onIdentityAdded(info: AuthInfo): void {
    this.#identities.push(info);
  }

  /** Whether the server knows the scheme is told truly; a session that ends first tells of a refusal. */
  onAuthenticated(info: AuthInfo, code: number): void {
    if (code === ERROR.ok && info.scheme === UNKNOWN_SCHEME) {
      fail('client auth', `${this.name} was told that ${info.scheme} is fine`);
    }
  }

  onAuthSent(request: Request): void {
    const due = this.#identitiesToSay.shift();
    if (due === undefined || (due.scheme === request.path && due.auth === request.data)) return;
    fail('client auth', `${this.name} presents ${request.data} where ${due.auth} is due`);
  }

  onSetWatchesSent(request: Request): void {
    this.#demandIdentified(describe(request));
    this.watches.onSetWatches(request, this.deliveredZxid, this.#wire.lastZxid);
  }

  /** Anything but who we are and what we watch. */
  onOtherSent(what: string): void {
    this.#demandIdentified(what);
    this.watches.demandSaid();
  }

  #demandIdentified(what: string): void {
    const due = this.#identitiesToSay[0];
    if (due !== undefined) fail('client auth', `${this.name} sends ${what} before it has presented ${due.auth}`);
  }

  onWritten(request: CoreRequest): void {
    if (request.hasEnded) fail('client requests', `${this.name} writes ${request}, which has ended`);
    if (request.writeCount > 1 && !request.isReallyRepeatable) {
      fail('client requests', `${this.name} sends ${request} again, which is not to be repeated`);
    }
    this.#written.push(request);
  }

  /** The frame with this number leaves: the request it belongs to. */
  takeWritten(xid: number): CoreRequest {
    for (;;) {
      const request = this.#written.shift();
      if (request === undefined) fail('client requests', `${this.name} sends a request ${xid} that nobody made`);
      // What was found too large after it was written does not leave.
      if (request.hasEnded && request.xid === 0) continue;
      if (request.xid !== xid) fail('client requests', `${this.name} sends ${xid} where ${request.xid} is due`);
      this.#sent.set(xid, request);
      return request;
    }
  }

  // ---- what comes in, before the core sees it ----

  onEventCame(path: string, zxid: number): void {
    const delivery = { request: null, code: 0, zxid, bytes: NO_BYTES, start: 0, end: 0, path };
    this.#deliveries.push(delivery);
  }

  onAnswerCame(answered: Request, code: number, zxid: number, bytes: Uint8Array, start: number, end: number): void {
    if (answered.sentUs > this.heardUs && answered.op !== OP.auth) this.heardUs = answered.sentUs;
    const request = this.#sent.get(answered.xid);
    const isCounted = answered.op === OP.ping || (request !== undefined && zxid !== -1);
    if (isCounted && answered.sentUs > this.#answeredUs) this.#answeredUs = answered.sentUs;
    if (request === undefined) return;
    this.#sent.delete(answered.xid);
    this.#deliveries.push({ request, code, zxid, bytes, start, end, path: '' });
  }

  // ---- what the application is told ----

  /** Skips what nobody waits for any more. */
  #nextDelivery(): Delivery | undefined {
    for (;;) {
      const delivery = this.#deliveries.shift();
      if (delivery?.request?.cancelOutcome == null) return delivery;
      this.deliveredZxid = Math.max(this.deliveredZxid, delivery.zxid);
    }
  }

  onEvent(type: number, path: string, zxid: number): void {
    this.watches.demandTold();
    const due = this.#nextDelivery();
    if (due === undefined || due.request !== null || due.path !== path || due.zxid !== zxid) {
      fail('client order', `${this.name} was told of event ${type} ${path} of ${zxid}, ${text(due)} was due`);
    }
    this.watches.onEvent(type, path);
  }

  onAnswered(request: CoreRequest, code: number, zxid: number, reader: ByteReader): void {
    this.watches.demandTold();
    const due = this.#nextDelivery();
    if (due === undefined || due.request !== request || due.code !== code || due.zxid !== zxid) {
      fail('client order', `${this.name}: ${request} was answered ${code} at ${zxid}, ${text(due)} was due`);
    }
    if (!isSameBody(due, reader)) fail('client order', `${this.name}: ${request} got the bytes of another answer`);
    this.#end(request);
    if (zxid > 0) this.deliveredZxid = zxid;
    if (request.watch !== null) this.watches.onConsent(request.watch, code, zxid);
    if (READS.has(request.op) && (code === 0 || code === ERROR.noNode))
      this.watches.onShown(request.request.path ?? '', zxid);
  }

  onFailed(request: CoreRequest, reason: FailureReason, outcome: FailureOutcome): void {
    const wasSent = request.writeCount > 0 && reason !== 'request-too-large';
    if (outcome === 'not-sent' && wasSent && !request.isReallyRepeatable) {
      fail('client requests', `${this.name}: ${request} failed (${reason}) as not sent, and was sent`);
    }
    if (outcome === 'unknown' && !wasSent) {
      fail('client requests', `${this.name}: ${request} failed (${reason}) as unknown, and was never sent`);
    }
    if (outcome === 'unknown' && !request.isReallyRepeatable) this.unknownWriteCount++;
    this.#end(request);
  }

  onCancelled(request: CoreRequest, outcome: FailureOutcome): void {
    request.cancelOutcome = outcome;
    if (outcome === 'not-sent' && request.writeCount > 0 && !request.isReallyRepeatable) {
      fail('client requests', `${this.name}: ${request} was cancelled as not sent, and was sent`);
    }
    if (outcome === 'unknown' && !request.isReallyRepeatable) this.unknownWriteCount++;
    this.#end(request);
  }

  #end(request: CoreRequest): void {
    if (request.hasEnded) fail('client requests', `${this.name}: ${request} ended twice`);
    request.hasEnded = true;
    if (!this.open.delete(request)) fail('client requests', `${this.name}: ${request} ended, and was never asked for`);
  }

  /** The core has had the chunk; on the same connection still, it has handed everything on. */
  demandDelivered(): void {
    this.#surelyHeardUs = this.#answeredUs;
    this.watches.demandTold();
    const due = this.#nextDelivery();
    if (due !== undefined) fail('client order', `${this.name} was not told: ${text(due)}`);
  }

  /** The chunk ended the connection. */
  discardDeliveries(): void {
    this.#deliveries = [];
    this.#answeredUs = this.#surelyHeardUs;
  }

  // ---- the session's life ----

  /** The session was given up because no server answers. */
  demandNotTooEarly(nowUs: number, timeoutUs: number): void {
    const silentUs = nowUs - this.#surelyHeardUs;
    if (silentUs >= timeoutUs) return;
    fail('client session', `${this.name} gave its session up ${silentUs} µs after a server heard it, of ${timeoutUs}`);
  }

  /** The session is still held to be alive. */
  demandNotTooLate(nowUs: number, timeoutUs: number, slackUs: number): void {
    const silentUs = nowUs - this.heardUs;
    if (silentUs <= timeoutUs + slackUs) return;
    fail(
      'client session',
      `${this.name} holds its session alive ${silentUs} µs after a server is known to have heard it, of ${timeoutUs}`,
    );
  }

  /** The session core has ended. */
  demandEmpty(): void {
    const [left] = this.open;
    if (left !== undefined) fail('client requests', `${this.name}: ${left} never ended, and the client is closed`);
    this.watches.demandTold();
  }
}

function text(due: Delivery | undefined): string {
  if (due === undefined) return 'nothing';
  if (due.request === null) return `an event of ${due.path} of ${hex(due.zxid)}`;
  return `the answer ${due.code} at ${hex(due.zxid)} to ${due.request}`;
}

/** The same bytes; of long ones the two ends. */
function isSameBody(due: Delivery, reader: ByteReader): boolean {
  const count = due.end - due.start;
  if (reader.remaining !== count) return false;
  const half = Math.min(count, COMPARED_BYTES_MAX);
  for (let i = 0; i < half; i++) {
    if (due.bytes[due.start + i] !== reader.bytes[reader.offset + i]) return false;
    if (due.bytes[due.end - 1 - i] !== reader.bytes[reader.end - 1 - i]) return false;
  }
  return true;
}
