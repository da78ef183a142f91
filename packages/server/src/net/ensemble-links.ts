/**
 * Everything between this server and the other members: election port and quorum port together, as the core asks for them
 * ({@link QuorumNet}). Made from the configuration; `assemble.ts` puts it between the core and the turn.
 */
import { type Logger, logLevels } from '@zoots/base';
import type { PeerInputs, PeerStream, QuorumNet } from '@zoots/core';
import type { EnsembleMember, QuorumAddress } from '@zoots/protocol';
import type { EnsembleConfig } from '../config/server-config.js';
import { exitCodes } from '../exit-codes.js';
import { StartupError } from '../running-server.js';
import { bindFailure } from './bind-failure.js';
import type { Gate } from './client-listener.js';
import { type ElectionAddress, ElectionLinks } from './election-links.js';
import { QuorumLinks } from './quorum-links.js';

/** Pause between calls to members that do not get our votes. */
const CALL_AGAIN_MS = 1_000;
/** Pause between attempts to bind a port. */
const BIND_PAUSE_MS = 1_000;

export class EnsembleLinks {
  readonly #config: EnsembleConfig;
  readonly #logger: Logger;
  readonly #own: QuorumAddress;
  readonly #listenHost: string | null;
  readonly election: ElectionLinks;
  readonly quorum: QuorumLinks;
  #inputs: PeerInputs | null = null;
  #isClosed = false;
  /** What the core gets as `Ports.quorumNet`. */
  readonly net: QuorumNet;

  constructor(config: EnsembleConfig, tickTimeMs: number, logger: Logger) {
    const { configuration, serverId } = config;
    const others = configuration.members.filter(({ id }) => id !== serverId);
    const own = addressOf(configuration.members.find(({ id }) => id === serverId) as EnsembleMember);
    this.#config = config;
    this.#logger = logger;
    this.#own = own;
    this.#listenHost = config.listensOnAllAddresses || own.host === '0.0.0.0' ? null : own.host;
    this.election = new ElectionLinks(
      {
        serverId,
        own: { host: own.host, port: own.electionPort },
        listenHost: this.#listenHost,
        peers: new Map(others.map((member) => [member.id, electionPlaceOf(member)])),
        connectTimeoutMs: config.electionConnectTimeoutMs,
        handshakeTimeoutMs: config.electionReadTimeoutMs,
        keepAlive: config.tcpKeepAlive,
        callAgainMs: CALL_AGAIN_MS,
        silenceMs: config.electionConnectTimeoutMs,
      },
      logger,
      { onFrame: (from, bytes, start, end) => this.#inputs?.onElectionFrame(from, bytes, start, end) },
    );
    this.quorum = new QuorumLinks(
      {
        port: own.quorumPort,
        listenHost: this.#listenHost,
        peers: new Map(others.map((member) => [member.id, quorumPlaceOf(member)])),
        connectTimeoutMs: tickTimeMs * (config.connectToLearnerMasterLimit || config.initLimit),
        bindPauseMs: BIND_PAUSE_MS,
        learnerNoDelay: config.followerNoDelay,
        leaderNoDelay: config.leaderNoDelay,
      },
      logger,
    );
    this.net = {
      sendElection: (to, message) => this.election.send(to, message),
      connectElection: () => this.election.connectAll(),
      listen: (isListening) => this.quorum.listen(isListening),
      dial: (to, stream) => this.quorum.dial(to, stream),
    };
  }

  /** Binds the election port; others may call, and are heard once {@link open} says so. Rejects with a {@link StartupError}. */
  async bind(): Promise<void> {
    const attemptsMax = this.#config.electionBindAttemptsMax;
    for (let attempt = 1; !this.#isClosed; attempt++) {
      try {
        this.#checkReach(await this.election.listen());
        return;
      } catch (error) {
        const reason = bindFailure('election', this.#listenHost, this.#own.electionPort, error as Error);
        if (attemptsMax !== 0 && attempt >= attemptsMax) {
          throw new StartupError(reason, exitCodes.electionPort, { cause: error });
        }
        if (attempt === 1) this.#logger.log(logLevels.warn, 'waiting for the election port', { reason });
        await new Promise((resolve) => setTimeout(resolve, BIND_PAUSE_MS));
      }
    }
  }

  /** The classic trap: /etc/hosts gives this machine's own name a loopback address, and nobody else gets through. */
  #checkReach({ host, port }: ElectionAddress): void {
    if (!isLoopback(host)) return;
    const { configuration, serverId } = this.#config;
    const far = configuration.members.find(
      (member) =>
        member.id !== serverId && !isLoopback(addressOf(member).host) && addressOf(member).host !== this.#own.host,
    );
    if (far === undefined) return;
    this.#logger.log(logLevels.warn, 'other machines cannot reach this server', {
      reason: `${this.#own.host} is ${host} here, so the ports ${this.#own.quorumPort} and ${port} listen for this machine alone: correct /etc/hosts or set quorumListenOnAllIPs=true`,
    });
  }

  /** Who hears what the others say. */
  attach(inputs: PeerInputs): void {
    this.#inputs = inputs;
    this.quorum.attach(inputs);
  }

  /** The core is ready: messages of others are handed over from now on. */
  open(): void {
    this.election.open();
  }

  /** Of all connections to other members. */
  get gate(): Gate {
    return this.quorum.gate.state;
  }

  set gate(gate: Gate) {
    this.quorum.gate.state = gate;
    this.election.gate.state = gate;
    if (gate === 'open') this.election.connectAll();
  }

  /** Sends what streams have; part of a turn. */
  flush(streams: readonly PeerStream[]): void {
    for (const stream of streams) this.quorum.flush(stream);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.election.close(), this.quorum.close()]);
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.') || host === '::1';
}

/** The first one: several addresses of a member are for a later version. */
function addressOf({ addresses }: EnsembleMember): QuorumAddress {
  return addresses[0] as QuorumAddress;
}

function electionPlaceOf(member: EnsembleMember): { host: string; port: number } {
  const { host, electionPort } = addressOf(member);
  return { host, port: electionPort };
}

function quorumPlaceOf(member: EnsembleMember): { host: string; port: number } {
  const { host, quorumPort } = addressOf(member);
  return { host, port: quorumPort };
}
