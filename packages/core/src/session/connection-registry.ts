/** Open connections, and how many there may be: in all, and from one address. */
import { type Logger, logLevels } from '@zoots/base';
import type { CoreConfig } from '../ports.js';
import type { Statistics } from '../statistics.js';
import { Connection } from './connection.js';

/** A flood of refused connections must not become a flood of log lines. */
const REFUSAL_LOG_INTERVAL_MS = 10_000;

export class ConnectionRegistry {
  readonly #config: CoreConfig;
  readonly #statistics: Statistics;
  readonly #logger: Logger;
  /** By number, oldest first. */
  readonly open = new Map<number, Connection>();
  readonly #perAddress = new Map<string, number>();
  #acceptedCount = 0;
  #loggedMs = Number.NEGATIVE_INFINITY;

  constructor(config: CoreConfig, statistics: Statistics, logger: Logger) {
    this.#config = config;
    this.#statistics = statistics;
    this.#logger = logger;
  }

  /** Null: refused. */
  accept(
    remoteAddress: string,
    remotePort: number,
    isSecure: boolean,
    nowMs: number,
    wallMs: number,
  ): Connection | null {
    const { maxClientCnxns, maxCnxns } = this.#config;
    const fromAddress = this.#perAddress.get(remoteAddress) ?? 0;
    if (maxCnxns > 0 && this.open.size >= maxCnxns) return this.#refuse(remoteAddress, 'maxCnxns', maxCnxns, nowMs);
    if (maxClientCnxns > 0 && fromAddress >= maxClientCnxns) {
      return this.#refuse(remoteAddress, 'maxClientCnxns', maxClientCnxns, nowMs);
    }
    const number = ++this.#acceptedCount;
    const connection = new Connection(number, remoteAddress, remotePort, isSecure, nowMs, wallMs);
    this.open.set(number, connection);
    this.#perAddress.set(remoteAddress, fromAddress + 1);
    return connection;
  }

  #refuse(remoteAddress: string, limit: string, value: number, nowMs: number): null {
    this.#statistics.connectionsRejected++;
    if (nowMs - this.#loggedMs >= REFUSAL_LOG_INTERVAL_MS) {
      this.#loggedMs = nowMs;
      const refusedInAll = this.#statistics.connectionsRejected;
      this.#logger.log(logLevels.warn, 'connections refused', { remoteAddress, limit, value, refusedInAll });
    }
    return null;
  }

  /** False if it was forgotten before. */
  remove(connection: Connection): boolean {
    if (!this.open.delete(connection.number)) return false;
    const left = (this.#perAddress.get(connection.remoteAddress) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(connection.remoteAddress, left);
    else this.#perAddress.delete(connection.remoteAddress);
    return true;
  }
}
