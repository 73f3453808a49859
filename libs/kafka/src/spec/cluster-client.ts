import { RecordWriter, clockOf, offset, sleep, type Clock, type Log, type LogWriter, type RecordColumns } from '@weir/core';
import { kafkaLogOn } from '../kafka-log.js';
import { checkOptions, type KafkaOptions } from '../options.js';
import { KafkaJsWire } from '../wire/kafkajs-wire.js';
import { brokersForSpecs } from './brokers.js';
import { FaultyWire } from './faulty-wire.js';

export const clock: Clock = clockOf(globalThis);

/** A client of the real cluster whose wire a spec can put faults into; `end` closes what it opened. */
export class ClusterClient {
  readonly wire: FaultyWire;
  readonly log: Log;

  constructor(options: Partial<KafkaOptions> = {}) {
    const all = { brokers: brokersForSpecs(), ...options };
    this.wire = new FaultyWire(new KafkaJsWire(checkOptions(all), 'spec', clock));
    this.log = kafkaLogOn(this.wire, all, clock);
  }

  async topic(partitions = 1, config: Readonly<Record<string, string>> = {}): Promise<string> {
    const topic = uniqueName('topic');
    await this.log.ensureTopics([{ topic, partitions, config }]);
    return topic;
  }

  writer(transactionalId = uniqueName('writer'), transactionTimeoutMs = 20_000): Promise<LogWriter> {
    return this.log.openWriter({ transactionalId, transactionTimeoutMs });
  }

  /** Waits until no transaction is open in a partition. @returns its high watermark */
  async stableEnd(topic: string, partition = 0): Promise<number> {
    for (let i = 0; i < 4_000; i++) {
      const [ends] = await this.log.endPositions([{ topic, partition }]);
      if (ends!.lastStable === ends!.highWatermark) return ends!.highWatermark;
      await sleep(clock, 5);
    }
    throw new Error(`a transaction stays open in ${topic}-${partition}`);
  }

  /** All values of a partition, up to its end, once no transaction is open in it. */
  async values(topic: string, partition = 0, from = 0): Promise<string[]> {
    const end = await this.stableEnd(topic, partition);
    const values: string[] = [];
    let wake = (): void => {};
    const reader = this.log.openReader({ wake: () => wake(), bufferBytes: 1 << 20 });
    reader.assign({ topic, partition }, offset(from));
    for (let position = from; position < end;) {
      const chunk = reader.take();
      if (chunk === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else {
        for (let i = 0; i < chunk.records.count; i++) values.push(chunk.records.value(i)?.toString() ?? 'null');
        position = chunk.nextOffset;
      }
    }
    await reader.close();
    return values;
  }

  end(): Promise<void> {
    return this.log.close();
  }
}

let names = 0;
const run = clock.newId().slice(0, 8);
export const uniqueName = (stem: string): string => `kafka-${stem}-${run}-${names++}`;

export function rows(...values: string[]): RecordColumns {
  const writer = new RecordWriter();
  for (const value of values) writer.add(clock.wall(), Buffer.from('key'), Buffer.from(value));
  return writer.columns;
}
