import { readFileSync } from 'node:fs';
import { connect } from '@zoots/client';

// What stands in `tls` goes to Node as it is: a private authority here, `cert` and `key` if the server wants to know who calls.
await using zk = await connect(process.env.ZK_TLS ?? 'localhost:2281', {
  tls: { ca: readFileSync(process.env.ZK_CA ?? 'ca.pem') },
});
console.log(await zk.children('/'));

// Prints:
// [ 'zookeeper' ]
