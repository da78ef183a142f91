/**
 * zkCli on a terminal: a prompt that shows where one is connected, line editing, history, completion by the tab key. What comes
 * between (watch events, lost connections) is printed above the line that is being typed.
 *
 * Ctrl-C ends the command that runs, else empties the line, else leaves; Ctrl-D on an empty line leaves.
 */
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline';
import { Writable } from 'node:stream';
import type { Output } from './command.js';
import { complete } from './completion.js';
import type { ConnectionSettings } from './connection.js';
import { HistoryFile } from './history-file.js';
import { Shell } from './shell.js';

/** A server nearby answers within this, and the first prompt says CONNECTED. */
const FIRST_PROMPT_WAIT_MS = 300;
const COMPLETION_WAIT_MS = 2000;
const HISTORY_MAX = 1000;
const EXIT_INTERRUPTED = 130;

/** Resolves with the exit code. Fails with CliError if the connection cannot even begin. */
export async function runTerminal(target: string, settings: ConnectionSettings): Promise<number> {
  return new Terminal(target, settings).run(target);
}

class Terminal {
  readonly #shell: Shell;
  readonly #history = new HistoryFile(process.env);
  readonly #lines: Interface;
  /** Lines that were typed ahead wait for the command that runs. */
  readonly #typed: string[] = [];
  #isRunning = true;
  #isEnded = false;
  #onEnd: () => void = () => {};

  constructor(target: string, settings: ConnectionSettings) {
    this.#shell = new Shell(target, settings, this.#output);
    this.#lines = createInterface({
      input: process.stdin,
      output: new Echo(() => !this.#isRunning || this.#isEnded),
      terminal: true,
      history: this.#history.load().reverse(),
      historySize: HISTORY_MAX,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        void complete(line, (path) => this.#listChildren(path)).then((result) => done(null, result));
      },
    });
  }

  async run(target: string): Promise<number> {
    console.log('Welcome to ZooKeeper!\nJLine support is enabled');
    const ended = new Promise<void>((resolve) => {
      this.#onEnd = resolve;
    });
    this.#lines.on('line', (line) => this.#onLine(line));
    this.#lines.on('SIGINT', () => this.#onInterrupt());
    this.#lines.on('close', () => this.#onClose());
    this.#shell.onPrompt = () => this.#prompt();
    try {
      await this.#shell.connect(target);
      await this.#shell.connection?.connected(FIRST_PROMPT_WAIT_MS).catch(() => {});
      this.#isRunning = false;
      void this.#runTyped(true);
      await ended;
      await this.#shell.end();
    } finally {
      this.#isEnded = true;
      this.#lines.close();
    }
    return this.#shell.exitCode;
  }

  // ---- what is typed ----

  #onLine(line: string): void {
    this.#typed.push(line);
    this.#history.add(line);
    void this.#runTyped();
  }

  /** `isAhead`: while nobody listened. */
  async #runTyped(isAhead = false): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let count = 0; this.#typed.length > 0 && !this.#shell.isQuitting; count++) {
      const line = this.#typed.shift() as string;
      // What was typed ahead was not shown yet.
      if (isAhead || count > 0) process.stdout.write(`${this.#shell.prompt}${line}\n`);
      await this.#shell.runLine(line);
    }
    this.#isRunning = false;
    if (this.#shell.isQuitting || this.#isEnded) this.#onEnd();
    else this.#prompt();
  }

  #onInterrupt(): void {
    if (this.#isRunning) {
      // Still waiting for the first connection: there is nothing to go back to.
      if (this.#shell.connection?.interrupt() !== true) process.exit(EXIT_INTERRUPTED);
    } else if (this.#lines.line === '') this.#lines.close();
    else {
      process.stdout.write('^C\n');
      this.#lines.write(null, { ctrl: true, name: 'e' });
      this.#lines.write(null, { ctrl: true, name: 'u' });
    }
  }

  /** Ctrl-D, or the terminal is gone. */
  #onClose(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    process.stdout.write('\n');
    if (!this.#isRunning) this.#onEnd();
  }

  async #listChildren(path: string): Promise<readonly string[]> {
    const { connection } = this.#shell;
    if (connection === null || !connection.stateName.startsWith('CONNECTED')) return [];
    return connection
      .call(path, (client, options) => client.children(path, { ...options, timeoutMs: COMPLETION_WAIT_MS }))
      .catch(() => []);
  }

  // ---- what is shown ----

  #prompt(): void {
    if (this.#isRunning || this.#isEnded) return;
    this.#lines.setPrompt(this.#shell.prompt);
    this.#lines.prompt(true);
  }

  readonly #output: Output = {
    line: (text) => this.#above(`${text}\n`),
    text: (text) => this.#above(text),
    error: (text) => this.#above(`${text}\n`, process.stderr),
  };

  /** Takes the prompt and what is typed away, prints, and shows them again below. */
  #above(text: string, stream: NodeJS.WriteStream = process.stdout): void {
    const isTyping = !this.#isEnded && !this.#isRunning;
    if (isTyping) {
      moveCursor(process.stdout, 0, -this.#lines.getCursorPos().rows);
      cursorTo(process.stdout, 0);
      clearScreenDown(process.stdout);
      // The interface counts from where the prompt was; it is shown again from here.
      (this.#lines as { prevRows?: number }).prevRows = 0;
    }
    stream.write(text);
    if (isTyping) this.#prompt();
  }
}

/** What the line editor writes to. It shows nothing while a command runs: what is typed ahead comes with the next prompt. */
class Echo extends Writable {
  readonly isTTY = true;
  readonly #isShown: () => boolean;

  constructor(isShown: () => boolean) {
    super();
    this.#isShown = isShown;
    process.stdout.on('resize', () => this.emit('resize'));
  }

  get columns(): number {
    return process.stdout.columns;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#isShown()) process.stdout.write(chunk);
    done();
  }
}
