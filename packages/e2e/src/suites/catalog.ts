/**
 * The suites and the servers they run against, as tables. A new suite is a script in packages/e2e/suites, a row
 * here and a file in packages/e2e/suites/expected.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { apacheVersion } from '@zoots/server';
import { projectRoot } from '../peers/versions.js';
import { type ReportReader, readers } from './results.js';
import type { Need } from './score.js';

export const suitesDir = join(projectRoot, 'packages/e2e/suites');

/** Something that has to be on the machine. `probe` is a command on PATH, or a file when it begins with a slash. */
interface Requirement {
  readonly probe: string;
  readonly debianPackage: string;
}

export interface Suite {
  readonly name: string;
  /** The words that select it on the command line besides its name. */
  readonly group: string;
  /** The script and its leading words; `prepare` or `run OUT [TEST...]` follow. */
  readonly script: readonly [string, ...string[]];
  /** The report the script leaves in OUT. */
  readonly report: string;
  readonly read: ReportReader;
  readonly timeoutSeconds: number;
  /** Suites of one lane use the same ports or files, so they run one after the other. */
  readonly lane: 'c' | 'others';
  readonly requirements: readonly Requirement[];
}

const python = (module: string, debianPackage: string): Requirement => ({
  probe: `/usr/lib/python3/dist-packages/${module}`,
  debianPackage,
});

const cRequirements: readonly Requirement[] = [
  { probe: 'dpkg-source', debianPackage: 'dpkg-dev' },
  { probe: 'gcc', debianPackage: 'gcc' },
  { probe: 'g++', debianPackage: 'g++' },
  { probe: 'make', debianPackage: 'make' },
  { probe: 'cmake', debianPackage: 'cmake' },
  { probe: '/usr/include/cppunit/Test.h', debianPackage: 'libcppunit-dev' },
  { probe: '/usr/include/sasl/sasl.h', debianPackage: 'libsasl2-dev' },
  { probe: '/usr/include/openssl/ssl.h', debianPackage: 'libssl-dev' },
  { probe: 'openssl', debianPackage: 'openssl' },
  { probe: 'java', debianPackage: 'openjdk-17-jdk-headless' },
  { probe: '/usr/share/java/zookeeper-jute.jar', debianPackage: 'libzookeeper-java' },
];

export const suites: readonly Suite[] = [
  {
    name: 'kazoo',
    group: 'kazoo',
    script: ['kazoo.sh'],
    report: 'junit.xml',
    read: readers.junit,
    timeoutSeconds: 600,
    lane: 'others',
    requirements: [
      { probe: '/usr/bin/python3', debianPackage: 'python3' },
      python('pip', 'python3-pip'),
      python('setuptools', 'python3-setuptools'),
      python('pytest', 'python3-pytest'),
      python('pytest_timeout.py', 'python3-pytest-timeout'),
      python('OpenSSL', 'python3-openssl'),
      python('jks', 'python3-pyjks'),
      python('objgraph.py', 'python3-objgraph'),
      python('gevent', 'python3-gevent'),
      python('eventlet', 'python3-eventlet'),
      python('puresasl', 'python3-pure-sasl'),
    ],
  },
  {
    name: 'c-mt',
    group: 'c',
    script: ['c.sh', 'mt'],
    report: 'zktest.txt',
    read: readers.zktest,
    timeoutSeconds: 720,
    lane: 'c',
    requirements: cRequirements,
  },
  {
    name: 'c-st',
    group: 'c',
    script: ['c.sh', 'st'],
    report: 'zktest.txt',
    read: readers.zktest,
    timeoutSeconds: 300,
    lane: 'c',
    requirements: cRequirements,
  },
  {
    name: 'go',
    group: 'go',
    script: ['go.sh'],
    report: 'go.json',
    read: readers.goJson,
    timeoutSeconds: 520,
    lane: 'others',
    requirements: [{ probe: 'go', debianPackage: 'golang-go' }],
  },
  {
    name: 'npm',
    group: 'npm',
    script: ['npm.sh'],
    report: 'ava.tap',
    read: readers.tap,
    timeoutSeconds: 120,
    lane: 'others',
    requirements: [
      { probe: 'gcc', debianPackage: 'gcc' },
      { probe: 'g++', debianPackage: 'g++' },
      { probe: 'make', debianPackage: 'make' },
      { probe: 'python3', debianPackage: 'python3' },
    ],
  },
];

export interface ServerUnderTest {
  /** The command line that `[-Dname=value ...] zoo.cfg` is appended to. */
  readonly command: string;
  /** Holds the zkServer.sh of this server. */
  readonly binDir: string;
  /** What `envi` says. */
  readonly version: string;
  /** What has to be there before it can start. */
  readonly requirements: readonly Requirement[];
  /** What it cannot do, or this machine cannot; the tests that need it are excluded. */
  readonly lacks: readonly Need[];
}

const zootsMain = join(projectRoot, 'packages/cli/dist/main.js');

export const servers: Readonly<Record<string, ServerUnderTest>> = {
  zoots: {
    command: `${process.execPath} ${zootsMain} server`,
    binDir: join(projectRoot, 'bin'),
    version: apacheVersion,
    requirements: [{ probe: zootsMain, debianPackage: 'none: run npm run build' }],
    lacks: ['reconfiguration', 'Kerberos', 'TLS', 'SASL', 'a quiet machine'],
  },
  apache: {
    command: join(suitesDir, 'bin/apache-server'),
    binDir: join(suitesDir, 'bin'),
    version: '3.8.0',
    requirements: [
      { probe: '/usr/bin/java', debianPackage: 'openjdk-17-jdk-headless' },
      { probe: '/usr/share/java/zookeeper.jar', debianPackage: 'libzookeeper-java' },
    ],
    lacks: ['Kerberos', 'a quiet machine'],
  },
};

/** What is missing, one phrase each, with the Debian package that has it. */
export function missing(requirements: readonly Requirement[]): readonly string[] {
  const directories = (process.env.PATH ?? '').split(delimiter);
  const there = (probe: string) =>
    probe.startsWith('/') ? existsSync(probe) : directories.some((directory) => existsSync(join(directory, probe)));
  return requirements
    .filter(({ probe }) => !there(probe))
    .map(({ probe, debianPackage }) => `${probe} (Debian: ${debianPackage})`);
}
