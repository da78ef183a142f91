/**
 * The client libraries that are measured, each behind the same few calls and used the way its authors show: ours with
 * promises, node-zookeeper-client (pure JavaScript) with callbacks, zookeeper (Apache's C client) with callbacks, which
 * are its faster door. The last is no library: the bare wire loop of connection.ts with frames that were encoded
 * beforehand and replies that are not decoded, which is about as fast as a Node process can speak the protocol.
 *
 * The two packages of npm are no dependencies of ours: client-libraries.ts fetches them when they are measured.
 */
import { createRequire } from 'node:module';
import { LoadConnection } from './connection.js';
import {
  createTemplate,
  deleteTemplate,
  KEY_DIGITS,
  keyPath,
  OP,
  ROOT,
  readTemplate,
  setTemplate,
  type Template,
} from './frames.js';
import { DATA_BYTES, KEYS } from './rows.js';

export type ClientName = 'zoots' | 'node-zookeeper-client' | 'zookeeper' | 'limit';

/** What can be measured; `create` and `delete` make and remove the znode of a key that is not among the others. */
export type Operation = 'get' | 'set' | 'exists' | 'create' | 'delete';

/** Called once for each operation that was begun. */
export interface Caller {
  readonly onDone: () => void;
  readonly onFailed: (error: unknown) => void;
}

export interface Driver {
  begin(operation: Operation, key: number, caller: Caller): void;
  close(): void | Promise<void>;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly inFlight: number;
  /** Where the packages of npm are installed. */
  readonly librariesDir: string;
}

const SESSION_TIMEOUT_MS = 30_000;
const data = Buffer.alloc(DATA_BYTES, 0x79);

/** The znodes that are read and written, and those that are created and deleted: paths of the same length. */
export const keyPaths = Array.from({ length: KEYS }, (_, key) => `${ROOT}/k${String(key).padStart(KEY_DIGITS, '0')}`);
const freshPaths = keyPaths.map((path) => path.replace('/k', '/c'));

export const drivers: Readonly<Record<ClientName, (target: Target) => Promise<Driver>>> = {
  zoots: openZoots,
  'node-zookeeper-client': openNodeZookeeperClient,
  zookeeper: openZookeeper,
  limit: openLimit,
};

async function openZoots({ host, port }: Target): Promise<Driver> {
  // Like the others, it is loaded only into the process that measures it.
  const { connect } = await import('@zoots/client');
  const client = await connect(`${host}:${port}`, { sessionTimeoutMs: SESSION_TIMEOUT_MS });
  const calls: Record<Operation, (key: number) => Promise<unknown>> = {
    get: (key) => client.get(keyPaths[key] as string),
    set: (key) => client.set(keyPaths[key] as string, data),
    exists: (key) => client.exists(keyPaths[key] as string),
    create: (key) => client.create(freshPaths[key] as string, data),
    delete: (key) => client.delete(freshPaths[key] as string),
  };
  return {
    begin: (operation, key, caller) => void calls[operation](key).then(caller.onDone, caller.onFailed),
    close: () => client.close(),
  };
}

type NodeCallback = (error: unknown) => void;

/** As much of node-zookeeper-client's interface as is used here. */
interface NodeZookeeperClient {
  once(event: 'connected', listener: () => void): void;
  connect(): void;
  close(): void;
  getData(path: string, callback: NodeCallback): void;
  setData(path: string, data: Buffer, version: number, callback: NodeCallback): void;
  exists(path: string, callback: NodeCallback): void;
  create(path: string, data: Buffer, callback: NodeCallback): void;
  remove(path: string, version: number, callback: NodeCallback): void;
}

async function openNodeZookeeperClient({ host, port, librariesDir }: Target): Promise<Driver> {
  const library = load(librariesDir, 'node-zookeeper-client') as {
    createClient(servers: string, options: object): NodeZookeeperClient;
  };
  const client = library.createClient(`${host}:${port}`, { sessionTimeout: SESSION_TIMEOUT_MS });
  await new Promise<void>((resolve) => {
    client.once('connected', resolve);
    client.connect();
  });
  const calls: Record<Operation, (key: number, callback: NodeCallback) => void> = {
    get: (key, callback) => client.getData(keyPaths[key] as string, callback),
    set: (key, callback) => client.setData(keyPaths[key] as string, data, -1, callback),
    exists: (key, callback) => client.exists(keyPaths[key] as string, callback),
    create: (key, callback) => client.create(freshPaths[key] as string, data, callback),
    delete: (key, callback) => client.remove(freshPaths[key] as string, -1, callback),
  };
  return {
    begin(operation, key, caller) {
      calls[operation](key, (error) => (error ? caller.onFailed(error) : caller.onDone()));
    },
    close: () => client.close(),
  };
}

