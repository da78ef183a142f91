/**
 * A session is an acknowledged write too. The keeper opens one with an ephemeral node before the crash and resumes it
 * after the restart: both must still be there.
 */
import { Flags } from '../wire/records.js';
import { WireSession } from '../wire/session.js';
import { sleep } from './server-process.js';

const path = '/keeper';

export class Keeper {
  readonly #sessionId: bigint;
  readonly #password: Buffer;
  #hasEphemeral: boolean;
  #session: WireSession;

  private constructor(session: WireSession) {
    this.#session = session;
    this.#sessionId = session.sessionId;
    this.#password = session.password;
    this.#hasEphemeral = false;
  }

  /** Tries until `giveUp` says so; null when the server died before it could acknowledge a session. */
  static async open(port: number, giveUp: () => boolean): Promise<Keeper | null> {
    while (!giveUp()) {
      try {
        const keeper = new Keeper(await WireSession.connect(port, { timeoutMs: 40_000 }));
        await keeper.#createEphemeral();
        return keeper;
      } catch {
        await sleep(5);
      }
    }
    return null;
  }

  async #createEphemeral(): Promise<void> {
    try {
      await this.#session.create(`${path}-${this.#sessionId.toString(16)}`, '', { flags: Flags.ephemeral });
      this.#hasEphemeral = true;
    } catch {
      // Killed in between: then only the session itself was acknowledged.
    }
  }

  /** What is missing after the restart; empty when all is well. Ends the session. */
  async check(port: number): Promise<string[]> {
    try {
      const credentials = { sessionId: this.#sessionId, password: this.#password, timeoutMs: 40_000 };
      this.#session = await WireSession.connect(port, credentials);
    } catch (error) {
      return [`session 0x${this.#sessionId.toString(16)} was acknowledged and is gone: ${(error as Error).message}`];
    }
    const node = `${path}-${this.#sessionId.toString(16)}`;
    const stat = await this.#session.exists(node);
    await this.#session.close();
    if (this.#hasEphemeral && stat?.ephemeralOwner !== this.#sessionId) return [`${node} was acknowledged and is gone`];
    return [];
  }

  abandon(): void {
    this.#session.abandon();
  }
}
