/** The few lines with which a server in a terminal says what runs, where its data is, how to connect and how to stop. */
import { relative } from 'node:path';
import { apacheVersion, type LoadedConfig, zootsVersion } from '@zoots/server';

/** `clientPort`: the one that is really bound. */
export function welcome(loaded: LoadedConfig, clientPort: number): string {
  const { config } = loaded;
  const host = config.clientPortAddress ?? 'localhost';
  const configuration = configurationOf(loaded);
  const remedy = loaded.isBuiltIn ? ' (to change them: cp conf/zoo_sample.cfg conf/zoo.cfg)' : '';
  return [
    `Zoots ${zootsVersion}, compatible with ZooKeeper ${apacheVersion}: ${kindOf(loaded)} on port ${clientPort}`,
    `  configuration  ${configuration}${remedy}`,
    `  data           ${config.dataDir}`,
    `  connect        any ZooKeeper client to ${host}:${clientPort}; try: echo srvr | nc ${host} ${clientPort}`,
    '  stop           Ctrl-C',
  ].join('\n');
}

function kindOf({ config: { ensemble } }: LoadedConfig): string {
  if (ensemble === null) return 'a stand-alone server';
  const { serverId, configuration } = ensemble;
  const ids = configuration.members.map(({ id }) => id).join(', ');
  return `server ${serverId} of the ensemble ${ids}`;
}

function configurationOf({ config, isBuiltIn }: LoadedConfig): string {
  if (config.configFile !== null) return shortPath(config.configFile);
  return isBuiltIn ? 'built-in defaults' : 'the command line';
}

function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}
