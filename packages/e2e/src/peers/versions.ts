/**
 * The servers that tests run beside ours, one row each, and where their jars come from.
 *
 * 3.8.0 is Debian's package when it is installed; every other version, and 3.8.0 elsewhere, is the published
 * package from Maven Central, resolved once into `.cache/peers` of the checkout by Maven itself.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '../../../..');

export type PeerKind = 'zoots' | ApacheKind;
export type ApacheKind = keyof typeof apacheVersions;

interface ApacheVersion {
  readonly version: string;
  /** Extra artifacts that this version leaves to the surroundings: logging, metrics, snappy. */
  readonly extras: readonly string[];
  readonly debianJars?: readonly string[];
}

const metrics = 'io.dropwizard.metrics:metrics-core:4.1.12.1';
const snappy = 'org.xerial.snappy:snappy-java:1.1.10.5';

export const apacheVersions = {
  'apache-3.4.14': { version: '3.4.14', extras: [] },
  'apache-3.5.10': { version: '3.5.10', extras: ['org.slf4j:slf4j-reload4j:1.7.36'] },
  'apache-3.6.4': { version: '3.6.4', extras: [metrics, snappy, 'org.slf4j:slf4j-reload4j:1.7.36'] },
  'apache-3.7.2': { version: '3.7.2', extras: [metrics, snappy, 'org.slf4j:slf4j-reload4j:1.7.36'] },
  'apache-3.8.0': {
    version: '3.8.0',
    extras: [metrics, snappy, 'org.slf4j:slf4j-reload4j:1.7.36'],
    debianJars: [
      'zookeeper-3.8.0.jar',
      'zookeeper-jute-3.8.0.jar',
      'slf4j-api.jar',
      'slf4j-log4j12.jar',
      'log4j-1.2.jar',
      'netty-all.jar',
      'metrics-core.jar',
      'snappy-java.jar',
      'commons-cli.jar',
      'commons-io.jar',
    ],
  },
  'apache-3.9.5': { version: '3.9.5', extras: [metrics, snappy, 'org.slf4j:slf4j-reload4j:2.0.13'] },
} as const satisfies Record<string, ApacheVersion>;

const debianJarDir = '/usr/share/java';
const cacheDir = join(projectRoot, '.cache', 'peers');

/** A server that cannot run on this machine, with the reason and the remedy. */
export class PeerMissingError extends Error {}

export function classPath(kind: ApacheKind): string {
  const row: ApacheVersion = apacheVersions[kind];
  const debian = row.debianJars?.map((jar) => join(debianJarDir, jar));
  if (debian?.every((jar) => existsSync(jar))) return debian.join(':');
  return join(mavenJars(kind, row), '*');
}

function mavenJars(kind: ApacheKind, row: ApacheVersion): string {
  return resolveJars(kind, [`org.apache.zookeeper:zookeeper:${row.version}`, ...row.extras]);
}

/** The directory with the jars of these artifacts and of what they need, resolved once and kept under `name`. */
export function resolveJars(name: string, artifacts: readonly string[]): string {
  const directory = join(cacheDir, name);
  const jars = join(directory, 'jars');
  if (existsSync(jars) && readdirSync(jars).length > 0) return jars;
  mkdirSync(directory, { recursive: true });
  const pom = join(directory, 'pom.xml');
  writeFileSync(pom, pomText(artifacts));
  // Resolved beside the final place, so an interrupted download never looks like a complete one.
  const partial = join(directory, `jars.partial-${process.pid}`);
  rmSync(partial, { recursive: true, force: true });
  const goals = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${partial}`];
  const maven = spawnSync('mvn', ['-B', '-q', '-f', pom, ...goals], { encoding: 'utf8', timeout: 600_000 });
  if (maven.status !== 0) {
    const why = maven.error?.message ?? maven.stdout.slice(-500);
    throw new PeerMissingError(
      `${name}: Maven could not resolve its jars (${why}); install maven or connect to a repository`,
    );
  }
  try {
    renameSync(partial, jars);
  } catch (error) {
    // Another process was faster; its jars are the same.
    if (!existsSync(jars)) throw error;
    rmSync(partial, { recursive: true, force: true });
  }
  return jars;
}

function pomText(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version>${exclusions}</dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>zoots</groupId><artifactId>peer</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>
`;
}

/** Other logging back ends than the one asked for would fight over the log. */
const exclusions = `<exclusions>
<exclusion><groupId>ch.qos.logback</groupId><artifactId>*</artifactId></exclusion>
<exclusion><groupId>com.github.spotbugs</groupId><artifactId>*</artifactId></exclusion>
<exclusion><groupId>jline</groupId><artifactId>*</artifactId></exclusion>
</exclusions>`;

let knownJava: string | null = null;

export function javaCommand(): string {
  if (knownJava !== null) return knownJava;
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java';
  const probe = spawnSync(java, ['-version'], { encoding: 'utf8' });
  if (probe.status !== 0)
    throw new PeerMissingError('no java on PATH; install a Java 11+ runtime to run Apache servers');
  knownJava = java;
  return java;
}
