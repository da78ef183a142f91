/** Runs the two command line clients the same way: Apache's zkCli 3.9.5 on Java, and ours. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { classPath, javaCommand, projectRoot, resolveJars } from '../peers/versions.js';

export interface Output {
  readonly exitCode: number | null;
  readonly out: string;
  readonly error: string;
  readonly milliseconds: number;
}

export const zkCli = join(projectRoot, 'bin', 'zkCli.sh');

/** Both in the same zone and locale; the zone is one with summer time and a name that Node alone does not know. */
export const environment = { ...process.env, TZ: 'Australia/Sydney', LC_ALL: 'C.UTF-8', ZOOTS_CLI_HISTORY: '' };
const timeoutMs = 60_000;

export class Programs {
  readonly #workDir: string;
  readonly #java: readonly string[];

  /** Throws PeerMissingError where Apache's cannot run. */
  constructor(workDir: string) {
    this.#workDir = workDir;
    const logging = join(workDir, 'log4j.properties');
    writeFileSync(logging, 'log4j.rootLogger=OFF\n');
    const jars = `${classPath('apache-3.9.5')}:${join(resolveJars('apache-zkcli', ['commons-cli:commons-cli:1.5.0']), '*')}`;
    const heap = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
    this.#java = [javaCommand(), ...heap, `-Dlog4j.configuration=file:${logging}`, '-cp', jars];
  }

  apache(words: readonly string[], input = ''): Promise<Output> {
    return run([...this.#java, 'org.apache.zookeeper.ZooKeeperMain', ...words], this.#workDir, input);
  }

  zoots(words: readonly string[], input = ''): Promise<Output> {
    return runZkCli(words, this.#workDir, input);
  }
}

/** Ours alone. */
export function runZkCli(words: readonly string[], directory: string, input = ''): Promise<Output> {
  return run([zkCli, ...words], directory, input);
}

function run(command: readonly string[], directory: string, input: string): Promise<Output> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const child = spawn(command[0] as string, command.slice(1), { cwd: directory, env: environment });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    let out = '';
    let error = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      error += text;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, out, error, milliseconds: performance.now() - startMs });
    });
    // It may have ended before it read everything.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
