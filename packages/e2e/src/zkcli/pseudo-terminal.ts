/**
 * A program on a terminal of its own, driven like a person would: keys go in, the screen is looked at. The terminal is made by Python's
 * pty module, as Node has none.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { PeerMissingError } from '../peers/peer.js';
import { environment } from './programs.js';
import { Screen } from './screen.js';

const COLUMNS = 100;
const ROWS = 40;
const waitMs = 30_000;

/** Runs a command on a new terminal and relays: its own standard input to the terminal, the terminal to its output. */
const relay = `
import fcntl, os, pty, select, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', ${ROWS}, ${COLUMNS}, 0, 0))
sources = [fd, 0]
while True:
    ready, _, _ = select.select(sources, [], [])
    if 0 in ready:
        data = os.read(0, 65536)
        if data: os.write(fd, data)
        else: sources.remove(0)
    if fd in ready:
        try: data = os.read(fd, 65536)
        except OSError: data = b''
        if not data: break
        os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

export const keys = { tab: '\t', up: '\x1b[A', interrupt: '\x03', end: '\x04' } as const;

export class PseudoTerminal {
  readonly screen = new Screen(COLUMNS);
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;

  /** Throws PeerMissingError without Python. */
  constructor(command: readonly string[], directory: string, env: NodeJS.ProcessEnv = {}) {
    if (spawnSync('python3', ['-c', 'import pty, os; os.waitstatus_to_exitcode']).status !== 0) {
      throw new PeerMissingError('no python3 with a pty module; install Python 3.9 or newer for tests on a terminal');
    }
    this.#child = spawn('python3', ['-c', relay, ...command], {
      cwd: directory,
      env: { ...environment, TERM: 'xterm', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.screen.write(text));
    this.#child.stdin?.on('error', () => {});
    this.#exit = new Promise((resolve) => this.#child.on('close', resolve));
  }

  /** Presses keys. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Types a line and waits until the prompt with this number has come. */
  async enter(line: string, nextPrompt: number): Promise<void> {
    this.type(`${line}\r`);
    await this.until(`prompt ${nextPrompt} behind "${line}"`, () => this.screen.line.includes(`) ${nextPrompt}]`));
  }

  /** Waits for something to be seen; fails with the screen. */
  async until(what: string, isSeen: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + waitMs;
    while (!isSeen()) {
      if (performance.now() > deadlineMs) throw new Error(`not seen: ${what}\n${this.screen.text}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** The exit code, once it has ended. */
  async ended(): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), waitMs);
    const code = await this.#exit;
    clearTimeout(timer);
    return code;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
