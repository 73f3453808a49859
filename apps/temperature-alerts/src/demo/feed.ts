import { type Clock, type Log, PARTITIONERS, RecordWriter, sleep, utf8 } from '@weir/core';
import { type SensorReading, sensorReadingCsv } from '../sensor-reading.js';

/** Milliseconds between two batches of readings. */
const EVERY_MS = 200;

/** Produces readings to the input topic, each to the partition of its key, a batch at a time until it is stopped. */
export class Feed {
  #stopped = false;
  #sent = 0;

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
    private readonly topic: string,
    private readonly partitions: number,
    /** Makes the next batch. */
    private readonly next: () => readonly SensorReading[],
  ) {}

  get sent(): number {
    return this.#sent;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves once stopped. @throws WeirError if the log fails for good */
  async run(): Promise<void> {
    const writer = await this.log.openWriter({ transactionalId: 'temperature-alerts-demo-feed', transactionTimeoutMs: 60_000 });
    const batches = Array.from({ length: this.partitions }, () => new RecordWriter());
    while (!this.#stopped) {
      const readings = this.next();
      if (readings.length > 0) {
        this.#fill(batches, readings);
        const transaction = writer.begin();
        const appends = batches.map(({ columns }, partition) => ({ topic: this.topic, partition, records: columns }));
        await transaction.append(appends.filter(({ records }) => records.count > 0));
        await transaction.commit();
        this.#sent += readings.length;
      }
      await sleep(this.clock, EVERY_MS);
    }
    await writer.close();
  }

  #fill(batches: readonly RecordWriter[], readings: readonly SensorReading[]): void {
    const now = this.clock.wall();
    for (const batch of batches) batch.clear();
    for (const reading of readings) {
      const key = Buffer.from(reading.id, 'utf8');
      const batch = batches[PARTITIONERS.murmur2(key, 0, key.length, this.partitions)]!;
      batch.begin(now);
      utf8.encode(reading.id, batch.bytes);
      batch.keyDone();
      sensorReadingCsv.encode(reading, batch.bytes);
      batch.valueDone();
      batch.end();
    }
  }
}
