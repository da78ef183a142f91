/** Attacks on the front door: sockets, frames and lengths, before any request is understood. */
import type { Socket } from 'node:net';
import { sleep } from '../crash/server-process.js';
import { ReplyTimeoutError, WireConnection } from '../wire/connection.js';
import { fourLetterWord } from '../wire/four-letter-word.js';
import { bodies, Flags, Op } from '../wire/records.js';
import type { WireSession } from '../wire/session.js';
import {
  type Arena,
  type Attack,
  type AttackResult,
  connectFrame,
  inParallel,
  isClosedByPeer,
  openSession,
  openSocket,
} from './attacker.js';
import { fuzzedFrame, type Rule, rules } from './grammar.js';

const frameMax = 0xfffff;

const malformedFrames: Attack = {
  name: 'malformed frames',
  async run({ port, prng, scale }) {
    const count = 3_000 * scale;
    await inParallel(count, 50, async (index) => {
      const socket = await openSocket(port);
      const bytes = Buffer.alloc(4 + prng.below(80), prng.below(256));
      if (prng.chance(0.5)) for (let at = 0; at < bytes.length; at++) bytes[at] = prng.below(256);
      if (prng.chance(0.4)) bytes.writeInt32BE(prng.pick([-1, 0, 1, 43, 44, 45, frameMax, frameMax + 1, -0x80000000]));
      if (index % 2 === 0) socket.write(connectFrame());
      socket.write(bytes);
      await isClosedByPeer(socket, prng.below(30));
      socket.destroy();
    });
    return { thrown: `${count} connections`, failures: [] };
  },
};

/** Every length and count field of every request, one at a time, replaced by a lie. */
const lyingLengths: Attack = {
  name: 'lying lengths',
  async run({ port, prng }) {
    const lies = [-2, -0x80000000, 0x7fffffff, frameMax, frameMax + 1, 0x200000, 1_000];
    const frames: Buffer[] = [];
    for (const type of rules.keys()) {
      const original = (rules.get(type) as Rule)(prng);
      for (let at = 0; at + 4 <= original.length && at < 60; at++) {
        for (const lie of lies) {
          const body = Buffer.from(original);
          body.writeInt32BE(lie, at);
          frames.push(WireConnection.requestFrame(1, type, body));
        }
      }
    }
    const failures = await throwFrames(port, frames);
    return { thrown: `${frames.length} frames`, failures };
  },
};

/** Sends frames over sessions, a few on each, and waits until the server has answered or closed. */
async function throwFrames(port: number, frames: readonly Buffer[]): Promise<string[]> {
  const failures: string[] = [];
  const perSession = 12;
  await inParallel(Math.ceil(frames.length / perSession), 20, async (index) => {
    const mine = frames.slice(index * perSession, (index + 1) * perSession);
    // A frame may close its connection: what is left goes on over a new one.
    while (mine.length > 0) {
      const connection = await WireConnection.open(port);
      connection.sendRaw(connectFrame());
      if ((await connection.nextFrame()) === null) failures.push('no session');
      while (mine.length > 0 && !connection.closed) {
        connection.sendRaw(mine.shift() as Buffer);
        // The ping behind it is answered when the frame is done with.
        connection.sendRequest(-2, Op.ping, bodies.empty());
        if (!(await settled(connection))) failures.push('neither an answer nor a close within 10 s');
      }
      connection.destroy();
    }
  });
  return failures;
}

/** Reads until the ping's answer or the close; false when neither comes. */
async function settled(connection: WireConnection): Promise<boolean> {
  try {
    for (;;) {
      const frame = await connection.nextFrame(10_000);
      if (frame === null || frame.readInt32BE(0) === -2) return true;
    }
  } catch (error) {
    if (error instanceof ReplyTimeoutError) return false;
    throw error;
  }
}

