import { connect } from '@zoots/client';
import { TreeCache } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await zk.create('/config/db/host', 'db1', { parents: true });

await using cache = new TreeCache(zk, '/config');
await cache.ready;
console.log(cache.children('/config'), String(cache.get('/config/db/host')?.data));

cache.on(({ type, path, node }) => console.log(type, path, String(node?.data)));
await zk.set('/config/db/host', 'db2');
await zk.create('/config/db/port', '5432');

// Reads are local and follow the server after a moment. When it must be now:
await cache.sync();
console.log(cache.size, cache.isCurrent);

// Prints:
// [ 'db' ] db1
// changed /config/db/host db2
// added /config/db/port 5432
// 4 true
