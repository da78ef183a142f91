/** Our directory as a person has it after unpacking: scripts and configuration of its own, for one host or several servers of one. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../peers/versions.js';

export interface Said {
  /** Output and errors in the order in which they came, as a terminal shows them. */
  readonly text: string;
  readonly exitCode: number;
}

export class Unpacked {
  readonly home: string;

  constructor(home: string) {
    this.home = home;
    mkdirSync(home, { recursive: true });
    for (const name of ['bin', 'conf']) cpSync(join(projectRoot, name), join(home, name), { recursive: true });
    for (const name of ['packages', 'node_modules', 'package.json'])
      symlinkSync(join(projectRoot, name), join(home, name));
  }

  /** Runs a line in bash, in a directory below `home`. */
  async run(line: string, options: { at?: string; input?: string; timeoutMs?: number } = {}): Promise<Said> {
    const { at = '.', input = '', timeoutMs = 60_000 } = options;
    // A caller's own settings would lead the scripts elsewhere.
    const { ZOOCFGDIR: _, ZOOCFG: __, ZOO_LOG_DIR: ___, JVMFLAGS: ____, SERVER_JVMFLAGS: _____, ...rest } = process.env;
    const env = { ...rest, ZOOKEEPER_HOME: this.home, PATH: `${process.env.PATH}:${this.home}/bin:${this.home}/conf` };
    const child = spawn('bash', ['-c', `exec 2>&1; ${line}`], { cwd: join(this.home, at), env });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const parts: Buffer[] = [];
    child.stdout.on('data', (chunk) => parts.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const exitCode = await new Promise<number>((resolve) => {
      child.once('exit', (code) => setTimeout(() => resolve(code ?? -1), 20));
    });
    clearTimeout(timer);
    return { text: Buffer.concat(parts).toString('utf8'), exitCode };
  }

  /** conf/NAME: the sample as it is, with these lines instead of its own for the same keys, and more behind it. */
  configure(name: string, lines: readonly string[]): void {
    const keys = new Set(lines.map((line) => line.split('=')[0]));
    const sample = readFileSync(join(this.home, 'conf', 'zoo_sample.cfg'), 'utf8')
      .trimEnd()
      .split('\n');
    const kept = sample.filter((line) => !keys.has(line.split('=')[0]));
    writeFileSync(join(this.home, 'conf', name), `${[...kept, ...lines].join('\n')}\n`);
  }

  path(name: string): string {
    return join(this.home, name);
  }

  /** What the servers have written to their terminals, the present ones and those before. */
  console(): string {
    const directory = this.path('logs');
    if (!existsSync(directory)) return '';
    const names = readdirSync(directory).filter((name) => name.includes('.out') && name !== 'zookeeper.out');
    return names.map((name) => readFileSync(join(directory, name), 'utf8')).join('\n');
  }
}
