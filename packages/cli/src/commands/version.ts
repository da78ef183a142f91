/** `zoots version`: the line of `zkServer.sh version`, or the forms of Apache's Version tool. */
import { apacheVersion, buildTime, fullVersion, zootsVersion } from '@zoots/server';

const forms: Readonly<Record<string, string>> = {
  '': `Apache ZooKeeper, version ${apacheVersion}-zoots${zootsVersion} ${buildTime}`,
  '--short': apacheVersion,
  '--revision': `${apacheVersion}-zoots${zootsVersion}`,
  '--full': fullVersion,
};

export async function run(words: readonly string[]): Promise<number> {
  const text = words.length > 1 ? undefined : forms[words[0] ?? ''];
  if (text === undefined) {
    console.error('Usage: zoots version [--short | --revision | --full]');
    return 1;
  }
  console.log(text);
  return 0;
}
