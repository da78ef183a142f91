/**
 * The load generator's own process: the plan comes as JSON in the one argument, the result leaves as one JSON line.
 * A process of its own keeps the server, the generator and the judge off each other's event loop and heap.
 */
import { type LoadPlan, measure } from './load.js';

try {
  const plan = JSON.parse(process.argv[2] ?? '') as LoadPlan;
  process.stdout.write(`${JSON.stringify(await measure(plan))}\n`);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
