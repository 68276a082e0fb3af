// ioredis: pipelines, scripts, publish and subscribe, blocking reads, streams.
const Redis = require("ioredis");

async function main(host) {
  const cache = new Redis({ host, port: 6379, connectTimeout: 10000 });
  const done = await cache.pipeline().set("a", 1).incr("a").expire("a", 60).exec();
  console.log(done.map(([error, value]) => error || value).join(" "));
  cache.defineCommand("suffixed", { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1]) .. ARGV[1]" });
  console.log(await cache.suffixed("a", "!"));
  const reader = cache.duplicate();
  const heard = new Promise((resolve) => reader.on("message", (channel, text) => resolve(`${channel}: ${text}`)));
  await reader.subscribe("news");
  await cache.publish("news", "hello");
  console.log(await heard);
  const waiter = cache.duplicate();
  const popped = waiter.blpop("queue", 10);
  await cache.rpush("queue", "job");
  console.log((await popped).join(" "));
  await cache.xadd("stream", "*", "k", "v");
  console.log((await cache.xread("STREAMS", "stream", "0"))[0][1][0][1].join("="));
  await cache.lpush("a", 1).catch((error) => console.log(error.message.split(" ")[0]));
  for (const link of [cache, reader, waiter]) link.disconnect();
}

main(process.argv[2]).catch((error) => { console.error(error); process.exit(1); });
