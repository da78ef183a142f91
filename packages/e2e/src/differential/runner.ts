/**
 * Plays steps on two servers in lockstep and stops at the first frame in which they disagree.
 *
 * On every connection the frames, replies and events alike, are compared in the order received. Only around the
 * end of a session is the order of events left open: the order in which a server deletes a session's ephemerals
 * is not promised.
 */
import { Op } from '../wire/records.js';
import type { CanonicalFrame } from './canonical.js';
import type { DifferenceId } from './known-differences.js';
import type { Received, Side } from './side.js';
import type { RequestStep, Step } from './steps.js';

export class Mismatch extends Error {
  readonly stepIndex: number;
  constructor(stepIndex: number, message: string) {
    super(message);
    this.stepIndex = stepIndex;
  }
}

export interface RunFigures {
  requests: number;
  replies: number;
  events: number;
  /** Replies by "operation error". */
  readonly outcomes: Map<string, number>;
}

const writeTypes = new Set<number>([
  Op.create,
  Op.create2,
  Op.createContainer,
  Op.createTTL,
  Op.delete,
  Op.setData,
  Op.setACL,
  Op.multi,
  Op.reconfig,
  Op.deleteContainer,
]);

const marshallingError = -5;
const unimplemented = -6;
const authFailed = -115;

/** What a client may send; of these, some are answered with Unimplemented too, and the connection lives on. */
const implementedTypes = new Set<number>(Object.values(Op).filter((type) => type > 0 && type !== Op.check));
const expiryTimeoutMs = 20_000;

type StepOf<K extends Step['kind']> = Step & { readonly kind: K };

export class Runner {
  readonly left: Side;
  readonly right: Side;
  readonly figures: RunFigures = { requests: 0, replies: 0, events: 0, outcomes: new Map() };
  readonly #differences: ReadonlySet<DifferenceId>;
  #stepIndex = 0;
  /** Told of every request with the reply both gave. */
  onReply: (request: RequestStep, reply: Buffer) => void = () => {};

