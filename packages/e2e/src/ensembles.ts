/**
 * Ensembles of real servers, Apache's and ours in one: every arrangement of three with one or two of ours, ours leading,
 * following and observing, killed, frozen, wiped and left behind under load. The tables are in ensembles/.
 *
 *   node packages/e2e/dist/ensembles.js [--rows TEXT,…] [--kinds apache-3.8.0,…] [--ci] [--list] [--keep]
 *
 * A row's name is `3.8.0 AZZa: every server in turn is killed …`: A and Z stand for Apache's and ours by id, lower-case for
 * observers; the third leads. `--rows` picks those whose name contains one of the texts. Missing peers are skipped aloud; with ZOOTS_CI=1 that is a
 * failure. The last line is `N passed, N failed, N skipped`; the exit code is 1 if a row failed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { planOf } from './ensembles/plan.js';
import { Runner } from './ensembles/runner.js';
import { type ApacheKind, apacheVersions } from './peers/versions.js';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '' },
    kinds: { type: 'string', default: '' },
    ci: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const kinds = values.kinds.split(',').filter((word) => word !== '') as ApacheKind[];
const unknown = kinds.filter((kind) => apacheVersions[kind] === undefined);
if (unknown.length > 0)
  throw new Error(`no such kind: ${unknown}; there are ${Object.keys(apacheVersions).join(', ')}`);
const plan = planOf({ isCi: values.ci, kinds, texts: values.rows.split(',') });
if (values.list) {
  for (const act of plan) {
    if (!('arrangement' in act)) console.log(act.name);
    else for (const { name } of act.scenarios) console.log(`${act.arrangement.name}: ${name}`);
  }
  process.exit(0);
}
if (plan.length === 0) throw new Error(`no row matches ${values.rows} with ${values.kinds}`);
const workDir = mkdtempSync(join(tmpdir(), 'zoots-ensembles-'));
const runner = new Runner(workDir);
try {
  for (const act of plan) await runner.perform(act);
} finally {
  if (values.keep) console.log(`files kept in ${workDir}`);
  else rmSync(workDir, { recursive: true, force: true });
}
console.log(runner.total());
process.exit(runner.failed === 0 ? 0 : 1);
