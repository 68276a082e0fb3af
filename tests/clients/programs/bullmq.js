// BullMQ: a queue with a worker, a delayed job, and one that fails once and is tried again.
const { Queue, QueueEvents, Worker } = require("bullmq");

async function main(host) {
  const connection = { host, port: 6379, connectTimeout: 10000, maxRetriesPerRequest: null };
  const queue = new Queue("work", { connection });
  const events = new QueueEvents("work", { connection });
  const worker = new Worker("work", async (job) => {
    if (job.name === "shaky" && job.attemptsMade === 0) throw new Error("once");
    return job.data.n * 2;
  }, { connection });
  await Promise.all([events.waitUntilReady(), worker.waitUntilReady()]);
  const jobs = [
    await queue.add("plain", { n: 1 }),
    await queue.add("late", { n: 2 }, { delay: 200 }),
    await queue.add("shaky", { n: 3 }, { attempts: 2, backoff: 50 }),
  ];
  console.log((await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 20000)))).join(" "));
  await Promise.all([worker.close(), events.close(), queue.close()]);
}

main(process.argv[2]).then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
