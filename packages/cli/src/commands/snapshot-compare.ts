/**
 * `zoots snapshot-compare`, called by zkSnapshotComparer.sh: what two snapshots differ in, by bytes and nodes below each
 * path. Options, lines, prompts and exit codes are those of Apache's SnapshotComparer.
 */
import { basename } from 'node:path';
import {
  helpText,
  OptionError,
  type OptionRow,
  type ParsedOptions,
  parseOptionWords,
} from '../data-tools/option-words.js';
import { loadSnapshot, SnapshotError } from '../data-tools/snapshot-tree.js';
import { Answers, Output } from '../data-tools/terminal.js';
import { type SizedNode, TreeSizes } from '../data-tools/tree-sizes.js';

const rows: readonly OptionRow[] = [
  { short: 'l', long: 'left', value: 'LEFT', isRequired: true, text: '(Required) One snapshot.' },
  { short: 'r', long: 'right', value: 'RIGHT', isRequired: true, text: '(Required) The other snapshot.' },
  {
    short: 'b',
    long: 'bytes',
    value: 'BYTETHRESHOLD',
    isRequired: true,
    text: '(Required) Print nodes whose data, with all below, differ by more than so many bytes.',
  },
  {
    short: 'n',
    long: 'nodes',
    value: 'NODETHRESHOLD',
    isRequired: true,
    text: '(Required) Print nodes below which there are more than so many nodes more or less.',
  },
  { short: 'd', long: 'debug', value: null, text: 'Print each comparison.' },
  { short: 'i', long: 'interactive', value: null, text: 'Ask for the depth or the path to compare.' },
];

export async function run(args: readonly string[]): Promise<number> {
  let parsed: ParsedOptions;
  try {
    parsed = parseOptionWords(rows, args);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    console.error(error.message);
    console.log(helpText('zoots snapshot-compare', rows));
    return 2;
  }
  const { options } = parsed;
  const bytesMax = wholeNumber(options.get('bytes') as string);
  const nodesMax = wholeNumber(options.get('nodes') as string);
  if (bytesMax === null || nodesMax === null) return 1;
  const out = new Output();
  out.line('Successfully parsed options!');
  const answers = new Answers();
  try {
    const left = await readSizes(options.get('left') as string, out);
    const right = await readSizes(options.get('right') as string, out);
    for (const sizes of [left, right]) out.line(describe(sizes));
    const comparison = new Comparison(left, right, out, {
      bytesMax,
      nodesMax,
      isDebug: options.has('debug'),
      isInteractive: options.has('interactive'),
    });
    return options.has('interactive') ? await comparison.ask(answers) : comparison.all();
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    out.flush();
    console.error(error.message);
    return 1;
  } finally {
    out.flush();
    answers.close();
  }
}

/** Null was explained. */
function wholeNumber(text: string): number | null {
  if (/^[-+]?\d+$/.test(text)) return Number(text);
  console.error(`"${text}" is no whole number`);
  return null;
}

async function readSizes(path: string, out: Output): Promise<TreeSizes> {
  const startMs = performance.now();
  const tree = await loadSnapshot(path, { keepsData: false });
  const readMs = performance.now();
  out.line(`Deserialized snapshot in ${basename(path)} in ${((readMs - startMs) / 1000).toFixed(6)} seconds`);
  const sizes = new TreeSizes(tree);
  out.line(`Processed data tree in ${((performance.now() - readMs) / 1000).toFixed(6)} seconds`);
  return sizes;
}

/** With an empty line behind, as printed. */
function describe(sizes: TreeSizes): string {
  const depths = sizes.byDepth.map((nodes, depth) => `Count of nodes at depth ${depth}: ${nodes.length}`);
  const head = [
    `Node count: ${sizes.nodeCount}`,
    `Total size: ${sizes.root.bytes}`,
    `Max depth: ${sizes.byDepth.length}`,
  ];
  return `${[...head, ...depths].join('\n')}\n`;
}

interface ComparisonOptions {
  readonly bytesMax: number;
  readonly nodesMax: number;
  readonly isDebug: boolean;
  readonly isInteractive: boolean;
}

const prompt = `- Press enter to move to print current depth layer;
- Type a number to jump to and print all nodes at a given depth;
- Enter an ABSOLUTE path to print the immediate subtree of a node. Path must start with '/'.`;

class Comparison {
  readonly #left: TreeSizes;
  readonly #right: TreeSizes;
  readonly #out: Output;
  readonly #options: ComparisonOptions;
  readonly #depthCount: number;

  constructor(left: TreeSizes, right: TreeSizes, out: Output, options: ComparisonOptions) {
    this.#left = left;
    this.#right = right;
    this.#out = out;
    this.#options = options;
    this.#depthCount = Math.max(left.byDepth.length, right.byDepth.length);
  }