  constructor(left: Side, right: Side, differences: ReadonlySet<DifferenceId>) {
    this.left = left;
    this.right = right;
    this.#differences = differences;
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const [index, step] of steps.entries()) await this.step(index, step);
  }

  async step(index: number, step: Step): Promise<void> {
    this.#stepIndex = index;
    const actions: { [K in Step['kind']]: (step: StepOf<K>) => Promise<void> } = {
      open: (s) => this.#open(s),
      burst: (s) => this.#burst(s),
      raw: (s) => this.#raw(s),
      cut: async (s) => {
        this.#cut(s.slot);
        await this.#both((side) => side.settleConnections());
      },
      expire: (s) => this.#expire(s.slot),
      settle: () => this.#settle(),
    };
    await (actions[step.kind] as (step: Step) => Promise<void>)(step);
  }

  #cut(slot: number): void {
    this.left.cut(slot);
    this.right.cut(slot);
  }

  async #both<T>(act: (side: Side) => Promise<T>): Promise<[T, T]> {
    return Promise.all([act(this.left), act(this.right)]);
  }

  async #open(step: StepOf<'open'>): Promise<void> {
    // The server closes any other connection of the session, whatever the password: read that one to its end.
    const replaced = [...this.left.slots]
      .filter(([slot, { session }]) => slot !== step.slot && session === step.session && session >= 0)
      .map(([slot]) => slot);
    if (replaced.length > 0) await this.#settle();
    const [left, right] = await this.#both((side) => side.open(step));
    for (const slot of replaced) {
      const [leftRest, rightRest] = await this.#both((side) => side.drainUntilClosed(slot));
      this.#compare(slot, leftRest, rightRest);
    }
    this.#compare(step.slot, left, right);
  }

  async #burst(step: StepOf<'burst'>): Promise<void> {
    if (!this.left.isOpen(step.slot) || !this.right.isOpen(step.slot)) return;
    const closing = step.requests.some(({ type }) => type === Op.closeSession);
    if (closing) await this.#settle();
    this.figures.requests += step.requests.length;
    const [left, right] = await this.#both((side) => side.burst(step.slot, step.requests));
    this.#compare(step.slot, left, right, { requests: step.requests, unordered: closing });
    if (!closing && !this.#closesAfter(step.requests.at(-1), left.at(-1))) return;
    // What is sent on a connection that the server is about to close may be done or not.
    const [leftRest, rightRest] = await this.#both((side) => side.drainUntilClosed(step.slot));
    this.#compare(step.slot, leftRest, rightRest, { unordered: true });
    await this.#settle({ unordered: closing });
  }

  /** The server closes after the refusal of an operation that it does not know, and after a failed auth. */
  #closesAfter(request: RequestStep | undefined, last: Received | undefined): boolean {
    if (request === undefined || last?.kind !== 'reply' || last.bytes.length !== 16) return false;
    const err = last.bytes.readInt32BE(12);
    if (request.type === Op.auth) return err === authFailed;
    return err === unimplemented && !implementedTypes.has(request.type);
  }

  async #raw(step: StepOf<'raw'>): Promise<void> {
    if (!step.fresh && (!this.left.isOpen(step.slot) || !this.right.isOpen(step.slot))) return;
    const [left, right] = await this.#both((side) => side.raw(step));
    this.#compare(step.slot, left, right);
  }

  async #expire(slot: number): Promise<void> {
    if (!this.left.isOpen(slot) || !this.right.isOpen(slot)) return;
    await this.#settle();
    const before = await this.#both((side) => side.shownZxid());
    this.#cut(slot);
    await Promise.all([this.#untilZxidMoves(this.left, before[0]), this.#untilZxidMoves(this.right, before[1])]);
    await this.#settle({ unordered: true });
  }

  async #untilZxidMoves(side: Side, before: bigint): Promise<void> {
    const deadlineMs = performance.now() + expiryTimeoutMs;
    while (performance.now() < deadlineMs) {
      if ((await side.shownZxid()) > before) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Mismatch(this.#stepIndex, `${side.label} did not expire the session within ${expiryTimeoutMs} ms`);
  }

  /** A ping on every connection: afterwards every event that was under way has been compared. */
  async #settle({ unordered = false } = {}): Promise<void> {
    const ping: RequestStep[] = [{ xid: -2, type: Op.ping, body: Buffer.alloc(0) }];
    for (const slot of [...this.left.slots.keys()]) {
      const [left, right] = await this.#both((side) => side.burst(slot, ping));
      this.#compare(slot, left, right, { requests: ping, unordered });
    }
  }

  #compare(
    slot: number,
    left: readonly Received[],
    right: readonly Received[],
    { requests = [] as readonly RequestStep[], unordered = false } = {},
  ): void {
    const leftFrames = unordered ? eventsSorted(this.left, left) : left;
    const rightFrames = unordered ? eventsSorted(this.right, right) : right;
    let replies = 0;
    for (let at = 0; at < Math.max(left.length, right.length); at++) {
      const a = leftFrames[at];
      const b = rightFrames[at];
      if (a === undefined || b === undefined) this.#fail(slot, at, a, b);
      const canonical = this.left.canonical(a);
      const agree = canonical.bytes.equals(this.right.canonical(b).bytes) && a.kind !== 'silence';
      if (!agree && !this.#accountMalformedWrite(a, b, requests[replies])) this.#fail(slot, at, a, b);
      if (a.kind === 'event') this.figures.events++;
      else {
        const request = requests[replies];
        if (request !== undefined && a.kind === 'reply') this.onReply(request, a.bytes);
        replies++;
        this.figures.replies++;
        this.#countOutcome(canonical);
      }
    }
    // Where one side has closed, both have; a slot half open would make every later step meaningless.
    if (this.left.isOpen(slot) !== this.right.isOpen(slot)) {
      throw new Mismatch(this.#stepIndex, `connection ${slot} is open on one side only`);
    }
  }

  #countOutcome(frame: CanonicalFrame): void {
    const outcome = /^(\S+:).*? err=(-?\d+)/s.exec(frame.text);
    const key = outcome === null ? (frame.text.split(' ')[0] as string) : `${outcome[1]} ${outcome[2]}`;
    this.figures.outcomes.set(key, (this.figures.outcomes.get(key) ?? 0) + 1);
  }

  /** A write that did not decode cost the old server one zxid more: from here on its counting is one ahead. */
  #accountMalformedWrite(left: Received, right: Received, request: RequestStep | undefined): boolean {
    if (request === undefined || !writeTypes.has(request.type)) return false;
    const row = request.type === Op.reconfig ? 'malformedReconfigZxid' : 'malformedWriteZxid';
    if (!this.#differences.has(row)) return false;
    if (left.bytes.length !== 16 || right.bytes.length !== 16) return false;
    if (left.bytes.readInt32BE(12) !== marshallingError || right.bytes.readInt32BE(12) !== marshallingError)
      return false;
    const leftZxid = left.bytes.readBigInt64BE(4);
    const rightZxid = right.bytes.readBigInt64BE(4);
    const ahead = this.left.canonicalZxid(leftZxid) - this.right.canonicalZxid(rightZxid);
    if (ahead !== 1n && ahead !== -1n) return false;
    (ahead === 1n ? this.left.extraZxids : this.right.extraZxids).push(ahead === 1n ? leftZxid : rightZxid);
    return true;
  }

  #fail(slot: number, at: number, left: Received | undefined, right: Received | undefined): never {
    const show = (side: Side, received: Received | undefined): string => {
      if (received === undefined) return `${side.label}: nothing`;
      return `${side.label}: ${side.canonical(received).text}\n      ${received.bytes.toString('hex')}`;
    };
    const both = `  ${show(this.left, left)}\n  ${show(this.right, right)}`;
    throw new Mismatch(this.#stepIndex, `connection ${slot}, frame ${at} of the step\n${both}`);
  }
}

/** Events among themselves in byte order, replies in their places behind them. */
function eventsSorted(side: Side, frames: readonly Received[]): Received[] {
  const events = frames
    .filter(({ kind }) => kind === 'event')
    .map((frame) => ({ frame, key: side.canonical(frame).bytes }));
  events.sort((a, b) => Buffer.compare(a.key, b.key));
  return [...events.map(({ frame }) => frame), ...frames.filter(({ kind }) => kind !== 'event')];
}
