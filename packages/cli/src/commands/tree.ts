/** `zoots tree`: a subtree, drawn. */
import { type Invocation, type ModernCommand, runModern } from '../modern/invocation.js';
import type { Output } from '../modern/output.js';
import { EXIT } from '../modern/problem.js';
import { countText, parseCount, sizeText } from '../modern/quantities.js';
import { readTree, type TreeNode } from '../modern/tree-reader.js';
import { dataSummary, statJson } from '../modern/znode-facts.js';
import { styledName } from '../modern/znode-style.js';

const lines = {
  unicode: { branch: '├── ', last: '└── ', through: '│   ', blank: '    ' },
  ascii: { branch: '|-- ', last: '`-- ', through: '|   ', blank: '    ' },
};

/** Characters of the data that --data shows. */
const DATA_CHARACTERS_MAX = 60;

export const command: ModernCommand = {
  name: 'tree',
  operands: { min: 0, max: 1 },
  options: [
    { long: 'depth', short: 'd', value: 'N', text: 'go so many levels deep' },
    { long: 'sizes', short: 's', text: 'bytes of data of each znode' },
    { long: 'data', text: 'the beginning of the data' },
    { long: 'ascii', text: 'draw with | and -' },
  ],
  notes: `PATH is / if it is left out. Ephemeral znodes are marked. Containers and TTL znodes look persistent: servers do not
tell. JSON: {"path", "depth", "stat"} per znode, a parent before its children.

  zoots tree -d 2 /kafka`,

  async run(invocation) {
    const { line, out } = invocation;
    const depth = line.value('depth');
    const depthMax = depth === undefined ? Number.POSITIVE_INFINITY : parseCount('depth', depth, 0);
    const client = await invocation.connect();
    const path = line.operands[0] ?? '/';
    const drawing = new Drawing(invocation);
    let [count, bytes] = [0, 0];
    for await (const node of readTree(client, path, { depthMax, data: line.has('data') })) {
      if (out.isJson) out.json({ path: node.path, depth: node.depth, stat: statJson(node.stat) });
      else out.line(drawing.lineOf(node));
      count++;
      bytes += node.stat?.dataLength ?? 0;
      await out.ready();
    }
    const total = `${countText(count, 'znode')}, ${sizeText(bytes)} bytes`;
    if (!out.isJson) out.line(`\n${out.styled('dim', total)}`);
    return EXIT.ok;
  },
};

class Drawing {
  readonly #out: Output;
  readonly #parts: (typeof lines)[keyof typeof lines];
  readonly #hasSizes: boolean;
  /** For each level above the current one, whether its line goes on. */
  readonly #margins: string[] = [];

  constructor({ line, out }: Invocation) {
    this.#out = out;
    this.#parts = lines[line.has('ascii') ? 'ascii' : 'unicode'];
    this.#hasSizes = line.has('sizes');
  }

  lineOf(node: TreeNode): string {
    if (node.depth === 0) return `${styledName(this.#out, node.path, node.stat)}${this.#remarks(node)}`;
    this.#margins.length = node.depth - 1;
    const margin = this.#margins.join('') + (node.isLast ? this.#parts.last : this.#parts.branch);
    this.#margins.push(node.isLast ? this.#parts.blank : this.#parts.through);
    return `${this.#out.styled('dim', margin)}${styledName(this.#out, node.name, node.stat)}${this.#remarks(node)}`;
  }

  #remarks({ stat, data, isDenied }: TreeNode): string {
    const remarks = [
      (stat?.ephemeralOwner ?? 0n) === 0n ? '' : '(ephemeral)',
      this.#hasSizes && stat !== null ? sizeText(stat.dataLength) : '',
      isDenied ? '(not permitted)' : '',
      data === undefined || data === null || data.length === 0 ? '' : dataSummary(data, DATA_CHARACTERS_MAX),
    ];
    const text = remarks.filter((remark) => remark !== '').join(' ');
    return text === '' ? '' : ` ${this.#out.styled('dim', text)}`;
  }
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
