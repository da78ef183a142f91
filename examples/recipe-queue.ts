import { connect } from '@zoots/client';
import { DelayQueue, PriorityQueue, Queue } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const mails = new Queue(zk, '/queues/mails');
await mails.put('to: alice');
await mails.put('to: bob');
console.log(String(await mails.take()), await mails.size());

// Lower numbers first.
const jobs = new PriorityQueue(zk, '/queues/jobs');
await jobs.put('clean up', 500);
await jobs.put('page somebody', 1);
console.log(String(await jobs.take()));

const reminders = new DelayQueue(zk, '/queues/reminders');
await reminders.putAfter('renew', 1_000);
console.log(await reminders.poll());
console.log(String(await reminders.take()));

// Prints:
// to: alice 1
// page somebody
// undefined
// renew
