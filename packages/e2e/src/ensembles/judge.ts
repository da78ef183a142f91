/**
 * What must hold of an ensemble after whatever was done to it: no acknowledged write is lost, every server has the same tree line by
 * line, digests agree, and nobody's log has an error that such a disturbance does not explain.
 */
import type { Ensemble, Member } from '../peers/ensemble.js';
import { fourLetterWord } from '../wire/four-letter-word.js';
import { WireSession } from '../wire/session.js';
import { dumpTree, type TreeNode, treeDifferences, treeLines } from '../wire/tree-dump.js';
import type { Load } from './load.js';
import { lookAt } from './row.js';

/** The password of the digest that the members are configured with. */
export const superCredentials = 'super:test';
export const superDigest = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=';

/** Each server makes its stat for itself, outside of transactions and digests. */
const ownPath = '/zookeeper/config';

const settleTimeoutMs = 20_000;

/** Everything that is wrong, empty if nothing is. The ensemble is whole; the load, if any, is settled and its sessions are open. */
export async function judge(ensemble: Ensemble, load: Load | null): Promise<string[]> {
  const dumps = await lookAt(ensemble, () => dumpAll(ensemble));
  return [
    ...compareTrees(dumps),
    ...(load === null ? [] : judgeLoad(load, dumps)),
    ...(await judgeDigests(ensemble)),
    ...ensemble.members.flatMap((member) => surprisesIn(member, ensemble.members)),
  ];
}

interface Dump {
  readonly member: Member;
  readonly nodes: readonly TreeNode[];
}

async function dumpAll(ensemble: Ensemble): Promise<Dump[]> {
  const sessions = await Promise.all(ensemble.members.map(({ port }) => WireSession.connect(port)));
  try {
    await Promise.all(sessions.map((session) => session.auth('digest', superCredentials)));
    await Promise.all(sessions.map((session) => session.sync('/')));
    // The trees hold no sessions, but containers and sessions that end are transactions of the servers' own accord.
    await untilSameZxid(ensemble);
    const trees = await Promise.all(sessions.map(dumpTree));
    return ensemble.members.map((member, at) => ({ member, nodes: trees[at] as TreeNode[] }));
  } finally {
    await Promise.all(sessions.map((session) => session.close().catch(() => {})));
  }
}

export async function zxidOf(member: Member): Promise<string> {
  const text = await fourLetterWord(member.port, 'srvr').catch(() => '');
  return /^Zxid: (0x[0-9a-f]+)$/m.exec(text)?.[1] ?? 'none';
}

