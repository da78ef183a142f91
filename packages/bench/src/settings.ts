/** What the command line of `npm run bench` says, but for the client libraries, which have their own (client-bench.ts). */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { HEAP_DEFAULT } from './contestants.js';
import { pickRows, type Row } from './rows.js';

/** That of the checkout. */
const DOCUMENTS = fileURLToPath(new URL('../../../docs', import.meta.url));

export const USAGE = `npm run bench -- [options]
  --rows a,b      rows by name or its start, or "all"         default: those with a goal, alone and in ensembles
  --ensemble      the rows of three servers alone, the same as --rows ensemble
  --seconds n     measured seconds per run                    default 4
  --warm-up n     seconds before them                         default 2
  --rounds n      runs per server and row, medians shown      default 3
  --server h:p    measure the server there instead of ours; h:p,h:p,h:p for the rows of three servers
  --only a,b      of ours, apache, limit                      default all that are there
  --port n        first of 70 ports                           default 31610
  --directory d   where data directories go                   default the system's temporary directory
  --heap s        -Xmx of Apache's server for chores          default 4g, with --big 14g
  --json          JSON instead of the table
  --check         exit code 1 unless every row measured reaches its goals
npm run bench -- --chores [a,b] [options]: starts, memory, a million znodes, 10,000 sessions, watches, stalls; by name or its start
  --quick         a tenth of it or less, to see that it works
  --big           also what takes ten million znodes, or every connection that the machine has
npm run bench -- --report [a,b] [options]: docs/performance.md with its plots; "goals", "chores", "ten-million" or plots, by name or its start
  --quick, --big  a coarse grid; the largest points too
  --documents d   where performance.md goes, and performance/ beside it; default docs
  --render        writes the document from the figures of earlier runs, measures nothing
npm run bench -- --guard [options]: exit code 1 when a request costs more, in bare servers, than it used to
npm run bench -- --clients [options]: client libraries instead of servers; with --help, its own options`;

export interface Settings {
  readonly rows: readonly Row[];
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly server: string | null;
  readonly only: ReadonlySet<string>;
  readonly port: number;
  /** Made for this run; the caller removes it. */
  readonly directory: string;
  readonly heap: string;
  readonly json: boolean;
  readonly check: boolean;
  readonly quick: boolean;
  readonly big: boolean;
  readonly render: boolean;
  readonly documents: string;
  /** Names after `--chores` or `--report`; empty for all. */
  readonly words: readonly string[];
  readonly note: (line: string) => void;
}

export type Command = 'rows' | 'chores' | 'report' | 'guard';

/** Null when the usage was asked for. Throws Error on an option or a row that does not exist. */
export function readSettings(): { command: Command; settings: Settings } | null {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rows: { type: 'string' },
      ensemble: { type: 'boolean', default: false },
      chores: { type: 'boolean', default: false },
      report: { type: 'boolean', default: false },
      guard: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      big: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
      documents: { type: 'string', default: DOCUMENTS },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      rounds: { type: 'string' },
      server: { type: 'string' },
      only: { type: 'string', default: 'ours,apache,limit' },
      port: { type: 'string', default: '31610' },
      directory: { type: 'string', default: os.tmpdir() },
      heap: { type: 'string' },
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const { quick, big, json, check, render, documents } = values;
  const settings: Settings = {
    ...{ quick, big, json, check, render, documents },
    rows: pickRows(values.rows ?? (values.ensemble ? 'ensemble' : null)),
    seconds: Number(values.seconds ?? (quick ? 1 : 4)),
    warmUpSeconds: Number(values['warm-up'] ?? (quick ? 0.5 : 2)),
    rounds: Number(values.rounds ?? (quick ? 1 : 3)),
    server: values.server ?? null,
    only: new Set(values.only.split(',')),
    port: Number(values.port),
    directory: fs.mkdtempSync(path.join(values.directory, 'zoots-bench-')),
    heap: values.heap ?? (values.chores || values.report ? (big ? '14g' : '4g') : HEAP_DEFAULT),
    words: positionals.flatMap((word) => word.split(',')),
    note: (line) => void (json || console.log(line)),
  };
  const command = values.guard ? 'guard' : values.report ? 'report' : values.chores ? 'chores' : 'rows';
  return { command, settings };
}
