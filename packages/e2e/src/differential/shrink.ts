/**
 * Makes a failing run short: removes steps, and then requests from bursts, as long as some mismatch remains.
 * Every trial starts two fresh servers, so the number of trials and the time are bounded.
 */
import type { Step } from './steps.js';

export interface ShrinkLimits {
  readonly trialsMax: number;
  readonly timeMaxMs: number;
}

/** `fails` plays the steps on fresh servers: the index of the step that fails, or null. */
export async function shrink(
  steps: readonly Step[],
  fails: (steps: readonly Step[]) => Promise<number | null>,
  limits: ShrinkLimits,
): Promise<Step[]> {
  const endMs = performance.now() + limits.timeMaxMs;
  let trials = 0;
  let best = [...steps];
  const exhausted = (): boolean => trials >= limits.trialsMax || performance.now() > endMs;
  const tryThis = async (candidate: readonly Step[]): Promise<boolean> => {
    if (exhausted()) return false;
    trials++;
    const index = await fails(candidate);
    if (index === null) return false;
    best = candidate.slice(0, index + 1);
    return true;
  };
  // What does not fail again at once is a matter of timing; cutting it down would prove nothing.
  if (!(await tryThis(steps))) return [...steps];
  // Most failures need little history: the tail with every connection's opening is often enough.
  for (const tail of [20, 100, 500, 2000]) {
    if (tail >= best.length) break;
    const start = best.length - tail;
    if (await tryThis(best.filter((step, index) => index >= start || isOpening(step)))) break;
  }
  for (let chunk = Math.ceil(best.length / 2); chunk >= 1; chunk = Math.floor(chunk / 2)) {
    for (let at = 0; at < best.length && !exhausted(); ) {
      const without = [...best.slice(0, at), ...best.slice(at + chunk)];
      if (without.length === 0 || !(await tryThis(without))) at += chunk;
    }
    if (exhausted()) break;
  }
  return shrinkBursts(best, tryThis, () => best);
}

function isOpening(step: Step): boolean {
  return step.kind === 'open' || (step.kind === 'burst' && step.requests.every(({ type }) => type === 100));
}

async function shrinkBursts(
  steps: readonly Step[],
  tryThis: (candidate: readonly Step[]) => Promise<boolean>,
  current: () => Step[],
): Promise<Step[]> {
  for (let at = steps.length - 1; at >= 0; at--) {
    for (let request = 0; ; ) {
      const step = current()[at];
      if (step?.kind !== 'burst' || step.requests.length < 2 || request >= step.requests.length) break;
      const requests = step.requests.filter((_, index) => index !== request);
      const candidate = current().map((other, index) => (index === at ? { ...step, requests } : other));
      if (!(await tryThis(candidate))) request++;
    }
  }
  return current();
}
