import { describe, expect, it } from '@jest/globals';
import { clockOf, createJob, type Job, type JobDefinition, type Log, type LogFactory, offset, PARTITIONERS, RecordWriter, replayDeadLetters, sleep, topic, utf8 } from '@weir/core';
import { kafka } from '@weir/kafka';
import { memory } from '@weir/storage';
import { RecordingTelemetry } from '@weir/testing';
import { wrapTransactions } from '../sabotaged/wrap-ports.js';

/** The replay of dead letters that a real job wrote, on a real cluster: killed at each step, and run again. */
const real = clockOf(globalThis);
const PARTITIONS = 3;
const LIMIT_MS = 120_000;
const PATIENCE_MS = 60_000;

function brokersForSpecs(): string[] {
  const brokers = process.env['KAFKA_BROKERS'];
  if (brokers === undefined || brokers === '') throw new Error('KAFKA_BROKERS is not set: this spec needs a Kafka broker, e.g. KAFKA_BROKERS=127.0.0.1:9092');
  return brokers.split(',');
}

class DeadLettersOnKafka {
  readonly #name = `dead-letters-${real.newId().slice(0, 8)}`;
  readonly input = topic(`${this.#name}-in`, { key: utf8, value: utf8 });
  readonly output = topic(`${this.#name}-out`, { key: utf8, value: utf8 });
  readonly dead = `${this.#name}-dead`;
  readonly #factory = kafka({ brokers: brokersForSpecs() });
  log!: Log;

  async open(): Promise<void> {
    this.log = await this.#factory.open({ clock: real, clientId: `${this.#name}-spec` });
    await this.log.ensureTopics([this.input, this.output].map(({ topic: name }) => ({ topic: name, partitions: PARTITIONS, config: {} })));
  }

  async pipe(values: readonly string[]): Promise<void> {
    const rows = Array.from({ length: PARTITIONS }, () => new RecordWriter());
    for (const value of values) {
      const key = Buffer.from(value);
      rows[PARTITIONERS.murmur2(key, 0, key.length, PARTITIONS)]!.add(real.wall(), key, key);
    }
    const appender = await this.log.openAppender();
    await appender.append(rows.flatMap(({ columns }, partition) => (columns.count === 0 ? [] : [{ topic: this.input.topic, partition, records: columns }])));
    await appender.close();
  }

  /** Runs the job until so many outputs and dead letters are committed, with a function that throws at these values. */
  async run(isBad: (value: string) => boolean, outputs: number, deadLetters: number): Promise<void> {
    const definition: JobDefinition = {
      define: (streams) =>
        streams
          .source('in', this.input)
          .map((value) => {
            if (isBad(value)) throw new Error('not yet');
            return value;
          })
          .sink('out', this.output),
    };
    const settings = { applicationId: this.#name, checkpointing: { interval: 50 }, badRecords: { policy: { deadLetter: this.dead }, retries: { attempts: 1, delay: 10 } } } as const;
    const job = createJob('picky', definition, settings, { log: this.#factory, state: memory(), clock: real, telemetry: new RecordingTelemetry() });
    job.start();
    await until('all is committed', async () => {
      const isSound = isRunning(job);
      return isSound && (await this.values('output')).length >= outputs && (await this.#read(this.dead)).length >= deadLetters;
    });
    await job.stop(PATIENCE_MS);
  }

  /** @param die at which call of the replay's transactions its client is cut off */
  async replay(die?: 'append' | 'commit'): Promise<unknown> {
    let cut = (): Promise<void> => Promise.resolve();
    const dies = async (at: string): Promise<void> => {
      if (die !== at) return;
      await cut();
      throw new Error(`the process died: ${at}`);
    };
    const factory: LogFactory = {
      open: async (context) => {
        const opened = await this.#factory.open(context);
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
      return await replayDeadLetters(log, real, this.dead);
    } catch (thrown) {
      return String(thrown);
    } finally {
      await log.close();
    }
  }

  /** Values that are committed, of all partitions. */
  values(of: 'input' | 'output'): Promise<string[]> {
    return this.#read(this[of].topic);
  }

  async #read(name: string): Promise<string[]> {
    const partitions = (await this.log.describeTopic(name))?.partitions ?? 0;
    const ends = await this.log.endPositions(Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })));
    let wake = (): void => undefined;
    const reader = this.log.openReader({ wake: () => wake(), bufferBytes: 1 << 20 });
    const values: string[] = [];
    const left = new Map(ends.flatMap(({ partition, start, lastStable }) => (start < lastStable ? [[partition, lastStable] as const] : [])));
    for (const partition of left.keys()) reader.assign({ topic: name, partition }, offset(0));
    while (left.size > 0) {
      const chunk = reader.take();
      if (chunk === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else {
        for (let row = 0; row < chunk.records.count; row++) values.push(chunk.records.value(row)?.toString() ?? 'null');
        if (chunk.nextOffset >= (left.get(chunk.partition) ?? 0)) left.delete(chunk.partition);
      }
    }
    await reader.close();
    return values;
  }
}

const isRunning = (job: Job): boolean => {
  const { status, reason } = job.overview();
  if (status === 'FAILED') throw new Error(reason);
  return job.isReady();
};

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const began = real.monotonic();
  while (!(await condition())) {
    if (real.monotonic() - began > PATIENCE_MS) throw new Error(`Waited ${PATIENCE_MS} ms until ${what}, in vain.`);
    await sleep(real, 20);
  }
}

describe('the replay of a dead-letter topic on Kafka', () => {
  it(
    'puts each dead letter back once, however often it dies and is run again, and the job then processes it',
    async () => {
      const rig = new DeadLettersOnKafka();
      await rig.open();
      try {
        const values = Array.from({ length: 12 }, (_, n) => `v${n}`);
        const bad = values.filter((_, n) => n % 3 === 0);
        await rig.pipe(values);
        await rig.run((value) => bad.includes(value), 8, 4);
        expect((await rig.values('output')).sort()).toEqual(values.filter((value) => !bad.includes(value)).sort());

        expect(await rig.replay('append')).toContain('died: append');
        expect(await rig.replay('commit')).toContain('died: commit');
        const rest = await rig.replay();
        expect(rest).toMatchObject({ others: 0 });
        expect(await rig.replay()).toEqual({ replayed: 0, others: 0 });
        expect((await rig.values('input')).sort()).toEqual([...values, ...bad].sort());

        await rig.run(() => false, 12, 0);
        expect((await rig.values('output')).sort()).toEqual(values.sort());
      } finally {
        await rig.log.close();
      }
    },
    LIMIT_MS,
  );
});
