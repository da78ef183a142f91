/**
 * Several changes that happen all together or not at all, and several reads in one round trip.
 *
 *     const [path, stat] = await zk.transaction().create('/a', 'x').set('/b', 'y', { version: 3 }).commit();
 *     const [config, names] = await zk.multiRead().get('/config').children('/services').commit();
 *
 * The results have the types of the parts, in their order. A builder collects: parts may also be added in a loop, and only the types
 * of the results are lost then.
 *
 *   Request  repeated { int type; bool done = false; int err = -1; the part's own record }, then the header (-1, true, -1)
 *   Reply    repeated { int type; bool done; int err; the part's own reply }, the same end; type -1: an error, int code
 */
import type { ByteReader, ByteWriter } from '@zoots/base';
import { ERROR, OP } from '@zoots/protocol';
import { ProtocolError, type ServerError, serverError, TransactionError } from './errors.js';
import type { Operation, SetArguments, VersionArguments } from './operations.js';
import { CREATE, CREATE_WITH_STAT, DELETE, SET } from './operations.js';
import { checkPath, joinBase, stripBase } from './paths.js';
import { bytesOf, createArguments, readData, readStat, readTexts } from './records.js';
import type { SessionShell } from './session-shell.js';
import type { CallOptions, CreatedNode, Data, NodeData, NodeOptions, Stat } from './types.js';

const END = -1;

/** A part: how it is written, and how its own reply is read. */
interface Part {
  readonly type: number;
  readonly path: string;
  write(writer: ByteWriter): void;
  /** `type` is the result's own. */
  read(reader: ByteReader, type: number): unknown;
}

interface Parts {
  readonly path: string;
  readonly parts: readonly Part[];
}

function partOf<A extends { readonly path: string }, R>(operation: Operation<A, R>, args: A, base: string): Part {
  return {
    type: operation.op(args),
    path: args.path,
    write: (writer) => operation.write(writer, args),
    read: (reader) => operation.read(reader, base, args),
  };
}

function writeParts(writer: ByteWriter, { parts }: Parts): void {
  for (const part of parts) {
    writeHeader(writer, part.type, false);
    part.write(writer);
  }
  writeHeader(writer, END, true);
}

function writeHeader(writer: ByteWriter, type: number, isDone: boolean): void {
  writer.int32(type);
  writer.bool(isDone);
  writer.int32(-1);
}

/** One result per part: what its reader made of it, or the error code. */
function readResults(
  reader: ByteReader,
  parts: readonly Part[],
  onError: (part: Part, code: number) => unknown,
): unknown[] {
  const results: unknown[] = [];
  for (const part of parts) {
    const type = reader.int32();
    const isDone = reader.bool();
    reader.int32();
    if (reader.failed || isDone)
      throw new ProtocolError('the reply has too few results', 'unknown', { path: part.path });
    results.push(type === END ? onError(part, reader.int32()) : part.read(reader, type));
  }
  return results;
}

export class Transaction<R extends readonly unknown[]> {
  readonly #shell: SessionShell;
  readonly #base: string;
  readonly #parts: Part[] = [];

  /** Made by {@link Namespace.transaction}. */
  constructor(shell: SessionShell, base: string) {
    this.#shell = shell;
    this.#base = base;
  }

