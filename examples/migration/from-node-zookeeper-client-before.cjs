const zookeeper = require('node-zookeeper-client');

const client = zookeeper.createClient(process.env.ZK || '127.0.0.1:2181', { sessionTimeout: 10000 });

function fail(error) {
  console.log(`failed: ${error}`);
  process.exit(1);
}

client.once('connected', () => {
  client.mkdirp('/shop/workers', (error) => {
    if (error) return fail(error);
    client.create('/shop/workers/w-', Buffer.from('me'), zookeeper.CreateMode.EPHEMERAL_SEQUENTIAL, (error, path) => {
      if (error) return fail(error);
      console.log('registered:', path);
      createSettings();
    });
  });
});

function createSettings() {
  client.create('/shop/settings', Buffer.from('{"level":1}'), (error) => {
    if (error && error.getCode() !== zookeeper.Exception.NODE_EXISTS) return fail(error);
    readSettings();
  });
}

function readSettings() {
  client.getData(
    '/shop/settings',
    (event) => {
      console.log('event:', event.getName(), event.getPath());
      finish();
    },
    (error, data, stat) => {
      if (error) return fail(error);
      console.log('settings:', JSON.parse(data.toString()).level, 'version', stat.version);
      client
        .transaction()
        .setData('/shop/settings', Buffer.from('{"level":2}'))
        .check('/shop/workers')
        .commit((error) => {
          if (error) fail(error);
        });
    },
  );
}

function finish() {
  client.getChildren('/shop', (error, children) => {
    if (error) return fail(error);
    console.log('children:', children.sort().join(' '));
    // One level deep is as far as removeRecursive goes.
    client.removeRecursive('/shop/workers', (error) => {
      if (error) return fail(error);
      client.removeRecursive('/shop', (error) => {
        if (error) return fail(error);
        client.exists('/shop', (error, stat) => {
          if (error) return fail(error);
          console.log('left:', stat);
          client.close();
        });
      });
    });
  });
}

client.connect();

// Prints:
// registered: /shop/workers/w-0000000000
// settings: 1 version 0
// event: NODE_DATA_CHANGED /shop/settings
// children: settings workers
// left: null
