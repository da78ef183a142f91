/** What must not be deleted or overwritten by the way: the root, and ZooKeeper's own subtree. */
import { RefusedError } from './problem.js';

/** Below a chroot, /zookeeper is a znode as any other. Throws {@link RefusedError}. */
export function refuseSystemPath(path: string, server: string): void {
  if (path === '/') throw new RefusedError('/ itself stays; name the children to delete');
  if (chrootOf(server) !== '') return;
  if (path === '/zookeeper' || path.startsWith('/zookeeper/')) {
    throw new RefusedError(`${path} belongs to ZooKeeper; for quotas there is zkCli's delquota`);
  }
}

/** `/app` of `h1:2181,h2:2181/app` and of `zk://h1/app?timeout=5s`; empty if there is none. */
export function chrootOf(server: string): string {
  const [hosts = ''] = server.replace(/^zks?:\/\//, '').split('?');
  const slash = hosts.indexOf('/');
  return slash < 0 ? '' : hosts.slice(slash).replace(/\/+$/, '');
}
