/**
 * `npm run bench -- --report`: measures section after section, keeps the figures beside the document, and writes the
 * document anew after each, so that an evening of measuring may be interrupted, and one section repeated.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { measureChores } from './chore-rounds.js';
import { CHORES } from './chores.js';
import { type Conditions, type Figures, type RowFigures, renderPage } from './performance-page.js';
import { type RowReport, ratio } from './report.js';
import { measureRows } from './rounds.js';
import type { Settings } from './settings.js';
import { measureSweep, SWEEPS } from './sweeps.js';

/** The section of what takes minutes and gigabytes: measured with `--big`, or when it is named. */
const BIG_CHORES = 'ten-million';

/** Where the page and what belongs to it are. */
class Documents {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  readFigures(): Figures {
    const file = this.#path('figures.json');
    if (!fs.existsSync(file)) return { sweeps: {} };
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Figures;
  }

  write(figures: Figures): void {
    fs.mkdirSync(this.#path(''), { recursive: true });
    fs.writeFileSync(this.#path('figures.json'), `${JSON.stringify(figures, null, 1)}\n`);
    const { page, pictures } = renderPage(figures);
    for (const [name, svg] of pictures) fs.writeFileSync(this.#path(name), svg);
    fs.writeFileSync(path.join(this.#directory, 'performance.md'), page);
  }

  #path(name: string): string {
    return path.join(this.#directory, 'performance', name);
  }
}

/** Returns the exit code. Throws Error on a section that does not exist, or when a server fails. */
export async function writePerformance(settings: Settings): Promise<number> {
  const { words, big } = settings;
  const names = ['goals', 'chores', BIG_CHORES, ...SWEEPS.map(({ name }) => name)];
  for (const word of words) {
    if (!names.some((name) => name.startsWith(word)))
      throw new Error(`no section ${word}; there are ${names.join(', ')}`);
  }
  const isWanted = (name: string): boolean =>
    words.length === 0 ? name !== BIG_CHORES || big : words.some((word) => name.startsWith(word));
  const documents = new Documents(settings.documents);
  const figures = documents.readFigures();
  if (settings.render) documents.write(figures);
  else {
    for (const name of names.filter(isWanted)) {
      settings.note(`== ${name}`);
      await measureSection(name, figures, settings);
      documents.write(figures);
    }
  }
  return 0;
}

async function measureSection(name: string, figures: Figures, settings: Settings): Promise<void> {
  const conditions = conditionsOf(settings);
  if (name === 'goals') {
    const { reports } = await measureRows(settings.rows, settings);
    figures.goals = { conditions, content: reports.map(rowFigures) };
  } else if (name === 'chores') {
    const { findings } = await measureChores({ ...settings, words: [], big: false });
    figures.chores = { conditions, content: findings };
  } else if (name === BIG_CHORES) {
    const words = CHORES.filter(({ isBig }) => isBig === true).map((chore) => chore.name);
    const { findings } = await measureChores({ ...settings, words });
    figures.bigChores = { conditions, content: findings };
  } else {
    const sweep = SWEEPS.find((each) => each.name === name);
    if (sweep !== undefined) figures.sweeps[name] = { conditions, content: await measureSweep(sweep, settings) };
  }
}

function conditionsOf(settings: Settings): Conditions {
  const memoryGb = Math.round(os.totalmem() / 2 ** 30);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${os.cpus().length} × ${os.cpus()[0]?.model ?? 'unknown'}, ${memoryGb} GB, Node ${process.version}`,
    rounds: settings.rounds,
    seconds: settings.seconds,
    loadAverage: os.loadavg()[0] ?? 0,
  };
}

function rowFigures(report: RowReport): RowFigures {
  return {
    name: report.row.name,
    ofApache: ratio(report, 'ours', 'apache'),
    p999OfApache: ratio(report, 'ours', 'apache', 'p999Ms'),
    ofLimit: ratio(report, 'ours', 'limit'),
    results: Object.fromEntries(
      [...report.results].map(([name, { perSecond, p999Ms, cpuMicros }]) => [name, { perSecond, p999Ms, cpuMicros }]),
    ),
  };
}
