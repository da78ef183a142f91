/**
 * Parts of the core that it keeps to itself, taken from the built files: bugs are planted in them. Nothing else may be done with them.
 */
type Part = { readonly prototype: object };

async function partOf(file: string, name: string): Promise<Part> {
  const url = new URL(`../../../../core/dist/${file}.js`, import.meta.url).href;
  const part = ((await import(url)) as Record<string, Part | undefined>)[name];
  if (part === undefined) throw new Error(`${file}.js of the core has no ${name}: the planted bugs need another place`);
  return part;
}

export const CommittedLog = await partOf('zab/committed-log', 'CommittedLog');
export const Database = await partOf('database', 'Database');
export const Election = await partOf('zab/election', 'Election');
export const HistoryWalk = await partOf('zab/sync-plan', 'HistoryWalk');
export const Leader = await partOf('zab/leader', 'Leader');
export const LeaderRole = await partOf('zab/leader-role', 'LeaderRole');
export const LearnerHandle = await partOf('zab/learner-handle', 'LearnerHandle');
export const LearnerRole = await partOf('zab/learner-role', 'LearnerRole');
export const Overlay = await partOf('request/outstanding', 'Overlay');
export const Submission = await partOf('request/submission', 'Submission');

/** Replaces a getter of a class; returns the undo. */
export function patchGetter(part: Part, name: string, make: (original: () => unknown) => () => unknown): () => void {
  const known = Object.getOwnPropertyDescriptor(part.prototype, name);
  if (known?.get === undefined) throw new Error(`there is no getter ${name} to plant a bug in`);
  Object.defineProperty(part.prototype, name, { get: make(known.get), configurable: true });
  return () => Object.defineProperty(part.prototype, name, known);
}