  /** The same builder with one part more; only its type is another. */
  #with<T>(part: Part): Transaction<[...R, T]> {
    this.#parts.push(part);
    return this as unknown as Transaction<[...R, T]>;
  }

  #path(path: string): string {
    checkPath(path, 'transaction');
    return joinBase(this.#base, path);
  }

  /** Its result is the path, as the server named it. */
  create(path: string, data: Data = null, options?: NodeOptions): Transaction<[...R, string]> {
    const part = partOf(CREATE, createArguments(this.#createPath(path, options), data, options), this.#base);
    // In a transaction every create but the plain one is answered as create2: containers and TTL znodes come with their stat.
    const read = (reader: ByteReader, type: number): unknown => {
      const created = part.read(reader, type);
      if (type !== OP.create) readStat(reader);
      return created;
    };
    return this.#with<string>({ ...part, read });
  }

  /**
   * As {@link create}, with the new znode's stat. Needs a server of 3.8.2 or later: older ones do the transaction and answer
   * without the stat, and `commit` rejects with a {@link ProtocolError} that says so.
   */
  createWithStat(path: string, data: Data = null, options?: NodeOptions): Transaction<[...R, CreatedNode]> {
    const args = createArguments(this.#createPath(path, options), data, options);
    const part = partOf(CREATE_WITH_STAT, args, this.#base);
    const read = (reader: ByteReader, type: number): unknown => {
      if (type !== OP.create) return part.read(reader, type);
      const text =
        'the transaction is done, but this server does not tell the stat of what it created: use create here';
      throw new ProtocolError(text, 'unknown', { operation: 'transaction', path: stripBase(this.#base, part.path) });
    };
    return this.#with<CreatedNode>({ ...part, read });
  }

  /** A sequential znode may have no name of its own: `/queue/`. */
  #createPath(path: string, options: NodeOptions | undefined): string {
    checkPath(options?.mode?.includes('sequential') === true ? `${path}0` : path, 'transaction');
    return joinBase(this.#base, path);
  }

  set(path: string, data: Data, options?: { readonly version?: number }): Transaction<[...R, Stat]> {
    const args: SetArguments = { path: this.#path(path), data: bytesOf(data), version: options?.version ?? -1 };
    return this.#with<Stat>(partOf(SET, args, this.#base));
  }

  delete(path: string, options?: { readonly version?: number }): Transaction<[...R, undefined]> {
    const args: VersionArguments = { path: this.#path(path), version: options?.version ?? -1 };
    return this.#with<undefined>(partOf(DELETE, args, this.#base));
  }

  /** Changes nothing; the transaction is refused unless the znode exists and has this version (-1: any). */
  check(path: string, options?: { readonly version?: number }): Transaction<[...R, undefined]> {
    const full = this.#path(path);
    const version = options?.version ?? -1;
    return this.#with<undefined>({
      type: OP.check,
      path: full,
      write: (writer) => {
        writer.string(full);
        writer.int32(version);
      },
      read: () => undefined,
    });
  }

  /** Rejects with {@link TransactionError} if a part was refused; then nothing was done. */
  commit(options?: CallOptions): Promise<R> {
    const base = this.#base;
    const operation: Operation<Parts, R> = {
      name: 'transaction',
      isRepeatable: false,
      op: () => OP.multi,
      write: writeParts,
      read: (reader, _base, { parts }) => readTransaction(reader, parts, base) as unknown as R,
    };
    return this.#shell.call(operation, { path: firstPath(this.#parts), parts: this.#parts }, base, options);
  }
}

/** The part that failed has its code; those before it have 0, those behind it "runtime inconsistency". */
function readTransaction(reader: ByteReader, parts: readonly Part[], base: string): unknown[] {
  let failure: TransactionError | null = null;
  let index = 0;
  const results = readResults(reader, parts, (part, code) => {
    const at = index++;
    if (failure === null && code !== ERROR.ok) {
      failure = new TransactionError(
        at,
        serverError(code, { operation: nameOfType(part.type), path: stripBase(base, part.path) }),
      );
    }
    return undefined;
  });
  if (failure !== null) throw failure;
  return results;
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [OP.delete, 'delete'],
  [OP.setData, 'set'],
  [OP.check, 'check'],
]);

function nameOfType(type: number): string {
  return NAMES.get(type) ?? 'create';
}

function firstPath(parts: readonly Part[]): string {
  return parts[0]?.path ?? '/';
}

export type ReadResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ServerError };

export class MultiRead<R extends readonly unknown[]> {
  readonly #shell: SessionShell;
  readonly #base: string;
  readonly #parts: Part[] = [];

  /** Made by {@link Namespace.multiRead}. */
  constructor(shell: SessionShell, base: string) {
    this.#shell = shell;
    this.#base = base;
  }

  #with<T>(type: number, path: string, read: (reader: ByteReader) => T): MultiRead<[...R, ReadResult<T>]> {
    checkPath(path, 'multiRead');
    const full = joinBase(this.#base, path);
    const write = (writer: ByteWriter): void => {
      writer.string(full);
      writer.bool(false);
    };
    const part = { type, path: full, write, read: (reader: ByteReader) => ({ ok: true, value: read(reader) }) };
    this.#parts.push(part);
    return this as unknown as MultiRead<[...R, ReadResult<T>]>;
  }

  get(path: string): MultiRead<[...R, ReadResult<NodeData>]> {
    return this.#with(OP.getData, path, (reader) => ({ data: readData(reader), stat: readStat(reader) }));
  }

  children(path: string): MultiRead<[...R, ReadResult<string[]>]> {
    return this.#with(OP.getChildren, path, readTexts);
  }

  /** All reads see the same state of the server. A read that is refused does not spoil the others. Needs a server of 3.6 or later. */
  commit(options?: CallOptions): Promise<R> {
    const base = this.#base;
    const refused = (part: Part, code: number): ReadResult<never> => {
      const operation = part.type === OP.getData ? 'get' : 'children';
      return { ok: false, error: serverError(code, { operation, path: stripBase(base, part.path) }) };
    };
    const operation: Operation<Parts, R> = {
      name: 'multiRead',
      isRepeatable: true,
      op: () => OP.multiRead,
      write: writeParts,
      read: (reader, _base, { parts }) => readResults(reader, parts, refused) as unknown as R,
    };
    return this.#shell.call(operation, { path: firstPath(this.#parts), parts: this.#parts }, base, options);
  }
}
