/**
 * What this server calls itself. Clients, monitoring and test suites parse Apache's version out of `srvr`, `envi` and
 * `zkServer.sh version` to decide what a server can do: so the release that we are compatible with comes first, in
 * Apache's form, and our own version stands in the place of its revision hash.
 */

/** The Apache ZooKeeper release whose behaviour this is. */
export const apacheVersion = '3.9.5';

export const zootsVersion = '0.1.0';

/** In the form of `yyyy-MM-dd HH:mm z`. */
export const buildTime = '2026-11-21 00:00 UTC';

/** `3.9.5-zoots0.1.0, built on 2026-11-21 00:00 UTC`: the rest of srvr's first line, and envi's `zookeeper.version`. */
export const fullVersion = `${apacheVersion}-zoots${zootsVersion}, built on ${buildTime}`;
