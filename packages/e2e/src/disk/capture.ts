/** What must be the same after another server has opened the directory: zxid, tree, sessions. */
import { fourLetterWord } from '../wire/four-letter-word.js';
import { RequestError, WireSession } from '../wire/session.js';
import { dumpTree, treeDifferences, treeLines } from '../wire/tree-dump.js';
import type { LiveSession } from './workload.js';

export interface Capture {
  readonly zxid: bigint;
  readonly paths: readonly string[];
  /** One per node, times included. */
  readonly lines: readonly string[];
}

export async function shownZxid(port: number): Promise<bigint> {
  const match = /^Zxid: (0x[0-9a-f]+)$/m.exec(await fourLetterWord(port, 'srvr'));
  if (match === null) throw new Error(`srvr on port ${port} shows no zxid`);
  return BigInt(match[1] as string);
}

/** Reads everything as super. Costs the server one session, so two transactions; `zxid` is the one after them. */
export async function capture(port: number): Promise<Capture> {
  const session = await WireSession.connect(port);
  await session.auth('digest', 'super:test');
  const nodes = await dumpTree(session);
  await session.close();
  return { zxid: await shownZxid(port), paths: nodes.map(({ path }) => path), lines: treeLines(nodes) };
}

/** `/zookeeper/config` appears when 3.5 or later opens what 3.4 wrote, and `/zookeeper` has one child more. */
function withoutConfigNode(lines: readonly string[]): string[] {
  return lines.filter((line) => !/^\/zookeeper(\/config)? /.test(line));
}

/** Differences between what was written and what a server serves now; empty when there are none. */
export function captureDifferences(before: Capture, after: Capture, writtenBy34: boolean): string[] {
  const lines = (of: Capture): readonly string[] => (writtenBy34 ? withoutConfigNode(of.lines) : of.lines);
  return treeDifferences(lines(before), lines(after));
}

/** Resumes every live session by id and password, and shows that the closed one stays closed. */
export async function sessionFaults(
  port: number,
  live: readonly LiveSession[],
  closed: readonly LiveSession[],
): Promise<string[]> {
  const faults: string[] = [];
  const resume = ({ id, password }: LiveSession): Promise<WireSession> =>
    WireSession.connect(port, { sessionId: id, password, timeoutMs: 600_000 });
  for (const session of live) {
    const resumed = await resume(session).catch((error) => error as Error);
    if (resumed instanceof Error)
      faults.push(`session 0x${session.id.toString(16)} cannot be resumed: ${resumed.message}`);
    else if (resumed.sessionId !== session.id)
      faults.push(`session 0x${session.id.toString(16)} came back under another id`);
    else resumed.abandon();
  }
  for (const session of closed) {
    const resumed = await resume(session).catch((error) => error as Error);
    const refused = resumed instanceof RequestError && resumed.code === -112;
    if (!refused) faults.push(`session 0x${session.id.toString(16)} was closed and yet can be resumed`);
  }
  return faults;
}
