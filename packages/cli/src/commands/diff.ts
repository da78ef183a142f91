/** `zoots diff`: what two trees differ in, each of them on a server, in an export, or in a snapshot of a data directory. */
import { type ModernCommand, runModern } from '../modern/invocation.js';
import type { Output } from '../modern/output.js';
import { otherAuthOption, PlaceClients, parsePlace } from '../modern/place.js';
import { recordsOfPlace } from '../modern/place-records.js';
import { EXIT } from '../modern/problem.js';
import { type Difference, differencesOf } from '../modern/tree-difference.js';
import type { TreeRecord } from '../modern/tree-record.js';
import { aclJson, aclText, dataJson, dataSummary } from '../modern/znode-facts.js';

/** Characters of data that a line shows. */
const DATA_CHARACTERS_MAX = 60;

export const command: ModernCommand = {
  name: 'diff',
  operands: { min: 2, max: 2 },
  options: [
    { long: 'quiet', short: 'q', text: 'only the exit code' },
    { long: 'ephemerals', text: 'compare ephemeral znodes, too' },
    { long: 'no-acl', text: 'do not compare ACLs' },
    otherAuthOption,
  ],
  notes: `LEFT and RIGHT are /PATH on the server of --server, zk://HOST:PORT/PATH on another, or a file: an export, or a
snapshot of a data directory; FILE#/PATH is a subtree of it. Data, ACLs and (with --ephemerals) who is ephemeral are
compared, not versions, times and zxids; /zookeeper is left out. Lines: - only left, + only right, ~ different. The
exit code is 1 if there is a difference. JSON: {"change": "removed" | "added" | "changed", "path", "left", "right",
"parts"}.

  zoots diff /app zk://other:2181/app
  zoots diff backup.jsonl /app`,

  async run(invocation) {
    const { line, out } = invocation;
    const clients = new PlaceClients(invocation);
    const [left, right] = await Promise.all(
      line.operands.map((text) => recordsOfPlace(invocation, parsePlace(text), clients)),
    );
    let count = 0;
    for await (const difference of differencesOf(left as Records, right as Records)) {
      count++;
      if (line.has('quiet')) break;
      if (out.isJson) out.json(differenceJson(difference));
      else for (const text of differenceLines(out, difference)) out.line(text);
      await out.ready();
    }
    return count === 0 ? EXIT.ok : EXIT.refused;
  },
};

type Records = AsyncIterable<TreeRecord>;

function differenceLines(out: Output, difference: Difference): string[] {
  const { path } = difference;
  if (difference.change === 'removed') return [out.styled('red', `- ${path}`)];
  if (difference.change === 'added') return [out.styled('green', `+ ${path}`)];
  const { left, right, parts } = difference;
  const details = parts.map((part) => {
    const [l, r] = [partText[part](left), partText[part](right)];
    const isAlike = l === r;
    const texts = isAlike ? 'differs further on' : `${out.styled('red', l)} → ${out.styled('green', r)}`;
    return `    ${part}: ${texts}`;
  });
  return [out.styled('yellow', `~ ${path}`), ...details];
}

const partText = {
  data: ({ data }: TreeRecord): string => dataSummary(data, DATA_CHARACTERS_MAX),
  acl: ({ acl }: TreeRecord): string => aclText(acl),
  kind: ({ kind }: TreeRecord): string => kind,
};

function differenceJson(difference: Difference): unknown {
  const { change, path } = difference;
  return {
    change,
    path,
    ...('left' in difference ? { left: recordJson(difference.left) } : {}),
    ...('right' in difference ? { right: recordJson(difference.right) } : {}),
    ...('parts' in difference ? { parts: difference.parts } : {}),
  };
}

function recordJson({ data, acl, owner }: TreeRecord): unknown {
  return { ...dataJson(data), acl: aclJson(acl), owner };
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
