/** npm run sim */
import { runSeed } from './run.js';

const args = process.argv.slice(2);
const argument = (name: string): string | undefined => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
};
const seed = Number(argument('--seed') ?? 1);
const result = runSeed(seed, {
  sink: argument('--log') === 'debug' ? (line) => console.log(line) : null,
  recentLines: 0,
});
console.log(result);
