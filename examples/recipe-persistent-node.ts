import { connect } from '@zoots/client';
import { PersistentNode } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using presence = new PersistentNode(zk, '/workers/w1', { data: 'http://10.0.0.7:80' });
await presence.ready;
await presence.set('http://10.0.0.8:80');

// Whoever deletes it: it comes back.
const back = new Promise<void>((resolve) => {
  zk.watch('/workers/w1', {}, ({ type }) => {
    if (type === 'created') resolve();
  });
});
await zk.delete('/workers/w1');
await back;
console.log(String((await zk.get('/workers/w1')).data));

// Prints:
// http://10.0.0.8:80
