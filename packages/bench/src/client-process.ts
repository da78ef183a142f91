/** One run of one client library in a process of its own: see run-child.ts for how the plan comes in and the result leaves. */
import { type ClientPlan, measureClient } from './client-load.js';

try {
  const plan = JSON.parse(process.argv[2] ?? '') as ClientPlan;
  process.stdout.write(`${JSON.stringify(await measureClient(plan))}\n`, () => process.exit(0));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`, () => process.exit(1));
}
