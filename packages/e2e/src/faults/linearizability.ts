/**
 * Judges histories in two independent ways.
 *
 * `checkRegisters` knows nothing of zxids: for each register it looks for an order of the writes and linear reads that agrees with
 * real time and with every answer. It is the search of Wing and Gong with Lowe's memory of what was tried ("Testing for
 * linearizability", 2017); registers are judged one by one, which loses nothing (Herlihy and Wing, theorem 1).
 *
 * `checkZxids` takes the servers at their word: zxids are an order of everything, so its rules also hold between registers, and
 * cost a sort.
 */
import { describe, isWrite, type Operation } from './history.js';

/** A register as the model sees it: null is no znode. */
interface State {
  readonly value: string | null;
  readonly version: number;
}

const absent: State = { value: null, version: -1 };

/** What follows from `operation` in this state, or null when it cannot have been answered so. */
function step(state: State, operation: Operation): State | null {
  const { kind, outcome, value, version, expectedVersion } = operation;
  const exists = state.value !== null;
  if (kind === 'read') return state.value === value && (version < 0 || version === state.version) ? state : null;
  const isPossible = kind === 'create' ? !exists : exists && (expectedVersion < 0 || expectedVersion === state.version);
  // Unknown but in the list: it took effect, or may have; a write that is refused in this state changes nothing.
  if (outcome === 'refused') return isPossible ? null : state;
  if (!isPossible) return outcome === 'unknown' ? state : null;
  if (kind === 'delete') return absent;
  const next: State = { value, version: kind === 'create' ? 0 : state.version + 1 };
  return version < 0 || version === next.version ? next : null;
}

/** A call or a return in the list of events that are not in the order yet. */
interface Event {
  readonly operation: Operation;
  /** Position of the operation among those of its register. */
  readonly at: number;
  /** Of a call, its return. Null: this is a return. */
  readonly return: Event | null;
  previous: Event | null;
  next: Event | null;
}

/** Steps of the search per register, after which it says that it does not know. */
const stepsMax = 3_000_000;

function eventsOf(operations: readonly Operation[]): Event {
  const timed: { timeMs: number; isCall: boolean; event: Event }[] = [];
  operations.forEach((operation, at) => {
    const end: Event = { operation, at, return: null, previous: null, next: null };
    const call: Event = { operation, at, return: end, previous: null, next: null };
    const isAnswered = operation.outcome !== 'unknown';
    timed.push({ timeMs: operation.calledMs, isCall: true, event: call });
    timed.push({ timeMs: isAnswered ? operation.returnedMs : Number.POSITIVE_INFINITY, isCall: false, event: end });
  });
  // At one time calls come first: then the two overlap, and nothing is claimed of their order.
  timed.sort((a, b) => (a.timeMs === b.timeMs ? Number(b.isCall) - Number(a.isCall) : a.timeMs - b.timeMs));
  const head: Event = { operation: operations[0] as Operation, at: -1, return: null, previous: null, next: null };
  let last = head;
  for (const { event } of timed) {
    event.previous = last;
    last.next = event;
    last = event;
  }
  return head;
}

function unlink(event: Event): void {
  (event.previous as Event).next = event.next;
  if (event.next !== null) event.next.previous = event.previous;
}

function relink(event: Event): void {
  (event.previous as Event).next = event;
  if (event.next !== null) event.next.previous = event;
}

export type RegisterVerdict = 'linearizable' | 'not linearizable' | 'too hard to tell';

/** Operations of one register. Those with an unknown outcome may have happened at any time after their call, or never. */
export function judgeRegister(operations: readonly Operation[]): RegisterVerdict {
  const head = eventsOf(operations);
  let missing = operations.filter(({ outcome }) => outcome !== 'unknown').length;
  const ordered = new Uint32Array((operations.length >> 5) + 1);
  const tried = new Set<string>();
  const stack: { event: Event; state: State }[] = [];
  let state = absent;
  let event = head.next;
  for (let steps = 0; missing > 0; steps++) {
    if (steps > stepsMax) return 'too hard to tell';
    if (event === null) throw new Error('a return must come before the end of the list');
    const next: State | null = event.return === null ? null : step(state, event.operation);
    if (event.return !== null && next !== null) {
      flip(ordered, event.at);
      const memory = `${ordered.join()} ${next.version} ${next.value}`;
      if (!tried.has(memory)) {
        tried.add(memory);
        stack.push({ event, state });
        state = next;
        if (event.operation.outcome !== 'unknown') missing--;
        unlink(event.return);
        unlink(event);
        event = head.next;
        continue;
      }
      flip(ordered, event.at);
    }
    if (event.return !== null) {
      event = event.next;
      continue;
    }
    // Somebody was answered before anything that is still open could explain it: the last choice was wrong.
    const undone = stack.pop();
    if (undone === undefined) return 'not linearizable';
    state = undone.state;
    flip(ordered, undone.event.at);
    if (undone.event.operation.outcome !== 'unknown') missing++;
    relink(undone.event);
    relink(undone.event.return as Event);
    event = undone.event.next;
  }
  return 'linearizable';
}

function flip(bits: Uint32Array, at: number): void {
  bits[at >> 5] = (bits[at >> 5] as number) ^ (1 << (at & 31));
}

/** What is wrong with the registers' writes and linear reads; empty when nothing is. */
export function checkRegisters(history: readonly Operation[]): string[] {
  const problems: string[] = [];
  for (const [key, operations] of groupBy(history, ({ key }) => key)) {
    const judged = operations.filter((operation) => isWrite(operation) || operation.isLinear);
    if (judged.length === 0) continue;
    const verdict = judgeRegister(judged);
    if (verdict !== 'linearizable') problems.push(`${key}, ${judged.length} operations: ${verdict}`);
  }
  return problems;
}

