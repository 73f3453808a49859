import { describe, expect, it } from '@jest/globals';
import { createJob, type JobDefinition, type LogFactory, replayDeadLetters } from '@weir/core';
import { memory } from '@weir/storage';
import { RecordingTelemetry } from '@weir/testing';
import { wrapTransactions } from '../sabotaged/wrap-ports.js';
import { isRunning, LIMIT_MS, PATIENCE_MS, real, TextsOnKafka, until } from './texts-on-kafka.spec-d.js';

/** The replay of dead letters that a real job wrote, on a real cluster: killed at each step, and run again. */
const deadOf = ({ name }: TextsOnKafka): string => `${name}-dead`;

/** Runs a job until so many outputs and dead letters are committed, with a function that throws at these values. */
async function run(texts: TextsOnKafka, isBad: (value: string) => boolean, outputs: number, deadLetters: number): Promise<void> {
  const definition: JobDefinition = {
    define: (streams) =>
      streams
        .source('in', texts.input)
        .map((value) => {
          if (isBad(value)) throw new Error('not yet');
          return value;
        })
        .sink('out', texts.output),
  };
  const badRecords = { policy: { deadLetter: deadOf(texts) }, retries: { attempts: 1, delay: 10 } };
  const settings = { applicationId: texts.name, group: 'none', checkpointing: { interval: 50 }, badRecords } as const;
  const job = createJob('picky', definition, settings, { log: texts.factory, state: memory(), clock: real, telemetry: new RecordingTelemetry() });
  job.start();
  await until('all is committed', async () => {
    isRunning(job);
    return (await texts.values(texts.output.topic)).length >= outputs && (await texts.values(deadOf(texts))).length >= deadLetters;
  });
  await job.stop(PATIENCE_MS);
}

/** @param die behind which call of the replay's transactions its client is cut off */
async function replay(texts: TextsOnKafka, die?: 'append' | 'commit'): Promise<unknown> {
  let cut = (): Promise<void> => Promise.resolve();
  const dies = async (at: string): Promise<void> => {
    if (die !== at) return;
    await cut();
    throw new Error(`the process died: ${at}`);
  };
  const factory: LogFactory = {
    open: async (context) => {
      const opened = await texts.factory.open(context);
      cut = () => opened.close();
      return opened;
    },
  };
  const wrapped = wrapTransactions(factory, (transaction) => ({
    append: async (appends) => {
      const placed = await transaction.append(appends);
      await dies('append');
      return placed;
    },
    commit: async () => {
      await transaction.commit();
      await dies('commit');
    },
  }));
  const log = await wrapped.open({ clock: real, clientId: 'replay' });
  try {
    return await replayDeadLetters(log, real, deadOf(texts));
  } catch (thrown) {
    return String(thrown);
  } finally {
    await log.close();
  }
}

describe('the replay of a dead-letter topic on Kafka', () => {
  it(
    'puts each dead letter back once, however often it dies and is run again, and the job then processes it',
    async () => {
      const texts = await TextsOnKafka.open('dead-letters');
      try {
        const values = Array.from({ length: 12 }, (_, n) => `v${n}`);
        const bad = values.filter((_, n) => n % 3 === 0);
        await texts.pipe(values);
        await run(texts, (value) => bad.includes(value), 8, 4);
        expect((await texts.values(texts.output.topic)).sort()).toEqual(values.filter((value) => !bad.includes(value)).sort());

        expect(await replay(texts, 'append')).toContain('died: append');
        expect(await replay(texts, 'commit')).toContain('died: commit');
        expect(await replay(texts)).toMatchObject({ others: 0 });
        expect(await replay(texts)).toEqual({ replayed: 0, others: 0 });
        expect((await texts.values(texts.input.topic)).sort()).toEqual([...values, ...bad].sort());

        await run(texts, () => false, 12, 0);
        expect((await texts.values(texts.output.topic)).sort()).toEqual(values.sort());
      } finally {
        await texts.log.close();
      }
    },
    LIMIT_MS,
  );
});
