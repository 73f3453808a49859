import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { clockOf, createJob, float64, type Job, type JobDefinition, type Log, PARTITIONERS, RecordWriter, sleep, type StateBackendFactory, topic, utf8 } from '@weir/core';
import { kafka } from '@weir/kafka';
import { memory, rocksdb } from '@weir/storage';
import { RecordingTelemetry } from '@weir/testing';

/** Copies of state on a real cluster: caught up, taken over when their task's replica ends, and right. */
const real = clockOf(globalThis);
const PARTITIONS = 4;
const KEYS = 500;
const LIMIT_MS = 180_000;
const PATIENCE_MS = 60_000;

class CountsOnKafka {
  readonly #name = `standbys-${real.newId().slice(0, 8)}`;
  readonly #input = topic(`${this.#name}-in`, { key: utf8, value: utf8 });
  readonly #output = topic(`${this.#name}-out`, { key: utf8, value: float64 });
  readonly #factory = kafka({ brokers: brokersForSpecs() });
  readonly jobs: { readonly job: Job; readonly telemetry: RecordingTelemetry }[] = [];
  #log!: Log;

  async open(): Promise<void> {
    this.#log = await this.#factory.open({ clock: real, clientId: `${this.#name}-spec` });
    await this.#log.ensureTopics([this.#input, this.#output].map(({ topic: name }) => ({ topic: name, partitions: PARTITIONS, config: {} })));
  }

