/** Runs one data tool twice on the same files, Apache's and ours, and says where their outputs differ. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { classPath, javaCommand, projectRoot, resolveJars } from '../peers/versions.js';

const main = join(projectRoot, 'packages', 'cli', 'dist', 'main.js');

/** What the tools need besides the server: Apache's distribution has them beside it. */
const toolArtifacts = ['commons-cli:commons-cli:1.5.0', 'com.fasterxml.jackson.core:jackson-core:2.15.2'];

export interface ToolOutput {
  readonly exitCode: number | null;
  readonly out: string;
  readonly error: string;
}

export interface Tool {
  /** The subcommand of `zoots`. */
  readonly command: string;
  /** Apache's class below org.apache.zookeeper.server. */
  readonly apacheClass: string;
}

export const tools = {
  txnlog: { command: 'txnlog', apacheClass: 'persistence.TxnLogToolkit' },
  snapshot: { command: 'snapshot', apacheClass: 'SnapshotFormatter' },
  compare: { command: 'snapshot-compare', apacheClass: 'SnapshotComparer' },
  summary: { command: 'snapshot-summary', apacheClass: 'SnapshotRecursiveSummary' },
  cleanup: { command: 'cleanup', apacheClass: 'PurgeTxnLog' },
} as const satisfies Record<string, Tool>;

/** Both in the same locale and zone, where no format differs from ours. */
const environment = { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' };
const outputBytesMax = 512 * 1024 * 1024;

export class Toolbox {
  readonly #workDir: string;
  readonly #java: string;
  readonly #classPath: string;

  /** Throws PeerMissingError where Apache's tools cannot run. */
  constructor(workDir: string) {
    this.#workDir = workDir;
    this.#java = javaCommand();
    this.#classPath = `${classPath('apache-3.9.5')}:${join(resolveJars('apache-tools', toolArtifacts), '*')}`;
    writeFileSync(join(workDir, 'log4j.properties'), 'log4j.rootLogger=OFF\n');
  }

  apache(tool: Tool, words: readonly string[], input = ''): ToolOutput {
    const logging = `-Dlog4j.configuration=file:${join(this.#workDir, 'log4j.properties')}`;
    const heap = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    const mainClass = `org.apache.zookeeper.server.${tool.apacheClass}`;
    return run(this.#java, [...heap, logging, '-cp', this.#classPath, mainClass, ...words], this.#workDir, input);
  }

  zoots(tool: Tool, words: readonly string[], input = ''): ToolOutput {
    return run(process.execPath, [main, tool.command, ...words], this.#workDir, input);
  }

  /**
   * Runs both and compares what they print, and the exit code; null if nothing differs. Times that the tools take or tell
   * are masked. With `isErrorCompared` the messages are compared, too.
   */
  difference(tool: Tool, words: readonly string[], options: DifferenceOptions = {}): string | null {
    const apache = this.apache(tool, words, options.input);
    options.between?.();
    const zoots = this.zoots(tool, words, options.input);
    const name = `${tool.command} ${words.join(' ')}`;
    if (apache.exitCode !== zoots.exitCode) {
      return `${name}: exit code ${zoots.exitCode} instead of ${apache.exitCode}\n${zoots.error}${apache.error}`;
    }
    const outputs = firstDifference(mask(apache.out), mask(zoots.out));
    if (outputs !== null) return `${name}: ${outputs}`;
    const errors = options.isErrorCompared ? firstDifference(apache.error, zoots.error) : null;
    return errors === null ? null : `${name}: stderr: ${errors}`;
  }
}

export interface DifferenceOptions {
  readonly input?: string;
  readonly isErrorCompared?: boolean;
  /** Puts the files back as they were, between Apache's run and ours. */
  readonly between?: () => void;
}

function run(command: string, words: readonly string[], directory: string, input: string): ToolOutput {
  const options = { cwd: directory, input, encoding: 'utf8', env: environment, maxBuffer: outputBytesMax } as const;
  const result = spawnSync(command, words, options);
  if (result.error !== undefined) throw result.error;
  return { exitCode: result.status, out: result.stdout, error: result.stderr };
}

function mask(text: string): string {
  return text.replace(/in \d+\.\d{6} seconds/g, 'in T seconds').replace(/"timestamp":\d+/g, '"timestamp":T');
}

function firstDifference(expected: string, found: string): string | null {
  if (expected === found) return null;
  const [left, right] = [expected.split('\n'), found.split('\n')];
  const at = left.findIndex((line, i) => line !== right[i]);
  const line = at < 0 ? left.length : at;
  const show = (lines: readonly string[]): string => JSON.stringify(lines[line]?.slice(0, 300) ?? null);
  return `line ${line + 1}: ${show(right)} instead of ${show(left)}`;
}
