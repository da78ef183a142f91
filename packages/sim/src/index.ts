/** @zoots/sim: the stand-alone server in a simulated world. Start with run.ts. */
export * from './mutant.js';
export * from './mutants.js';
export * from './run.js';
export * from './swarm.js';
