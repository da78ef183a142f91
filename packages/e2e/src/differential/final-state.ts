/**
 * What two servers show of themselves after the same run: the whole tree, and every four letter word. Texts are
 * compared after session ids became session numbers and what is measured or local became `#`.
 */
import { fourLetterWord } from '../wire/four-letter-word.js';
import { WireSession } from '../wire/session.js';
import { dumpTree, treeDifferences, treeLines } from '../wire/tree-dump.js';
import type { DifferenceId } from './known-differences.js';
import type { Side } from './side.js';

/** Gauges that every monitoring of ZooKeeper reads; the rest of mntr differs from version to version. */
const coreGauges = [
  'zk_version',
  'zk_server_state',
  'zk_avg_latency',
  'zk_min_latency',
  'zk_max_latency',
  'zk_packets_received',
  'zk_packets_sent',
  'zk_num_alive_connections',
  'zk_outstanding_requests',
  'zk_znode_count',
  'zk_watch_count',
  'zk_ephemerals_count',
  'zk_approximate_data_size',
  'zk_open_file_descriptor_count',
  'zk_max_file_descriptor_count',
] as const;

const numbers = (text: string): string => text.replace(/0x[0-9a-f]+|-?\d+(\.\d+)?/g, '#');

function sessionsNamed(side: Side, text: string): string {
  return text.replace(/0x([0-9a-f]{6,16})\b/g, (whole, digits: string) => {
    const number = side.sessionNumber(BigInt.asIntN(64, BigInt(`0x${digits}`)));
    return number < 0 ? whole : `session-${number}`;
  });
}

/** Lines under a heading have no promised order, nor have the headings. */
function sortedBlocks(text: string): string {
  const blocks: string[][] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('\t') && blocks.length > 0) (blocks.at(-1) as string[]).push(line);
    else blocks.push([line]);
  }
  return blocks
    .map(([heading, ...lines]) => [heading, ...lines.sort()].join('\n'))
    .sort()
    .join('\n');
}

const keysOnly = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/=.*/, '='))
    .join('\n');

function coreGaugesOf(text: string): string {
  const values = new Map(text.split('\n').map((line) => line.split('\t') as [string, string]));
  const exact = new Set(['zk_znode_count', 'zk_ephemerals_count', 'zk_server_state', 'zk_num_alive_connections']);
  return coreGauges.map((key) => `${key} ${exact.has(key) ? values.get(key) : values.has(key)}`).join('\n');
}

/** The tail of `dump` that names ephemerals; expiry times above it are local. */
const ephemeralsOf = (text: string): string =>
  sortedBlocks(text.slice(text.indexOf('ephemeral nodes dump:')).replace(/Connections dump:[\s\S]*/, ''));

/** Without sessions that have no path under them, and without the counts that include them. */
function withoutSpentEntries(word: string, text: string): string {
  if (word === 'wchs') return text.replace(/^\d+ connections watching/, '# connections watching');
  if (word !== 'wchc' && word !== 'dump') return text;
  return text
    .replace(/^0x\S+\n(?!\t)/gm, '')
    .replace(/^Sessions with Ephemerals \(\d+\)/m, 'Sessions with Ephemerals (#)');
}

/** Word and the form in which two servers must agree on its answer. */
const words: readonly (readonly [string, (text: string, side: Side) => string])[] = [
  ['ruok', (text) => text],
  ['isro', (text) => text],
  ['gtmk', (text) => text],
  ['srvr', (text) => numbers(text.replace(/^Zookeeper version: .*/m, 'version'))],
  ['stat', (text) => numbers(text.replace(/^Zookeeper version: .*/m, 'version').replace(/^ \/.*\n/gm, ''))],
  ['conf', (text) => keysOnly(text)],
  ['envi', (text) => text.split('\n').slice(0, 2).join('\n').replace(/=.*/g, '=')],
  ['dirs', (text) => numbers(text)],
  ['mntr', (text) => coreGaugesOf(text)],
  [
    'cons',
    (text) =>
      sortedBlocks(
        numbers(
          text
            .replace(/sid=0x[0-9a-f]+/g, 'sid=')
            .replace(/lop=\w+/g, 'lop=')
            .replace(/0x[0-9a-f]+/g, '0x'),
        ),
      ),
  ],
  ['dump', (text, side) => ephemeralsOf(sessionsNamed(side, text))],
  ['wchs', (text) => text],
  ['wchc', (text, side) => sortedBlocks(sessionsNamed(side, text))],
  ['wchp', (text, side) => sortedBlocks(sessionsNamed(side, text))],
  ['srst', (text) => text],
  ['crst', (text) => text],
];

/** Under the old watch tables these texts count recursive watches twice. */
const watchWords = new Set(['wchs', 'wchc', 'wchp']);

async function treeOf(side: Side): Promise<string[]> {
  const session = await WireSession.connect(side.port);
  side.sessions.push(session.sessionId);
  await session.auth('digest', 'super:test');
  const nodes = await dumpTree(session);
  await session.close();
  const named = nodes.map((node) => {
    const canonical = (zxid: bigint): bigint => side.canonicalZxid(zxid);
    const { stat } = node;
    const owner = stat.ephemeralOwner === 0n ? 0n : BigInt(side.sessionNumber(stat.ephemeralOwner));
    const acl = side.sortAcls ? node.acl.split(',').sort().join(',') : node.acl;
    return {
      ...node,
      acl,
      stat: {
        ...stat,
        czxid: canonical(stat.czxid),
        mzxid: canonical(stat.mzxid),
        pzxid: canonical(stat.pzxid),
        ephemeralOwner: owner,
      },
    };
  });
  return treeLines(named, { times: false });
}

/** Differences in readable lines; empty when the two servers show the same. */
export async function finalDifferences(
  left: Side,
  right: Side,
  differences: ReadonlySet<DifferenceId>,
): Promise<{ lines: string[]; nodeCount: number }> {
  const [leftTree, rightTree] = [await treeOf(left), await treeOf(right)];
  const lines = treeDifferences(leftTree, rightTree).map((line) => `tree ${line}`);
  const [leftZxid, rightZxid] = [await left.shownZxid(), await right.shownZxid()];
  if (left.canonicalZxid(leftZxid) !== right.canonicalZxid(rightZxid))
    lines.push(`srvr Zxid: ${leftZxid} ${rightZxid}`);
  for (const [word, form] of words) {
    if (watchWords.has(word) && differences.has('watchModes')) continue;
    const answer = async (side: Side): Promise<string> => {
      const text = await fourLetterWord(side.port, word);
      return form(differences.has('spentEntries') ? withoutSpentEntries(word, text) : text, side);
    };
    const [a, b] = [await answer(left), await answer(right)];
    if (a === b) continue;
    lines.push(...treeDifferences(a.split('\n'), b.split('\n'), 6).map((line) => `${word} ${line}`));
    // The same lines in another order or number.
    if (lines.at(-1)?.startsWith(word) !== true) lines.push(`${word}: the lines' order or number differs`);
  }
  return { lines, nodeCount: leftTree.length };
}
