/** `zoots acl`: the ACL of a znode, shown or set, also for a whole subtree. */

import type { Acl } from '@zoots/client';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import type { Output } from '../modern/output.js';
import { EXIT } from '../modern/problem.js';
import { countText, parseCount } from '../modern/quantities.js';
import { readTree } from '../modern/tree-reader.js';
import { aclJson, aclText, parseAcl } from '../modern/znode-facts.js';

const IN_FLIGHT_MAX = 200;

export const command: ModernCommand = {
  name: 'acl',
  operands: { min: 1, max: 2 },
  options: [
    { long: 'recursive', short: 'R', text: 'PATH and everything below it' },
    { long: 'version', short: 'v', value: 'N', text: 'set it only if the ACL has this version' },
  ],
  remedies: { ZK_INVALID_ACL: 'an entry auth::cdrwa needs an identity: --auth SCHEME:AUTH' },
  notes: `ACL is scheme:id:perms, several with commas between; perms are letters of cdrwa (create, delete, read, write, admin).
auth::cdrwa means the identities of --auth. JSON: {"path", "acl": [{"scheme", "id", "perms"}], "version"}.

  zoots acl /app auth::cdrwa,world:anyone:r --auth digest:me:secret`,

  async run(invocation) {
    const { line, out } = invocation;
    const [path, text] = line.operands as [string, string | undefined];
    const acl = text === undefined ? null : parseAcl(text);
    const version = parseCount('version', line.value('version') ?? '-1', -1);
    const client = await invocation.connect();
    const depthMax = line.has('recursive') ? Number.POSITIVE_INFINITY : 0;
    let count = 0;
    let setting: Promise<unknown>[] = [];
    for await (const node of readTree(client, path, { acl: acl === null, depthMax })) {
      if (acl !== null) setting.push(client.setAcl(node.path, acl, { version }));
      else writeAcl(out, node.path, node.acl, node.stat?.aversion ?? null);
      count++;
      if (setting.length >= IN_FLIGHT_MAX) {
        await Promise.all(setting);
        setting = [];
      }
      await out.ready();
    }
    await Promise.all(setting);
    if (acl !== null) writeDone(out, path, count);
    return EXIT.ok;
  },
};

function writeAcl(out: Output, path: string, acl: readonly Acl[] | undefined, version: number | null): void {
  if (out.isJson) out.json({ path, acl: acl === undefined ? null : aclJson(acl), version });
  else out.line(`${path}  ${acl === undefined ? out.styled('red', '(not permitted)') : aclText(acl)}`);
}

function writeDone(out: Output, path: string, count: number): void {
  if (out.isJson) out.json({ path, set: count });
  else if (out.isTerminal) out.note(`set for ${countText(count, 'znode')}`);
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
