// Node 20.19 and later can require modules, so CommonJS needs no build of its own.
const { connect } = require('@zoots/client');

async function main() {
  const zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
  try {
    console.log(await zk.create('/from-commonjs', 'data'));
  } finally {
    await zk.close();
  }
}

main();

// Prints:
// /from-commonjs
