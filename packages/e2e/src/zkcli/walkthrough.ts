/** Placeholder header replaced below. */
import type { Check } from './check.js';

export function walkthroughChecks(_workDir: string): Check[] {
  return [];
}
