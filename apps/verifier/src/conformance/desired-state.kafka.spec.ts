import { describe, expect, it } from '@jest/globals';
import { changelogTopic, createJob, float64, incarnation, type Job, type JobDefinition, type JobSettings, sleep } from '@weir/core';
import { memory } from '@weir/storage';
import { RecordingTelemetry } from '@weir/testing';
import { isRunning, LIMIT_MS, PATIENCE_MS, real, TextsOnKafka, until } from './texts-on-kafka.spec-d.js';

/** A replica of a job that counts each text. */
function replica(texts: TextsOnKafka, externalizedCheckpointRetention: CheckpointRetention = 'RETAIN_ON_CANCELLATION', telemetry = new RecordingTelemetry()): Job {
  const counting: JobDefinition = {
    define: (streams) =>
      streams
        .source('in', texts.input)
        .keyBy(texts.input.key, (value) => value, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .mapWithState<number, string>('count', float64, (value, count = 0) => ({ state: count + 1, value: `${value} is ${count + 1}` }))
        .sink('out', texts.output),
  };
  const settings = { applicationId: texts.name, checkpointing: { interval: 50, externalizedCheckpointRetention }, group: { instanceId: 'none', sessionTimeout: 6_000 } } as const;
  return createJob('counting', counting, settings, { log: texts.factory, state: memory(), clock: real, telemetry });
}

type CheckpointRetention = NonNullable<NonNullable<JobSettings['checkpointing']>['externalizedCheckpointRetention']>;

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

  it(
    'deletes its state with DELETE_ON_CANCELLATION: resumed, it counts its inputs as for the first time, on all replicas',
    async () => {
      const texts = await TextsOnKafka.open('deleted-state');
      const telemetry = new RecordingTelemetry();
      const jobs = [0, 1].map(() => replica(texts, 'DELETE_ON_CANCELLATION', telemetry));
      const changelog = (life: number): string => changelogTopic(texts.name, incarnation(life), 0);
      const outputs = (): Promise<readonly string[]> => texts.values(texts.output.topic);
      try {
        for (const job of jobs) job.start();
        await until('both run', () => jobs.every(isRunning));
        await texts.pipe(['a', 'b', 'c', 'd']);
        await until('all are committed', async () => (await outputs()).length === 4);
        for (let life = 0; life < 2; life++) {
          await jobs[life]!.cancel();
          await until('the changelog is deleted', async () => jobs.every(isCancelled) && (await texts.log.describeTopic(changelog(life))) === undefined);
          await jobs[1 - life]!.resume();
          await until('both run again', () => jobs.every(isRunning));
          await until('they have read their inputs once more', async () => (await outputs()).length >= 4 * (life + 2));
          expect(await texts.log.describeTopic(changelog(life + 1))).toBeDefined();
        }
        await texts.pipe(['a', 'b', 'c', 'd']);
        await until('what came since is counted on', async () => (await outputs()).length >= 16);
        const times = (suffix: string, count: number): string[] => Array.from({ length: count }, () => ['a', 'b', 'c', 'd'].map((value) => `${value} is ${suffix}`)).flat();
        expect([...(await outputs())].sort()).toEqual([...times('1', 3), ...times('2', 1)].sort());
        expect(telemetry.of('job-notice').filter(({ message }) => message.includes('its state is deleted'))).toHaveLength(2);
      } finally {
        await Promise.all(jobs.map((job) => job.stop(PATIENCE_MS)));
        await texts.log.close();
      }
    },
    LIMIT_MS,
  );
});
