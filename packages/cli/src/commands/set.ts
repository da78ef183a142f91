/** `zoots set`: new data for a znode. */
import { dataOperandOptions, dataRules, readData } from '../modern/data-operand.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import { EXIT } from '../modern/problem.js';
import { parseCount } from '../modern/quantities.js';
import { statJson } from '../modern/znode-facts.js';

export const command: ModernCommand = {
  name: 'set',
  operands: { min: 1, max: 2 },
  options: [
    ...dataOperandOptions,
    { long: 'version', short: 'v', value: 'N', text: 'only if the data have this version' },
    { long: 'create', short: 'c', text: 'create the znode, and its parents, if it is not there' },
  ],
  remedies: {
    ZK_NO_NODE: '--create creates it',
    ZK_BAD_VERSION: 'somebody changed it meanwhile: read it again',
  },
  notes: `${dataRules} JSON: {"path", "stat"}.

  zoots get /app/config | sed s/INFO/DEBUG/ | zoots set /app/config --file -`,

  async run(invocation) {
    const { line, out } = invocation;
    const [path, text] = line.operands as [string, string | undefined];
    const version = parseCount('version', line.value('version') ?? '-1', -1);
    const data = await readData(line, text);
    const client = await invocation.connect();
    if (line.has('create')) {
      const { created, stat } = await client.getOrCreate(path, data, { parents: true });
      if (created) {
        if (out.isJson) out.json({ path, stat: statJson(stat) });
        return EXIT.ok;
      }
    }
    const stat = await client.set(path, data, { version });
    if (out.isJson) out.json({ path, stat: statJson(stat) });
    else if (out.isTerminal) out.note(`version ${stat.version}`);
    return EXIT.ok;
  },
};

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
