import { describe, expect, it } from '@jest/globals';
import { createJob, float64, type Job, type JobDefinition, sleep } from '@weir/core';
import { memory } from '@weir/storage';
import { RecordingTelemetry } from '@weir/testing';
import { isRunning, LIMIT_MS, PATIENCE_MS, real, TextsOnKafka, until } from './texts-on-kafka.spec-d.js';

/** A replica of a job that counts each text. */
function replica(texts: TextsOnKafka): Job {
  const counting: JobDefinition = {
    define: (streams) =>
      streams
        .source('in', texts.input)
        .keyBy(texts.input.key, (value) => value, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .mapWithState<number, string>('count', float64, (value, count = 0) => ({ state: count + 1, value: `${value} is ${count + 1}` }))
        .sink('out', texts.output),
  };
  const settings = { applicationId: texts.name, checkpointing: { interval: 50 }, group: { instanceId: 'none', sessionTimeout: 6_000 } } as const;
  return createJob('counting', counting, settings, { log: texts.factory, state: memory(), clock: real, telemetry: new RecordingTelemetry() });
}

const isCancelled = (job: Job): boolean => job.overview().status === 'CANCELED';

describe('the desired state of a job on Kafka', () => {
  it(
    'is that of all its replicas, and of those that start later: a cancelled job runs again when it is told to, from its last commit',
    async () => {
      const texts = await TextsOnKafka.open('desired-state');
      const jobs: Job[] = [];
      const startOne = (): Job => {
        const job = replica(texts);
        jobs.push(job);
        job.start();
        return job;
      };
      try {
        const [first, second] = [startOne(), startOne()];
        await until('both run', () => isRunning(first) && isRunning(second));
        await texts.pipe(['a', 'b', 'c', 'd']);
        await until('the first four are committed', async () => (await texts.values(texts.output.topic)).length === 4);

        await second.cancel();
        await until('both are cancelled', () => isCancelled(first) && isCancelled(second));
        await texts.pipe(['a', 'b', 'c', 'd']);
        await Promise.all([first, second].map((job) => job.stop(PATIENCE_MS)));
        const third = startOne();
        await until('the third reads that it is cancelled', () => isCancelled(third));
        await sleep(real, 1_000);
        expect(await texts.values(texts.output.topic)).toHaveLength(4);

        await third.resume();
        await until('it has gone on', async () => isRunning(third) && (await texts.values(texts.output.topic)).length === 8);
        expect((await texts.values(texts.output.topic)).sort()).toEqual(['a', 'b', 'c', 'd'].flatMap((value) => [`${value} is 1`, `${value} is 2`]));
      } finally {
        await Promise.all(jobs.map((job) => job.stop(PATIENCE_MS)));
        await texts.log.close();
      }
    },
    LIMIT_MS,
  );
});
