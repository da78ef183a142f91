import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bundleFile, isCurrent, loadBundle } from '@zoots/cli';

test('a build leaves a bundle that is used, and the engine takes what was compiled of it', () => {
  const file = bundleFile('server', fileURLToPath(new URL('../../packages/cli/dist', import.meta.url)));
  assert.ok(isCurrent(file), `${file} is older than a package in it: npm run build`);
  // Undefined: nothing compiled is there; true: it is of another Node, or of other flags.
  assert.equal(loadBundle(file).script.cachedDataRejected, false);
});
