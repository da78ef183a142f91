/** `zoots create`: a new znode. */
import type { CreateMode, CreateOptions } from '@zoots/client';
import { type CommandLine, UsageError } from '../modern/command-line.js';
import { dataOperandOptions, dataRules, readData } from '../modern/data-operand.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import { EXIT, NoServerError } from '../modern/problem.js';
import { parseTimeMs } from '../modern/quantities.js';
import { untilAborted } from '../modern/stop-signal.js';
import { parseAcl, statJson } from '../modern/znode-facts.js';

export const command: ModernCommand = {
  name: 'create',
  operands: { min: 1, max: 2 },
  options: [
    { long: 'sequential', short: 's', text: 'the server appends a number' },
    { long: 'ephemeral', short: 'e', text: 'the znode lives as long as this command: until Ctrl-C' },
    { long: 'container', short: 'c', text: 'the server removes it after its last child' },
    { long: 'ttl', short: 't', value: 'TIME', text: 'the server removes it after so long without change: 10m, 2h' },
    { long: 'parents', short: 'p', text: 'create missing parents' },
    { long: 'acl', short: 'a', value: 'ACL', text: 'scheme:id:perms,… (default world:anyone:cdrwa)' },
    ...dataOperandOptions,
  ],
  remedies: {
    ZK_NO_NODE: 'its parent is missing; --parents creates it',
    ZK_UNIMPLEMENTED: 'TTL znodes need a server with zookeeper.extendedTypesEnabled=true',
    ZK_INVALID_ACL: 'an entry auth::cdrwa needs an identity: --auth SCHEME:AUTH',
  },
  notes: `${dataRules} Prints the path, with its number if it is sequential. JSON: {"path", "stat"}.

  zoots create -p /app/config '{"level":"INFO"}'`,

  async run(invocation) {
    const { line, out } = invocation;
    const [path, text] = line.operands as [string, string | undefined];
    const mode = modeOf(line);
    const options = createOptions(line, mode);
    const data = await readData(line, text);
    const isEphemeral = line.has('ephemeral');
    const stop = isEphemeral ? invocation.untilStopped() : null;
    const client = await invocation.connect();
    const created = await client.createWithStat(path, data, options);
    if (out.isJson) out.json({ path: created.path, stat: statJson(created.stat) });
    else out.line(created.path);
    if (stop === null) return EXIT.ok;
    if (out.isTerminal) out.note('it is there until Ctrl-C');
    out.flush();
    const lost = client.session?.signal ?? AbortSignal.abort();
    await untilAborted(AbortSignal.any([stop, lost]));
    if (stop.aborted) return EXIT.ok;
    throw new NoServerError(`the session was lost, and ${created.path} with it`);
  },
};

function modeOf(line: CommandLine): CreateMode {
  const [isSequential, isEphemeral, isContainer, hasTtl] = ['sequential', 'ephemeral', 'container', 'ttl'].map((name) =>
    line.has(name),
  );
  if ([isEphemeral, isContainer, hasTtl].filter(Boolean).length > 1 || (isContainer && isSequential)) {
    throw new UsageError('a znode is ephemeral, a container, or has a TTL; and a container is never sequential');
  }
  if (isContainer) return 'container';
  if (isEphemeral) return isSequential ? 'ephemeral-sequential' : 'ephemeral';
  if (hasTtl) return isSequential ? 'persistent-sequential-with-ttl' : 'persistent-with-ttl';
  return isSequential ? 'persistent-sequential' : 'persistent';
}

function createOptions(line: CommandLine, mode: CreateMode): CreateOptions {
  const ttl = line.value('ttl');
  const acl = line.value('acl');
  return {
    mode,
    parents: line.has('parents'),
    ...(ttl === undefined ? {} : { ttlMs: parseTimeMs('ttl', ttl) }),
    ...(acl === undefined ? {} : { acl: parseAcl(acl) }),
  };
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
