import { connect } from '@zoots/client';
import { Semaphore } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');

// At most two exports at a time, over all processes.
const semaphore = new Semaphore(zk, '/semaphores/exports', 2);
let running = 0;
let done = 0;

async function runExport(): Promise<void> {
  await using _permit = await semaphore.acquire({ timeoutMs: 60_000 });
  running++;
  if (running > 2) throw new Error('too many');
  await new Promise((resolve) => setTimeout(resolve, 10));
  running--;
  done++;
}

await Promise.all([runExport(), runExport(), runExport(), runExport(), runExport()]);
console.log(`${done} exports`);

// Prints:
// 5 exports
