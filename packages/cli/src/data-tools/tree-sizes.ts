/** Sizes below each node of a snapshot, by path and by depth: what SnapshotComparer compares. */
import type { SnapshotNode, SnapshotTree } from './snapshot-tree.js';

export interface SizedNode {
  /** Empty for the root. */
  readonly path: string;
  readonly children: SizedNode[];
  /** Bytes of its own data and of all data below. */
  bytes: number;
  /** Nodes below it. */
  descendants: number;
}

export class TreeSizes {
  /** The nodes of each depth, sorted by path. The root alone has depth 0. */
  readonly byDepth: SizedNode[][] = [];
  readonly #byPath = new Map<string, SizedNode>();

  constructor(tree: SnapshotTree) {
    let level = [{ sized: this.#add('', tree.root), node: tree.root }];
    while (level.length > 0) {
      this.byDepth.push(level.map(({ sized }) => sized).sort(byPathOrder));
      level = level.flatMap(({ sized, node }) => this.#addChildren(sized, node));
    }
    for (const nodes of [...this.byDepth].reverse()) for (const node of nodes) sumUp(node);
  }

  #add(path: string, node: SnapshotNode): SizedNode {
    const sized = { path, children: [], bytes: node.dataBytes, descendants: 0 };
    this.#byPath.set(path, sized);
    return sized;
  }

  #addChildren(sized: SizedNode, node: SnapshotNode) {
    return node.children.map((child) => {
      const sizedChild = this.#add(`${sized.path}/${child.name}`, child);
      sized.children.push(sizedChild);
      return { sized: sizedChild, node: child };
    });
  }

  get root(): SizedNode {
    return this.byDepth[0]?.[0] as SizedNode;
  }

  get nodeCount(): number {
    return this.#byPath.size;
  }

  nodeAt(path: string): SizedNode | undefined {
    return this.#byPath.get(path);
  }
}

/** Adds what its children hold, which must have been summed up before. */
function sumUp(node: SizedNode): void {
  for (const child of node.children.sort(byPathOrder)) {
    node.bytes += child.bytes;
    node.descendants += child.descendants + 1;
  }
}

/** By UTF-16 unit, as Java compares strings. */
function byPathOrder(a: SizedNode, b: SizedNode): number {
  if (a.path === b.path) return 0;
  return a.path < b.path ? -1 : 1;
}
