const ZooKeeper = require('zookeeper');

const { constants } = ZooKeeper;
const client = new ZooKeeper({
  connect: process.env.ZK || '127.0.0.1:2181',
  timeout: 10000,
  debug_level: constants.ZOO_LOG_LEVEL_ERROR,
  host_order_deterministic: false,
});

async function main() {
  for (const path of ['/shop', '/shop/workers']) await client.create(path, '', constants.ZOO_PERSISTENT);
  const path = await client.create('/shop/workers/w-', 'me', constants.ZOO_EPHEMERAL | constants.ZOO_SEQUENCE);
  console.log('registered:', path);

  try {
    await client.create('/shop/settings', '{"level":1}', constants.ZOO_PERSISTENT);
  } catch (error) {
    if (!error.message.startsWith(`${constants.ZNODEEXISTS} `)) throw error;
  }

  let onChange;
  const changed = new Promise((resolve) => {
    onChange = (type, _state, path) => resolve({ type, path });
  });
  const [stat, data] = await client.w_get('/shop/settings', onChange);
  console.log('settings:', JSON.parse(data.toString()).level, 'version', stat.version);

  await client.set('/shop/settings', '{"level":2}', stat.version);
  const event = await changed;
  console.log('event:', event.type === constants.ZOO_CHANGED_EVENT, event.path);

  console.log('children:', (await client.get_children('/shop', false)).sort().join(' '));
  for (const each of [path, '/shop/workers', '/shop/settings', '/shop']) await client.delete_(each, -1);
  console.log('left:', await client.pathExists('/shop', false));
  client.close();
}

client.once('connect', () => {
  main().catch((error) => {
    console.log(`failed: ${error}`);
    process.exit(1);
  });
});
client.init({});

// Prints:
// registered: /shop/workers/w-0000000000
// settings: 1 version 0
// event: true /shop/settings
// children: settings workers
// left: false
