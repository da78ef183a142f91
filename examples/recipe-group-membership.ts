import { connect } from '@zoots/client';
import { GroupMembership } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using group = new GroupMembership(zk, '/workers', { id: 'w1', data: 'http://10.0.0.7:80' });
await group.ready;
group.on(({ type, path }) => console.log(type, path));

const other = new GroupMembership(zk, '/workers', { id: 'w2' });
await other.ready;
console.log([...group.members().keys()].sort());
await other.close();
await zk.sync('/workers');

// Prints:
// added /workers/w2
// [ 'w1', 'w2' ]
// removed /workers/w2
