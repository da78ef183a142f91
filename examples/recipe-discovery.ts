import { connect } from '@zoots/client';
import { roundRobin, ServiceDiscovery } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const discovery = new ServiceDiscovery<{ zone: string }>(zk, '/services');

await using a = await discovery.register({
  name: 'mail',
  id: 'a',
  address: '10.0.0.7',
  port: 25,
  payload: { zone: 'x' },
});
await using b = await discovery.register({ name: 'mail', id: 'b', address: '10.0.0.8', port: 25 });

await using mail = await discovery.provider('mail', { strategy: roundRobin() });
console.log(mail.pick()?.address, mail.pick()?.address, mail.pick()?.address);

// Two failures, and it is left out for half a minute.
mail.noteError(a.instance);
mail.noteError(a.instance);
console.log(mail.pick()?.address);

await b.update({ enabled: false });
await mail.sync();
console.log(mail.pick());

// Prints:
// 10.0.0.7 10.0.0.8 10.0.0.7
// 10.0.0.8
// null
