import { describe, expect, it } from '@jest/globals';
import { createJob, float64, type Job, type JobDefinition, type LogFactory, utf8 } from '@weir/core';
import { memory } from '@weir/storage';
import { RecordingTelemetry } from '@weir/testing';
import { wrapTransactions } from '../sabotaged/wrap-ports.js';
import { isRunning, LIMIT_MS, PATIENCE_MS, real, TextsOnKafka, until } from './texts-on-kafka.spec-d.js';

/** AT_LEAST_ONCE on a real cluster: outputs go out at once and again after a death, state is as exact as ever, and nobody old can touch it. */
function jobOf(texts: TextsOnKafka, log: LogFactory, interval: number): Job {
  const definition: JobDefinition = {
    define: (streams) =>
      streams
        .source('in', texts.input)
        .keyBy(utf8, (value) => value, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .mapWithState<number, string>('count', float64, (value, count = 0) => ({ state: count + 1, value: `${value} is ${count + 1}` }))
        .sink('out', texts.output),
  };
  const settings = { applicationId: texts.name, group: 'none', checkpointing: { interval, mode: 'AT_LEAST_ONCE' }, restartStrategy: { type: 'none' } } as const;
  return createJob('counting', definition, settings, { log, state: memory(), clock: real, telemetry: new RecordingTelemetry() });
}

/** A log whose client can be cut off, as by a death of the process: behind the calls of `commit` that are counted, before they are sent. */
function mortal(factory: LogFactory): { readonly log: LogFactory; dieAtCommit: () => void; readonly die: () => Promise<void> } {
  let cut = (): Promise<void> => Promise.resolve();
  let dies = false;
  const opened: LogFactory = {
    open: async (context) => {
      const log = await factory.open(context);
      cut = () => log.close();
      return log;
    },
  };
  const log = wrapTransactions(opened, (transaction) => ({
    commit: async () => {
      if (!dies) return transaction.commit();
      await cut();
      throw new Error('the process died before its commit');
    },
  }));
  return { log, dieAtCommit: () => (dies = true), die: () => cut() };
}

const KEYS = ['a', 'b', 'c', 'd'];
const counted = (upTo: number): string[] => KEYS.flatMap((key) => Array.from({ length: upTo }, (_, n) => `${key} is ${n + 1}`));
const outputsOf = (texts: TextsOnKafka): Promise<string[]> => texts.values(texts.output.topic);

/** First occurrences, in their order. */
const firstOf = (values: readonly string[], key: string): string[] => [...new Set(values.filter((value) => value.startsWith(`${key} `)))];

describe('AT_LEAST_ONCE on Kafka', () => {
  it(
    'repeats outputs whose commit died, loses none, and counts nothing twice: state and offsets are those of commits',
    async () => {
      const texts = await TextsOnKafka.open('at-least-once');
      const doomed = mortal(texts.factory);
      const first = jobOf(texts, doomed.log, 50);
      let second: Job | undefined;
      try {
        first.start();
        await until('the first runs', () => isRunning(first));
        await texts.pipe(KEYS);
        await until('all is there once', async () => (await outputsOf(texts)).length >= KEYS.length);
        const { completed } = first.overview().checkpoints;
        await until('that is committed', () => first.overview().checkpoints.completed >= completed + 2);
        doomed.dieAtCommit();
        await texts.pipe(KEYS);
        await until('its outputs are there before their commit, which kills it', async () => (await outputsOf(texts)).length >= 2 * KEYS.length && first.overview().status !== 'RUNNING');
        await first.stop(PATIENCE_MS);

        second = jobOf(texts, texts.factory, 50);
        second.start();
        await texts.pipe(KEYS);
        await until('the second has gone on', async () => new Set(await outputsOf(texts)).size === 3 * KEYS.length);
        const outputs = await outputsOf(texts);
        for (const key of KEYS) expect(firstOf(outputs, key)).toEqual([`${key} is 1`, `${key} is 2`, `${key} is 3`]);
        expect([...new Set(outputs)].sort()).toEqual(counted(3).sort());
        expect(outputs.length).toBeGreaterThan(3 * KEYS.length);
        expect(outputs.filter((value) => value.endsWith(' 1'))).toHaveLength(KEYS.length); // committed before the death: never again
      } finally {
        await doomed.die();
        await Promise.all([first, ...(second === undefined ? [] : [second])].map((job) => job.stop(PATIENCE_MS)));
        await texts.log.close();
      }
    },
    LIMIT_MS,
  );

  it(
    'fences a zombie as EXACTLY_ONCE does: what it still sends appears, and its state does not',
    async () => {
      const texts = await TextsOnKafka.open('zombie');
      const zombie = jobOf(texts, texts.factory, 60_000); // commits late: its successor is there before
      let successor: Job | undefined;
      try {
        zombie.start();
        await until('the zombie runs', () => isRunning(zombie));
        await texts.pipe(KEYS);
        await until('it has sent its outputs', async () => (await outputsOf(texts)).length >= KEYS.length);
        successor = jobOf(texts, texts.factory, 50);
        successor.start();
        await until('the successor has sent them, too', async () => (await outputsOf(texts)).length >= 2 * KEYS.length);
        const { completed } = successor.overview().checkpoints;
        await until('and has committed', () => successor!.overview().checkpoints.completed >= completed + 2);
        await zombie.stop(PATIENCE_MS); // its last commit is refused
        expect(successor.overview().status).toBe('RUNNING');
        await texts.pipe(KEYS);
        await until('the successor has gone on', async () => (await outputsOf(texts)).filter((value) => value.endsWith(' 2')).length >= KEYS.length);
        expect([...new Set(await outputsOf(texts))].sort()).toEqual(counted(2).sort());
      } finally {
        await Promise.all([zombie, ...(successor === undefined ? [] : [successor])].map((job) => job.stop(PATIENCE_MS)));
        await texts.log.close();
      }
    },
    LIMIT_MS,
  );
});