type CodeCallback = (code: number, error: string) => void;

/** As much of zookeeper's interface as is used here. */
interface NativeZookeeper {
  connect(options: object, callback: (error: unknown) => void): void;
  close(): void;
  a_get(path: string, watch: boolean, callback: CodeCallback): void;
  a_set(path: string, data: Buffer, version: number, callback: CodeCallback): void;
  a_exists(path: string, watch: boolean, callback: CodeCallback): void;
  a_create(path: string, data: Buffer, flags: number, callback: CodeCallback): void;
  a_delete_(path: string, version: number, callback: CodeCallback): void;
}

async function openZookeeper({ host, port, librariesDir }: Target): Promise<Driver> {
  const Library = load(librariesDir, 'zookeeper') as (new (
    config: object,
  ) => NativeZookeeper) & {
    constants: { ZOO_LOG_LEVEL_ERROR: number };
  };
  const client = new Library({
    connect: `${host}:${port}`,
    timeout: SESSION_TIMEOUT_MS,
    debug_level: Library.constants.ZOO_LOG_LEVEL_ERROR,
    host_order_deterministic: true,
  });
  await new Promise<void>((resolve, reject) => client.connect({}, (error) => (error ? reject(error) : resolve())));
  const calls: Record<Operation, (key: number, callback: CodeCallback) => void> = {
    get: (key, callback) => client.a_get(keyPaths[key] as string, false, callback),
    set: (key, callback) => client.a_set(keyPaths[key] as string, data, -1, callback),
    exists: (key, callback) => client.a_exists(keyPaths[key] as string, false, callback),
    create: (key, callback) => client.a_create(freshPaths[key] as string, data, 0, callback),
    delete: (key, callback) => client.a_delete_(freshPaths[key] as string, -1, callback),
  };
  return {
    begin(operation, key, caller) {
      calls[operation](key, (code, error) => (code === 0 ? caller.onDone() : caller.onFailed(new Error(error))));
    },
    close: () => client.close(),
  };
}

function load(librariesDir: string, name: string): unknown {
  return createRequire(`${librariesDir}/package.json`)(name);
}

async function openLimit({ host, port, inFlight }: Target): Promise<Driver> {
  const path = keyPath(`${ROOT}/k`);
  const freshPath = keyPath(`${ROOT}/c`);
  const templates: Record<Operation, Template> = {
    get: readTemplate(OP.get, path, false),
    set: setTemplate(path, DATA_BYTES),
    exists: readTemplate(OP.exists, path, false),
    create: createTemplate(freshPath, DATA_BYTES),
    delete: deleteTemplate(freshPath),
  };
  // Replies come in the order of the requests, so the callers need no more than a queue.
  const callers = new Array<Caller>(inFlight);
  let first = 0;
  let count = 0;
  let replying = false;
  const connection = await new Promise<LoadConnection>((resolve, reject) => {
    new LoadConnection(0, host, port, inFlight, {
      onReady: resolve,
      onReply(_connection, _op, err) {
        const caller = callers[first] as Caller;
        first = (first + 1) % inFlight;
        count -= 1;
        replying = true;
        if (err === 0) caller.onDone();
        else caller.onFailed(new Error(`the server answered ${err}`));
        replying = false;
      },
      onWatchEvent() {},
      onClosed: (_connection, reason) => reject(new Error(reason)),
    });
  });
  return {
    begin(operation, key, caller) {
      callers[(first + count) % inFlight] = caller;
      count += 1;
      connection.send(templates[operation], key);
      // What is sent while replies come in leaves with the flush at their end.
      if (!replying) connection.flush();
    },
    close: () => connection.destroy(),
  };
}