  /** Compares every depth; the exit code. */
  all(): number {
    this.#announce();
    for (let depth = 0; depth < this.#depthCount; depth++) this.#compareDepth(depth);
    this.#out.line('All layers compared.');
    return 0;
  }

  /** Compares what is asked for, until the deepest layer has been shown in turn; the exit code. */
  async ask(answers: Answers): Promise<number> {
    let depth = 0;
    while (depth < this.#depthCount) {
      this.#out.line(`Current depth is ${depth}`);
      this.#out.line(prompt);
      this.#out.flush();
      const answer = await answers.line();
      if (answer === null) {
        console.error('No line found');
        return 1;
      }
      this.#announce();
      const jump = this.#depthIn(answer);
      if (answer === '') this.#compareDepth(depth++);
      else if (answer.startsWith('/')) this.#compareChildren(answer);
      else if (jump === null) this.#refuse(answer);
      else if (jump < 0 || jump >= this.#depthCount) {
        this.#out.line(`Depth must be in range [0, ${this.#depthCount - 1}]`);
        continue;
      } else {
        depth = jump;
        this.#compareDepth(depth);
      }
      this.#out.line('');
    }
    this.#out.line('All layers compared.');
    return 0;
  }

  #depthIn(answer: string): number | null {
    return /^[-+]?\d+$/.test(answer) ? Number(answer) : null;
  }

  #refuse(answer: string): void {
    const range = `Depth must be in range [0, ${this.#depthCount - 1}]`;
    this.#out.line(`Input ${answer} is not valid. ${range}. Path must be an absolute path which starts with '/'.`);
  }

  #announce(): void {
    const { bytesMax, nodesMax } = this.#options;
    this.#out.line(
      `Printing analysis for nodes difference larger than ${bytesMax} bytes or node count difference larger than ${nodesMax}.`,
    );
  }

  #compareDepth(depth: number): void {
    this.#out.line(`Analysis for depth ${depth}`);
    this.#compare(this.#left.byDepth[depth] ?? [], this.#right.byDepth[depth] ?? []);
  }

  #compareChildren(path: string): void {
    this.#out.line(`Analysis for node ${path}`);
    const left = this.#left.nodeAt(path);
    const right = this.#right.nodeAt(path);
    if (left !== undefined || right !== undefined) this.#compare(left?.children ?? [], right?.children ?? []);
    else this.#out.line(`Path ${path} is neither found in left tree nor right tree.`);
  }

  /** Merges two lists that are sorted by path. */
  #compare(left: readonly SizedNode[], right: readonly SizedNode[]): void {
    let leftIndex = 0;
    let rightIndex = 0;
    while (leftIndex < left.length || rightIndex < right.length) {
      const l = left[leftIndex];
      const r = right[rightIndex];
      const order = this.#orderOf(l, r);
      if (order < 0) this.#printOnly(l as SizedNode, 'left');
      else if (order > 0) this.#printOnly(r as SizedNode, 'right');
      else this.#printBoth(l as SizedNode, r as SizedNode);
      if (order <= 0) leftIndex++;
      if (order >= 0) rightIndex++;
    }
  }

  /** Which comes first, the left (-1), the right (1), or both (0). */
  #orderOf(left: SizedNode | undefined, right: SizedNode | undefined): number {
    if (right === undefined) return -1;
    if (left === undefined) return 1;
    const order = left.path === right.path ? 0 : left.path < right.path ? -1 : 1;
    if (this.#options.isDebug) {
      this.#out.line(`Comparing ${left.path} to ${right.path}`);
      this.#out.line(order === 0 ? 'same' : `${order < 0 ? 'left' : 'right'} is less`);
    }
    return order;
  }

  #printOnly(node: SizedNode, side: string): void {
    const { bytesMax, nodesMax } = this.#options;
    const { path, bytes, descendants } = node;
    if (bytes > bytesMax || descendants > nodesMax) {
      const sizes = `Descendant size: ${bytes}. Descendant count: ${descendants}`;
      this.#out.line(`Node ${path} found only in ${side} tree. ${sizes}`);
    } else this.#filtered(`Filtered ${side} node ${path} of size ${bytes}`);
  }

  #printBoth(left: SizedNode, right: SizedNode): void {
    const { bytesMax, nodesMax } = this.#options;
    const bytes = right.bytes - left.bytes;
    const descendants = right.descendants - left.descendants;
    if (Math.abs(bytes) > bytesMax || Math.abs(descendants) > nodesMax) {
      this.#out.line(`Node ${left.path} found in both trees. Delta: ${bytes} bytes, ${descendants} descendants`);
    } else this.#filtered(`Filtered node ${left.path} of left size ${left.bytes}, right size ${right.bytes}`);
  }

  #filtered(line: string): void {
    if (this.#options.isDebug || this.#options.isInteractive) this.#out.line(line);
  }
}
