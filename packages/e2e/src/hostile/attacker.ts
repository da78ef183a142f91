/** What attacks are made of: raw sockets that misbehave, sessions that do, and the count of what was thrown. */
import { connect, type Socket } from 'node:net';
import type { Prng } from '../differential/prng.js';
import { WireConnection } from '../wire/connection.js';
import { writeConnectRequest } from '../wire/records.js';
import { WireSession } from '../wire/session.js';
import { attackerTimeoutMs, type Target } from './target.js';

export interface AttackResult {
  /** Frames, connections or bytes: whatever the attack counts in. */
  readonly thrown: string;
  /** Promises broken that the attacker saw itself. */
  readonly failures: readonly string[];
}

export interface Attack {
  readonly name: string;
  /** Larger in the long form. */
  run(arena: Arena): Promise<AttackResult>;
}

/** The bounds that the judge applies; an attack may raise its own. */
export interface Arena {
  readonly target: Target;
  readonly port: number;
  readonly prng: Prng;
  /** 1 in the short form. */
  readonly scale: number;
}

export function connectFrame(timeoutMs = attackerTimeoutMs): Buffer {
  return WireConnection.frame(writeConnectRequest({ timeoutMs, readOnly: false }));
}

export function openSession(port: number, timeoutMs = attackerTimeoutMs): Promise<WireSession> {
  return WireSession.connect(port, { timeoutMs });
}

/** A raw socket; resolves when connected. Errors are what attackers live with. */
export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** Reads and drops what the server sends until `bytesMin` came and it is silent for a second; the count of bytes. */
export async function drain(socket: Socket, bytesMin: number, timeoutMs: number): Promise<number> {
  let bytes = 0;
  let lastMs = performance.now();
  const deadlineMs = lastMs + timeoutMs;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    lastMs = performance.now();
  });
  while (performance.now() < deadlineMs && (bytes < bytesMin || performance.now() - lastMs < 1_000)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return bytes;
}

/** True when the peer closes the socket in time. What it sends before is dropped. */
export function isClosedByPeer(socket: Socket, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    socket.resume();
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** Runs `work` for 0 … count-1, `width` at a time. */
export async function inParallel(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
}