const fuzz: Attack = {
  name: 'mutated requests',
  async run({ port, prng, scale }) {
    const frames = Array.from({ length: 12_000 * scale }, (_, i) => fuzzedFrame(prng, i + 1));
    // A frame whose length lies makes the server wait for more: a hang of ours, not of its. Leave those to lyingLengths.
    const whole = frames.filter((frame) => frame.length >= 4 && frame.readInt32BE(0) <= frame.length - 4);
    return { thrown: `${whole.length} frames`, failures: await throwFrames(port, whole) };
  },
};

const requestsBeforeConnect: Attack = {
  name: 'requests before connect',
  async run({ port, prng }) {
    const failures: string[] = [];
    let count = 0;
    for (const type of rules.keys()) {
      for (let i = 0; i < 5; i++) {
        const body = (rules.get(type) as Rule)(prng);
        const socket = await openSocket(port);
        const frame = WireConnection.requestFrame(1, type, body);
        socket.write(frame);
        count += 1;
        // Forty-four bytes and more may pass for a ConnectRequest.
        if (frame.length < 48 && !(await isClosedByPeer(socket, 3_000)))
          failures.push(`op ${type} first is not refused`);
        socket.destroy();
      }
    }
    return { thrown: `${count} connections`, failures };
  },
};

const halfOpen: Attack = {
  name: 'half-open connections',
  async run({ port, scale }) {
    const sockets: Socket[] = [];
    // A few at a time, so that none is left in an overflowing listen backlog, where the server cannot see it.
    await inParallel(1_500, 10, async (index) => {
      const socket = await openSocket(port);
      sockets.push(socket);
      if (index % 3 === 1) socket.write(connectFrame().subarray(0, 20));
      if (index % 3 === 2) socket.write(Buffer.from([0, 0x0f, 0xff, 0xff]));
    });
    const failures: string[] = [];
    const session = await openSession(port);
    await session.close();
    if (scale > 1) {
      // In the long form: the server gets rid of them by itself (Apache: within 10 to 20 s).
      const closed = await Promise.all(sockets.map((socket) => isClosedByPeer(socket, 25_000)));
      const left = closed.filter((each) => !each).length;
      if (left > 0) failures.push(`${left} connections without a session are still open after 25 s`);
    }
    for (const socket of sockets) socket.destroy();
    return { thrown: '1500 connections', failures };
  },
};

const slowLoris: Attack = {
  name: 'a byte at a time',
  async run({ port }) {
    const failures: string[] = [];
    const bytes = Buffer.concat([
      connectFrame(10_000),
      WireConnection.requestFrame(1, Op.exists, bodies.pathWatch('/', false)),
    ]);
    const repliesBytes = 41 + 88;
    const sockets: Socket[] = [];
    // A few at a time: a listen backlog of 50 that runs over would look like a server that does not answer.
    await inParallel(200, 10, async () => void sockets.push(await openSocket(port)));
    await Promise.all(
      sockets.map(async (socket) => {
        let received = 0;
        socket.on('data', (chunk) => {
          received += chunk.length;
        });
        for (const byte of bytes) {
          socket.write(Buffer.from([byte]));
          await sleep(15);
        }
        for (let i = 0; i < 50 && received < repliesBytes; i++) await sleep(100);
        if (received < repliesBytes) failures.push(`only ${received} bytes came back`);
        socket.destroy();
      }),
    );
    return { thrown: `200 connections, ${bytes.length} bytes each`, failures };
  },
};

/** Requests whose replies nobody reads: they must not pile up in the server's memory. */
const unreadReplies: Attack = {
  name: 'replies that nobody reads',
  async run({ port, target }) {
    const session = await openSession(port, 10_000);
    await session.create('/flood', Buffer.alloc(200_000, 'x')).catch(() => {});
    const request = WireConnection.requestFrame(1, Op.getData, bodies.pathWatch('/flood', false));
    const burst = Buffer.concat(Array.from({ length: 400 }, () => request));
    const before = target.rssMb();
    const sockets: Socket[] = [];
    // 20 connections times 2,000 requests times 200 kB: 8 GB of replies, were they all made.
    await inParallel(20, 20, async () => {
      const socket = await openSocket(port);
      sockets.push(socket);
      socket.pause();
      socket.write(connectFrame(10_000));
      for (let i = 0; i < 5; i++) socket.write(burst);
    });
    await sleep(3_000);
    const grown = target.rssMb() - before;
    for (const socket of sockets) socket.destroy();
    await session.delete('/flood');
    await session.close();
    const failures = grown > 800 ? [`unread replies took ${grown} MB`] : [];
    return { thrown: '40000 requests for 200 kB', failures };
  },
};