/**
 * The rules of zxids; empty when all hold.
 *
 * - W1: of two writes, the one that was answered before the other was sent has the smaller zxid. No two have the same.
 * - W2: a read that says mzxid z has the value that was written at z.
 * - S1: the zxids that a session is told never go back, whichever server tells them.
 * - S2: a session's read is not older than anything that it has been told of, its own writes above all.
 * - L1: a linear read is not older than any write that was answered before it was sent.
 */
export function checkZxids(history: readonly Operation[]): string[] {
  const writes = history.filter((operation) => isWrite(operation) && operation.outcome === 'ok' && operation.zxid > 0);
  return [
    ...writeOrder(writes),
    ...readsOfWrites(history, writes),
    ...sessions(history, writes),
    ...linearReads(history, writes),
  ];
}

function writeOrder(writes: readonly Operation[]): string[] {
  const problems: string[] = [];
  const byZxid = [...writes].sort((a, b) => a.zxid - b.zxid);
  for (const [i, write] of byZxid.entries()) {
    const before = byZxid[i - 1];
    if (before?.zxid === write.zxid) problems.push(`W1: one zxid, two writes: ${describe(before)}; ${describe(write)}`);
  }
  const returned = returnedOrder(writes);
  for (const write of writes) {
    const last = returned.newestBefore(write.calledMs);
    if (last !== null && last.zxid > write.zxid) problems.push(`W1: ${describe(write)} after ${describe(last)}`);
  }
  return problems;
}

function readsOfWrites(history: readonly Operation[], writes: readonly Operation[]): string[] {
  const problems: string[] = [];
  // Who finds the value of an unanswered write knows that it was done.
  const open = history.filter((operation) => isWrite(operation) && operation.outcome === 'unknown');
  const byZxid = new Map([...open, ...writes].map((write) => [write.zxid, write]));
  for (const read of history) {
    if (read.kind !== 'read' || read.outcome !== 'ok' || read.value === null) continue;
    const write = byZxid.get(read.mzxid);
    const isSame = write?.key === read.key && write.value === read.value;
    if (!isSame) {
      const written = write === undefined ? 'nobody wrote' : `was ${describe(write)}`;
      problems.push(`W2: ${describe(read)} says mzxid 0x${read.mzxid.toString(16)}, which ${written}`);
    }
  }
  return problems;
}

function sessions(history: readonly Operation[], writes: readonly Operation[]): string[] {
  const problems: string[] = [];
  const zxidsOfKey = new Map(
    [...groupBy(writes, ({ key }) => key)].map(([key, list]) => [
      key,
      list.map(({ zxid }) => zxid).sort((a, b) => a - b),
    ]),
  );
  for (const operations of groupBy(history, ({ session }) => session).values()) {
    let told: Operation | null = null;
    for (const operation of [...operations].sort((a, b) => a.xid - b.xid)) {
      if (operation.returnedMs === Number.POSITIVE_INFINITY) continue;
      if (told !== null && operation.zxid < told.zxid)
        problems.push(`S1: ${describe(operation)} after ${describe(told)}`);
      if (operation.kind === 'read' && operation.value !== null && told !== null) {
        const due = newestUpTo(zxidsOfKey.get(operation.key) ?? [], told.zxid);
        if (operation.mzxid < due) {
          problems.push(`S2: ${describe(operation)} lacks 0x${due.toString(16)}, after ${describe(told)}`);
        }
      }
      if (told === null || operation.zxid > told.zxid) told = operation;
    }
  }
  return problems;
}

function linearReads(history: readonly Operation[], writes: readonly Operation[]): string[] {
  const problems: string[] = [];
  const returned = returnedOrder(writes);
  for (const read of history) {
    if (!read.isLinear || read.outcome !== 'ok') continue;
    const last = returned.newestBefore(read.calledMs);
    if (last !== null && last.zxid > read.zxid) problems.push(`L1: ${describe(read)} misses ${describe(last)}`);
  }
  return problems;
}

/** Writes in the order of their answers, each with the newest up to it. */
function returnedOrder(writes: readonly Operation[]): { newestBefore(timeMs: number): Operation | null } {
  const answered = writes.filter(({ returnedMs }) => returnedMs < Number.POSITIVE_INFINITY);
  const sorted = answered.sort((a, b) => a.returnedMs - b.returnedMs);
  let newest: Operation | null = null;
  const newestUpToHere = sorted.map((write) => {
    if (newest === null || write.zxid > newest.zxid) newest = write;
    return newest;
  });
  return {
    newestBefore(timeMs) {
      const count = countBelow(sorted.length, (i) => (sorted[i] as Operation).returnedMs < timeMs);
      return newestUpToHere[count - 1] ?? null;
    },
  };
}

/** The largest of the sorted zxids that is not above `limit`; 0 when there is none. */
function newestUpTo(zxids: readonly number[], limit: number): number {
  return zxids[countBelow(zxids.length, (i) => (zxids[i] as number) <= limit) - 1] ?? 0;
}

/** How many of the first positions hold; those that hold come first. */
function countBelow(length: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function groupBy<K>(operations: readonly Operation[], keyOf: (operation: Operation) => K): Map<K, Operation[]> {
  const groups = new Map<K, Operation[]>();
  for (const operation of operations) {
    const group = groups.get(keyOf(operation));
    if (group === undefined) groups.set(keyOf(operation), [operation]);
    else group.push(operation);
  }
  return groups;
}
