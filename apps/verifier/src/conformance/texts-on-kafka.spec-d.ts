import { clockOf, type Job, type Log, offset, PARTITIONERS, RecordWriter, sleep, topic, utf8 } from '@weir/core';
import { kafka } from '@weir/kafka';

/** Texts that go through jobs on a real cluster: for specs that look at what becomes of them. */
export const real = clockOf(globalThis);
export const LIMIT_MS = 180_000;
export const PATIENCE_MS = 90_000;
const PARTITIONS = 3;

export function brokersForSpecs(): string[] {
  const brokers = process.env['KAFKA_BROKERS'];
  if (brokers === undefined || brokers === '') throw new Error('KAFKA_BROKERS is not set: this spec needs a Kafka broker, e.g. KAFKA_BROKERS=127.0.0.1:9092');
  return brokers.split(',');
}

export class TextsOnKafka {
  readonly name: string;
  readonly input;
  readonly output;
  readonly factory = kafka({ brokers: brokersForSpecs() });

  private constructor(
    stem: string,
    readonly log: Log,
  ) {
    this.name = `${stem}-${real.newId().slice(0, 8)}`;
    this.input = topic(`${this.name}-in`, { key: utf8, value: utf8 });
    this.output = topic(`${this.name}-out`, { key: utf8, value: utf8 });
  }

  static async open(stem: string): Promise<TextsOnKafka> {
    const log = await kafka({ brokers: brokersForSpecs() }).open({ clock: real, clientId: `${stem}-spec` });
    const texts = new TextsOnKafka(stem, log);
    await log.ensureTopics([texts.input, texts.output].map(({ topic: name }) => ({ topic: name, partitions: PARTITIONS, config: {} })));
    return texts;
  }

  /** Each its own key. */
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

  /** Values that are committed, of all partitions; none of a topic that is not there. */
  async values(of: string): Promise<string[]> {
    const partitions = (await this.log.describeTopic(of))?.partitions ?? 0;
    const ends = await this.log.endPositions(Array.from({ length: partitions }, (_, partition) => ({ topic: of, partition })));
    let wake = (): void => undefined;
    const reader = this.log.openReader({ wake: () => wake(), bufferBytes: 1 << 20 });
    const values: string[] = [];
    const left = new Map(ends.flatMap(({ partition, start, lastStable }) => (start < lastStable ? [[partition, lastStable] as const] : [])));
    for (const partition of left.keys()) reader.assign({ topic: of, partition }, offset(0));
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

/** Whether it runs. @throws why it has failed */
export function isRunning(job: Job): boolean {
  const { status, reason } = job.overview();
  if (status === 'FAILED') throw new Error(reason);
  return job.isReady();
}

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const began = real.monotonic();
  while (!(await condition())) {
    if (real.monotonic() - began > PATIENCE_MS) throw new Error(`Waited ${PATIENCE_MS} ms until ${what}, in vain.`);
    await sleep(real, 20);
  }
}
