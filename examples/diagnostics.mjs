import { subscribe, tracingChannel } from 'node:diagnostics_channel';
import { connect } from '@zoots/client';

// Every call: from here to metrics or traces it is a few lines. Nothing is measured while nobody listens.
tracingChannel('zoots:operation').subscribe({
  start(trace) {
    trace.startedAtMs = performance.now();
  },
  asyncEnd({ operation, path, error, startedAtMs }) {
    const isTimed = performance.now() - startedAtMs >= 0;
    console.log(operation, path, error?.code ?? 'ok', isTimed);
  },
});
subscribe('zoots:session', ({ state, previous }) => console.log(`${previous} -> ${state}`));

const zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await zk.create('/traced', 'x');
await zk.get('/missing').catch(() => {});
await zk.close();

// Prints:
// connecting -> connected
// create /traced ok true
// get /missing ZK_NO_NODE true
// connected -> closed
