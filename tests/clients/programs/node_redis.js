// node-redis: transactions, hashes, iteration, publish and subscribe.
const { createClient } = require("redis");

async function main(host) {
  const cache = createClient({ url: `redis://${host}:6379`, socket: { connectTimeout: 10000 } });
  cache.on("error", (error) => { console.error(error); process.exit(1); });
  await cache.connect();
  console.log((await cache.multi().set("b", "1").incr("b").exec()).join(" "));
  await cache.hSet("user", { name: "Ann", age: 7 });
  console.log(JSON.stringify(await cache.hGetAll("user")));
  const reader = cache.duplicate();
  await reader.connect();
  const heard = new Promise((resolve) => reader.subscribe("news", (text) => resolve(text)));
  while ((await cache.publish("news", "hello")) === 0) await new Promise((next) => setTimeout(next, 20));
  console.log(await heard);
  for (let n = 0; n < 100; n++) await cache.set(`many:${n}`, n);
  let seen = 0;
  for await (const keys of cache.scanIterator({ MATCH: "many:*" })) seen += Array.isArray(keys) ? keys.length : 1;
  console.log(seen);
  await reader.close();
  await cache.close();
}

main(process.argv[2]).catch((error) => { console.error(error); process.exit(1); });