const writeFlood: Attack = {
  name: 'flood of writes',
  async run({ port, scale }) {
    const sessions = await Promise.all(Array.from({ length: 20 }, () => openSession(port, 10_000)));
    await sessions[0]?.create('/flooded', '').catch(() => {});
    const frames = 5_000 * scale;
    const request = WireConnection.requestFrame(1, Op.setData, bodies.setData('/flooded', Buffer.alloc(500, 'w'), -1));
    const burst = Buffer.concat(Array.from({ length: 500 }, () => request));
    for (const session of sessions) for (let i = 0; i < frames / 500; i++) session.connection.sendRaw(burst);
    // Answered in order, so the ping comes last.
    await Promise.all(sessions.map((session) => waitForPing(session)));
    await Promise.all(sessions.map((session) => session.close()));
    return { thrown: `${20 * frames} writes`, failures: [] };
  },
};

/** The raw writes above have no waiters: their replies resolve nothing, so wait for the stream to fall silent. */
async function waitForPing(session: WireSession): Promise<void> {
  let last = -1n;
  while (session.lastZxid !== last) {
    last = session.lastZxid;
    await sleep(500);
  }
}

const cutAtOnce: Attack = {
  name: 'sessions cut all at once',
  async run({ port, scale }: Arena): Promise<AttackResult> {
    const count = Math.min(2_000 * scale, 8_000);
    const sessions: WireSession[] = [];
    const owner = await openSession(port, 10_000);
    await owner.create('/cut', '').catch(() => {});
    await inParallel(count, 100, async (index) => {
      const session = await openSession(port, 4_000);
      sessions.push(session);
      await session.create(`/cut/e${index}`, '', { flags: Flags.ephemeral });
      await session.exists(`/cut/e${(index + 1) % count}`, true);
    });
    const startMs = performance.now();
    for (const session of sessions) session.abandon();
    let left = count;
    while (left > 0 && performance.now() - startMs < 30_000) {
      await sleep(100);
      left = (await owner.getChildren('/cut')).length;
      await owner.ping();
    }
    const tookMs = Math.round(performance.now() - startMs);
    await owner.close();
    const failures = left > 0 ? [`${left} ephemerals are left after ${tookMs} ms`] : [];
    return { thrown: `${count} sessions, ephemerals gone after ${tookMs} ms (timeout 4000)`, failures };
  },
};

const wordStorm: Attack = {
  name: 'four letter words',
  async run({ port, scale }) {
    const words = [
      'srvr',
      'stat',
      'mntr',
      'cons',
      'dump',
      'wchp',
      'wchc',
      'wchs',
      'conf',
      'envi',
      'dirs',
      'isro',
      'hash',
    ];
    const count = 1_000 * scale;
    await inParallel(count, 30, async (index) => {
      await fourLetterWord(port, words[index % words.length] as string);
    });
    // In pieces, with a missing mask, unknown, and not waited for.
    for (const piece of ['sr', 'stmk', 'zzzz', 'ruo', 'stat\n\n\n\n']) {
      const socket = await openSocket(port);
      socket.write(piece);
      await isClosedByPeer(socket, 100);
      socket.destroy();
    }
    return { thrown: `${count} words`, failures: [] };
  },
};

export const attacksOnConnections: readonly Attack[] = [
  malformedFrames,
  requestsBeforeConnect,
  halfOpen,
  slowLoris,
  lyingLengths,
  fuzz,
  unreadReplies,
  writeFlood,
  cutAtOnce,
  wordStorm,
];
