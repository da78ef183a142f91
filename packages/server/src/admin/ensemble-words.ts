/** What four letter words tell of a member of an ensemble: its mode, its part of `conf`, its values of `mntr`, its sessions. */
import type { LearnerView, Role, Server } from '@zoots/core';
import { type EnsembleMember, formatEnsemble } from '@zoots/protocol';
import type { EnsembleConfig } from '../config/server-config.js';
import { javaDouble, type WordContext } from './word-context.js';

/** `Mode:` of srvr, `server_state` of mntr; the last two are shown by nobody who serves. */
const modes: Readonly<Record<Role, string>> = {
  standalone: 'standalone',
  leading: 'leader',
  following: 'follower',
  observing: 'observer',
  'read-only': 'read-only',
  looking: 'looking',
};

export function modeOf(server: Server): string {
  return modes[server.role];
}

export function isReadOnly(server: Server): boolean {
  return server.role === 'read-only';
}

// ---- conf ----

/** The lines of conf behind those of a stand-alone server. A read-only server does not say who else there is. */
export function ensembleConf(server: Server, ensemble: EnsembleConfig): string {
  const { configuration, serverId } = ensemble;
  const own = configuration.members.find(({ id }) => id === serverId) as EnsembleMember;
  const portsOf = (port: 'electionPort' | 'quorumPort'): string =>
    own.addresses.map((address) => address[port]).join('|');
  const lines = [
    `initLimit=${ensemble.initLimit}`,
    `syncLimit=${ensemble.syncLimit}`,
    'electionAlg=3',
    `electionPort=${portsOf('electionPort')}`,
    `quorumPort=${portsOf('quorumPort')}`,
    `peerType=${own.role === 'observer' ? 1 : 0}`,
  ];
  if (isReadOnly(server)) return `${lines.join('\n')}\n`;
  return `${[...lines, 'membership: ', formatEnsemble(configuration)].join('\n')}`;
}

// ---- mntr ----

type Value = readonly [string, string | number];

/** Directly behind server_state. Beyond Apache's keys: who leads, in which epoch, and why this server is what it is. */
export function stateValues({ server }: WordContext): Value[] {
  const { peer } = server;
  if (peer === null || isReadOnly(server)) return [];
  const { role, leader, epoch, why } = peer.status;
  return [
    // Whoever answers has been synchronised.
    ['peer_state', `${role} - broadcast`],
    ...(leader === null ? [] : ([['leader_id', leader]] as const)),
    ['epoch', epoch],
    ['role_reason', why],
  ];
}

export function ensembleValues(context: WordContext): Value[] {
  const { server, config } = context;
  const { peer } = server;
  if (peer === null || config.ensemble === null) return [];
  const participants = config.ensemble.configuration.members.filter(({ role }) => role === 'participant');
  const values: Value[] = [['quorum_size', participants.length], ...electionValues(server)];
  if (peer.status.role !== 'leading') return values;
  const voters = new Set(participants.map(({ id }) => id));
  const synced = peer.learners.filter(({ isSynced }) => isSynced);
  const followers = peer.learners.filter(({ isObserver }) => !isObserver);
  const syncedFollowers = synced.filter(({ isObserver }) => !isObserver);
  const { proposalSizes, leadingSinceMs } = peer.statistics;
  return [
    ...values,
    ['learners', peer.learners.length],
    ['followers', followers.length],
    ['synced_followers', syncedFollowers.length],
    ['synced_non_voting_followers', syncedFollowers.filter(({ serverId }) => !voters.has(serverId)).length],
    ['synced_observers', synced.length - syncedFollowers.length],
    ['pending_syncs', peer.pendingSyncCount],
    ['leader_uptime', Math.max(server.nowMs - leadingSinceMs, 0)],
    ['last_proposal_size', proposalSizes.last],
    ['max_proposal_size', proposalSizes.max],
    ['min_proposal_size', proposalSizes.min],
    ...peer.learners.map(({ serverId, lagTxns }) => [`learner_lag_txns_${serverId}`, lagTxns] as const),
  ];
}

function electionValues(server: Server): Value[] {
  const elections = server.peer?.statistics.elections;
  if (elections === undefined) return [];
  const { count, sum, min, max } = elections;
  return [
    ['avg_election_time', javaDouble(count === 0 ? 0 : sum / count)],
    ['min_election_time', Math.max(min, 0)],
    ['max_election_time', Math.max(max, 0)],
    ['cnt_election_time', count],
    ['sum_election_time', sum],
  ];
}

// ---- srvr ----

/** The leader's last line. */
export function proposalLine(server: Server): string {
  const { peer } = server;
  if (peer === null || peer.status.role !== 'leading') return '';
  const { last, min, max } = peer.statistics.proposalSizes;
  return `Proposal sizes last/min/max: ${last}/${min}/${max}\n`;
}

// ---- role ----

/** Which role, and why; answered while nobody is served, too. */
export function roleText({ peer }: Server, ensemble: EnsembleConfig | null): string {
  if (peer === null || ensemble === null) return 'Role: standalone\n';
  const { role, serverId, leader, epoch, why } = peer.status;
  const ids = ensemble.configuration.members.map(({ id }) => id).join(', ');
  return [
    `Role: ${role}`,
    `Server: ${serverId} of ${ids}`,
    `Leader: ${leader ?? 'unknown'}`,
    `Epoch: ${epoch}`,
    `Why: ${why}`,
    ...peer.learners.map((learner) => `Learner ${learner.serverId}: ${stateOf(learner)}`),
    '',
  ].join('\n');
}

function stateOf({ isObserver, isSynced, lagTxns }: LearnerView): string {
  const kind = isObserver ? 'observer' : 'follower';
  if (!isSynced) return `${kind}, being synchronised`;
  if (lagTxns === 0) return `${kind}, in step`;
  return `${kind}, ${lagTxns} ${lagTxns === 1 ? 'transaction' : 'transactions'} behind`;
}