export async function untilSameZxid(ensemble: Ensemble): Promise<void> {
  const deadlineMs = performance.now() + settleTimeoutMs;
  for (;;) {
    const zxids = await Promise.all(ensemble.members.map(zxidOf));
    if (zxids[0] !== 'none' && new Set(zxids).size === 1) return;
    if (performance.now() > deadlineMs) throw new Error(`not at one zxid within ${settleTimeoutMs} ms: ${zxids}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function compareTrees(dumps: readonly Dump[]): string[] {
  const [first, ...others] = dumps.map(({ member, nodes }) => {
    return { member, lines: treeLines(nodes.filter(({ path }) => path !== ownPath)) };
  });
  if (first === undefined) return [];
  return others.flatMap(({ member, lines }) => {
    const differences = treeDifferences(first.lines, lines);
    return differences.length === 0
      ? []
      : [`the trees of ${first.member} (-) and ${member} (+) differ:\n  ${differences.join('\n  ')}`];
  });
}

function judgeLoad(load: Load, dumps: readonly Dump[]): string[] {
  const problems = [...load.faults];
  for (const { member, nodes } of dumps) {
    const tree = new Map<string, string>();
    for (const { path, data } of nodes) if (/\/w\d+\/n\d+$/.test(path)) tree.set(path, String(data));
    const mine = new Map([...tree].filter(([path]) => path.startsWith(`${load.root}/`)));
    const { lost, wrong } = load.ledger.judge(mine, Number.MAX_SAFE_INTEGER);
    for (const line of [...lost, ...wrong].slice(0, 5)) problems.push(`${member}: acknowledged, and not so: ${line}`);
    const owners = new Map(nodes.map(({ path, stat }) => [path, stat.ephemeralOwner]));
    for (const [path, owner] of load.ephemerals) {
      if (owners.get(path) !== owner) problems.push(`${member}: ${path} belongs to ${owners.get(path)}, not ${owner}`);
    }
  }
  return problems;
}

/** `hash` has a line per 128 transactions since 3.6; `mntr` counts what a server computed otherwise than its leader. */
async function judgeDigests(ensemble: Ensemble): Promise<string[]> {
  const problems: string[] = [];
  const seen = new Map<string, { digest: string; member: Member }>();
  for (const member of ensemble.members) {
    const count = /^zk_digest_mismatches_count\t(\d+)/m.exec(await fourLetterWord(member.port, 'mntr'))?.[1] ?? '0';
    if (count !== '0' && !mismatch.test(member.log()))
      problems.push(`${member} found ${count} digests that do not match`);
    if (loggedTwice.test(member.log())) continue;
    for (const line of (await fourLetterWord(member.port, 'hash').catch(() => '')).split('\n')) {
      const [zxid, digest] = line.split(': ');
      if (zxid === undefined || digest === undefined) continue;
      const other = seen.get(zxid);
      if (other === undefined) seen.set(zxid, { digest, member });
      else if (other.digest !== digest) {
        problems.push(`at 0x${zxid} ${member} has the digest ${digest}, ${other.member} has ${other.digest}`);
      }
    }
  }
  return problems;
}

/** Errors that Apache's servers log when another one goes away: a line and the one behind it. */
const expectedErrors: readonly RegExp[] = [
  // Torn by kill -9.
  /ERROR Util Last transaction was partial/,
  /LearnerHandler (Unexpected exception|Exception while sending packets)/,
  /QuorumCnxManager (Failed to send last message|Exception while submitting quorum connection request)/,
  /Learner (Unexpected exception, retries exceeded|Failed connect)/,
  // A deposed leader's tail lies in an epoch of its own: there is nothing to cut it to.
  /LearnerHandler Unhandled scenario for peer sid: \d+,? fall back to use snapshot/,
  // A learner's threads outlive the connection to the leader that they write to (ZOOKEEPER-4541).
  /from thread : \w+:\d+\njava\.lang\.NullPointerException.*"this\.learner\.sock" is null/,
  /from thread : \w+RequestProcessor:\d+\njava\.net\.SocketException/,
];

/**
 * Apache's servers that were killed while a leader brought them up to date have transactions twice in their logs, notice it at
 * the next start, and find digests that do not match while they replay. Their trees come out right, which is judged.
 */
const loggedTwice = /ERROR FileTxnSnapLog \d+\(highestZxid\) > \d+\(next log\)/;

const mismatch = /Digests are not matching|First digest mismatch/;

/** A learner of Apache's before 3.8.5 may acknowledge what it was sent to catch up before NEWLEADER (ZOOKEEPER-4685). Ours must not. */
const earlyAck = /ERROR Leader NEWLEADER ACK from sid: (\d+) is from a different epoch/;

function isEarlyAckOfApache(line: string, members: readonly Member[]): boolean {
  const [, sid] = earlyAck.exec(line) ?? [];
  const sender = members.find(({ id }) => id === Number(sid));
  return sender !== undefined && sender.kind !== 'zoots';
}

/**
 * Apache's learners compare digests while they take in a snapshot that its leader wrote during writes: those that it already
 * holds do not match, and all is well once it is complete. Whatever is behind NEWLEADER counts.
 */
function withoutSnapshots(log: string): string {
  return log.replaceAll(/Getting a snapshot from(?:(?!Getting a )[\s\S])*?received NEWLEADER message/g, '');
}

/** `members`: the whole ensemble, to tell whom a line speaks of. */
export function surprisesIn(member: Member, members: readonly Member[]): string[] {
  const all = withoutSnapshots(member.log()).split('\n');
  const lines = all.flatMap((line, at) => {
    return / (ERROR|FATAL) /.test(line) || mismatch.test(line) ? [`${line}\n${all[at + 1] ?? ''}`] : [];
  });
  const hasDoubles = loggedTwice.test(member.log());
  const surprises = lines.filter((line) => {
    if (isEarlyAckOfApache(line, members)) return false;
    if (hasDoubles && (loggedTwice.test(line) || mismatch.test(line))) return false;
    return !expectedErrors.some((expected) => expected.test(line));
  });
  return [...new Set(surprises)].slice(0, 3).map((line) => `${member} logged: ${line}`);
}