  /** Each key once more. */
  async pipe(): Promise<void> {
    const rows = Array.from({ length: PARTITIONS }, () => new RecordWriter());
    for (let i = 0; i < KEYS; i++) {
      const key = Buffer.from(`key-${i}`);
      rows[PARTITIONERS.murmur2(key, 0, key.length, PARTITIONS)]!.add(real.wall(), key, key);
    }
    const appender = await this.#log.openAppender();
    await appender.append(rows.map(({ columns }, partition) => ({ topic: this.#input.topic, partition, records: columns })));
    await appender.close();
  }

  start(state: StateBackendFactory): Job {
    const definition: JobDefinition = {
      define: (streams) =>
        streams
          .source('in', this.#input)
          .keyBy(utf8, (value) => value, { alreadyPartitioned: { partitioner: 'murmur2' } })
          .mapWithState<number, number>('count', float64, (_, before = 0) => ({ state: before + 1, value: before + 1 }))
          .sink('out', this.#output),
    };
    const settings = { applicationId: this.#name, checkpointing: { interval: 50 }, group: { standbys: 1, instanceId: 'none' } } as const;
    const telemetry = new RecordingTelemetry();
    const job = createJob('counts', definition, settings, { log: this.#factory, state, clock: real, telemetry });
    this.jobs.push({ job, telemetry });
    job.start();
    return job;
  }

  /** How many outputs of each count there are, once as many are committed as there are to be. */
  async counts(rounds: number): Promise<number[]> {
    const ends = (): Promise<{ readonly lastStable: number }[]> => this.#log.endPositions(this.#partitions()).then((all) => [...all]);
    let values: number[] = [];
    await until(`${rounds * KEYS} outputs are committed`, async () => {
      if ((await ends()).reduce((sum, { lastStable }) => sum + lastStable, 0) < rounds * KEYS) return false;
      values = await this.#read();
      return values.length >= rounds * KEYS;
    });
    return Array.from({ length: rounds }, (_, i) => values.filter((value) => value === i + 1).length);
  }

  #partitions(): { readonly topic: string; readonly partition: number }[] {
    return Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: this.#output.topic, partition }));
  }

  async #read(): Promise<number[]> {
    const left = new Map((await this.#log.endPositions(this.#partitions())).map(({ partition, start, lastStable }) => [partition, { start, lastStable }]));
    let wake = (): void => undefined;
    const reader = this.#log.openReader({ wake: () => wake(), bufferBytes: 1024 * 1024 });
    for (const [partition, { start, lastStable }] of left) if (start < lastStable) reader.assign({ topic: this.#output.topic, partition }, start);
    const values: number[] = [];
    for (const [partition, { start, lastStable }] of [...left]) if (start >= lastStable) left.delete(partition);
    while (left.size > 0) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      const chunk = reader.take();
      if (chunk === undefined) {
        await woken;
        continue;
      }
      for (let row = 0; row < chunk.records.count; row++) {
        const bytes = chunk.records.value(row)!;
        values.push(float64.decode(bytes, 0, bytes.length));
      }
      if (chunk.nextOffset >= (left.get(chunk.partition)?.lastStable ?? 0)) left.delete(chunk.partition);
    }
    await reader.close();
    return values;
  }

  async close(): Promise<void> {
    for (const { job } of this.jobs) await job.stop(PATIENCE_MS);
    await this.#log.close();
  }
}

function brokersForSpecs(): string[] {
  const brokers = process.env['KAFKA_BROKERS'];
  if (brokers === undefined || brokers === '') throw new Error('KAFKA_BROKERS is not set: this spec needs a Kafka broker, e.g. KAFKA_BROKERS=127.0.0.1:9092');
  return brokers.split(',');
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const began = real.monotonic(); !(await condition()); await sleep(real, 20)) {
    if (real.monotonic() - began > PATIENCE_MS) throw new Error(`Not after ${PATIENCE_MS} ms: ${what}`);
  }
}

const runsAll = (job: Job, tasks: number): boolean => job.isReady() && job.overview().tasks.filter(({ status }) => status === 'RUNNING').length === tasks;
const follows = (job: Job, copies: number): boolean => {
  const { standbys } = job.overview();
  return standbys.length === copies && standbys.every(({ status, lag }) => status === 'FOLLOWING' && lag === 0);
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-standbys-'));
}, LIMIT_MS);
afterAll(() => rm(folder, { recursive: true, force: true }), LIMIT_MS);

describe('copies of state on Kafka', () => {
  it.each(['rocksdb', 'memory'] as const)(
    'of backend %s are taken over with what they have, and every key counts on',
    async (backend) => {
      const stateOf = (replica: string): StateBackendFactory => (backend === 'memory' ? memory() : rocksdb({ dir: join(folder, replica) }));
      const rig = new CountsOnKafka();
      await rig.open();
      try {
        const first = rig.start(stateOf('first'));
        await until('the first replica runs all', () => runsAll(first, PARTITIONS));
        await rig.pipe();
        expect(await rig.counts(1)).toEqual([KEYS]);
        const second = rig.start(stateOf('second'));
        await until('both share the tasks', () => runsAll(first, 2) && runsAll(second, 2));
        await rig.pipe();
        expect(await rig.counts(2)).toEqual([KEYS, KEYS]);
        await until('both have copies of what the other runs', () => follows(first, 2) && follows(second, 2));
        const copied = second.overview().standbys.map(({ task }) => task);
        await first.stop(PATIENCE_MS);
        await until('the second replica runs all', () => runsAll(second, PARTITIONS));
        const taken = second.overview().tasks.filter(({ task }) => copied.includes(task));
        expect(taken.map(({ restore }) => restore)).toEqual(Array(2).fill(expect.objectContaining({ fromLocalState: true, remaining: 0 })));
        expect(rig.jobs[1]!.telemetry.of('standby-status').filter(({ to }) => to === 'PROMOTED')).toHaveLength(2);
        for (const { restore } of taken) expect(restore!.records).toBeLessThan(KEYS / PARTITIONS / 2);
        await rig.pipe();
        expect(await rig.counts(3)).toEqual([KEYS, KEYS, KEYS]);
        expect(rig.jobs.flatMap(({ telemetry }) => telemetry.of('task-failed'))).toEqual([]);
      } finally {
        await rig.close();
      }
    },
    LIMIT_MS,
  );
});
