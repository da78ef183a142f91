/**
 * The shell of zkCli without its terminal: a line goes in, a command runs, lines come out. It keeps what lies between commands:
 * the connection, the history, whether watches are printed, the exit code.
 */
import { type CommandContext, type Output, runCommand } from './command.js';
import { serverCommands, type shellUsages, usageText } from './command-rows.js';
import { Connection, type ConnectionSettings } from './connection.js';
import { CliError, EXIT_NO_COMMAND } from './errors.js';
import { splitLine } from './words.js';

/** How far back `history` goes. */
const HISTORY_SHOWN = 10;

type ShellCommand = (words: readonly string[]) => Promise<void> | void;

export class Shell {
  /** Of the command that ran last. */
  exitCode = 0;
  /** Set by `quit`. */
  isQuitting = false;
  /** Called when the prompt has another text. */
  onPrompt: () => void = () => {};

  readonly #settings: ConnectionSettings;
  readonly #output: Output;
  readonly #history: string[] = [];
  /** The number of the command that runs, or comes next. */
  #count = 0;
  #printsWatches = true;
  #connection: Connection | null = null;
  #target: string;

  constructor(target: string, settings: ConnectionSettings, output: Output) {
    this.#target = target;
    this.#settings = settings;
    this.#output = output;
  }

  get prompt(): string {
    return `[zk: ${this.#target}(${this.#connection?.stateName ?? 'CLOSED'}) ${this.#count}] `;
  }

  /** Null before the first. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** Connects, or begins to. Fails with {@link CliError}. */
  async connect(target: string): Promise<void> {
    await this.#connection?.close();
    this.#target = target;
    this.#connection = Connection.open(target, this.#settings, {
      onEvent: (text) => {
        if (this.#printsWatches) this.#output.line(text);
      },
      onProblem: (text) => this.#output.error(text),
      onState: () => this.onPrompt(),
    });
    if (!this.#settings.waits) return;
    try {
      await this.#connection.connected(this.#settings.timeoutMs);
    } catch (error) {
      await this.#connection.close();
      throw error;
    }
  }

  /** Ends without a word. */
  async end(): Promise<void> {
    this.#printsWatches = false;
    await this.#connection?.close();
  }

  /** Runs a typed line; an empty one is nothing. */
  async runLine(line: string): Promise<void> {
    const words = splitLine(line);
    if (words.length === 0) return;
    this.#history[this.#count] = line;
    await this.run(words);
    this.#count++;
  }

  /** Runs a command and prints how it failed, if it did. */
  async run(words: readonly string[]): Promise<void> {
    try {
      await this.#runCommand(words);
      if (!this.isQuitting) this.exitCode = 0;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      this.exitCode = error.exitCode;
      this.#output.error(error.message);
    }
  }

  async #runCommand(words: readonly string[]): Promise<void> {
    const name = words[0] as string;
    const row = Object.hasOwn(serverCommands, name) ? serverCommands[name] : undefined;
    const own = Object.hasOwn(this.#commands, name) ? this.#commands[name] : undefined;
    if (row === undefined && own === undefined) {
      this.#output.error(usageText());
      throw new CliError(`Command not found: Command not found ${name}`, EXIT_NO_COMMAND);
    }
    await own?.(words);
    if (this.isQuitting || name === 'help') return;
    const connection = this.#connection;
    if (connection === null || !connection.isAlive) this.#output.line('Not connected');
    else if (row !== undefined) {
      const context: CommandContext = { connection, output: this.#output };
      await runCommand(name, row, words, context);
    }
  }

  // ---- the shell's own commands ----

  readonly #commands: Readonly<Record<keyof typeof shellUsages | 'exit' | 'help', ShellCommand>> &
    Readonly<Record<string, ShellCommand>> = {
    connect: (words) => this.connect(words[1] ?? this.#target),
    history: () => {
      for (let at = Math.max(0, this.#count - HISTORY_SHOWN); at <= this.#count; at++) {
        this.#output.line(`${at} - ${this.#history[at] ?? null}`);
      }
    },
    redo: (words) => this.#redo(words[1]),
    printwatches: (words) => {
      if (words.length === 1) this.#output.line(`printwatches is ${this.#printsWatches ? 'on' : 'off'}`);
      else this.#printsWatches = words[1] === 'on';
    },
    quit: () => this.#quit(),
    exit: () => this.#quit(),
    help: () => this.#output.error(usageText()),
  };

  async #quit(): Promise<void> {
    await this.#connection?.close();
    this.isQuitting = true;
  }

  async #redo(word: string | undefined): Promise<void> {
    if (word === undefined) return;
    const at = /^(?:\d+|0x[\da-f]+)$/i.test(word) ? Number(word) : -1;
    const line = this.#history[at];
    if (at >= this.#count || line === undefined) throw new CliError('Command index out of range');
    const words = splitLine(line);
    if (words[0] === 'redo') throw new CliError('No redoing redos');
    this.#history[this.#count] = line;
    await this.run(words);
  }
}
