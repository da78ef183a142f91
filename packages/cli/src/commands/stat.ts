/** `zoots stat`: the metadata of a znode. */
import { type ModernCommand, runModern } from '../modern/invocation.js';
import { EXIT, RefusedError } from '../modern/problem.js';
import { statJson, statLines } from '../modern/znode-facts.js';

export const command: ModernCommand = {
  name: 'stat',
  operands: { min: 1, max: 1 },
  options: [],
  notes: `The exit code is 1 if the znode does not exist. JSON: {"path", "stat"}.

  zoots stat /app && echo "it is there"`,

  async run(invocation) {
    const { line, out } = invocation;
    const [path] = line.operands as [string];
    const client = await invocation.connect();
    const stat = await client.exists(path);
    if (stat === null) throw new RefusedError(`${path}: the znode does not exist`);
    if (out.isJson) out.json({ path, stat: statJson(stat) });
    else for (const text of statLines(stat)) out.line(text);
    return EXIT.ok;
  },
};

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
