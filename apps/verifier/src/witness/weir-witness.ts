import { type Log, type LogReader, clockOf, offset, sleep } from '@weir/core';
import { kafka } from '@weir/kafka';
import type { SeenRecord } from './seen-record.js';

const BUFFER_BYTES = 4 * 1024 * 1024;
/** Milliseconds without a new chunk after which a follower looks whether it is to end. */
const LOOK_EVERY_MS = 50;
const TOPIC_LIMIT_MS = 10_000;

/** Weir's own reader, to be compared with the Java client. */
export class WeirWitness {
  readonly #clock = clockOf(globalThis);

  private constructor(private readonly log: Log) {}

  static async start(brokers: string): Promise<WeirWitness> {
    return new WeirWitness(await kafka({ brokers: brokers.split(',') }).open({ clock: clockOf(globalThis), clientId: 'weir-verifier' }));
  }

  /** Every committed record from the start to the last stable offset as it is now. */
  async read(topic: string, onRecord: (record: SeenRecord) => void): Promise<void> {
    await this.follow(topic, onRecord).finish();
  }

  /** Reads a topic's committed records from its start until it is told to finish. */
  follow(topic: string, onRecord: (record: SeenRecord) => void): { finish(): Promise<void> } {
    const state = { finishing: false };
    const done = this.#run(topic, onRecord, state);
    done.catch(() => undefined); // told by finish
    return {
      finish: () => {
        state.finishing = true;
        return done;
      },
    };
  }

  /** A broker may hear of a new topic a little after the one that made it. */
  async #partitionCount(topic: string): Promise<number> {
    const deadline = this.#clock.monotonic() + TOPIC_LIMIT_MS;
    for (;;) {
      const description = await this.log.describeTopic(topic);
      if (description !== undefined) return description.partitions;
      if (this.#clock.monotonic() > deadline) throw new Error(`there is no topic ${topic}`);
      await sleep(this.#clock, LOOK_EVERY_MS);
    }
  }

  async close(): Promise<void> {
    await this.log.close();
  }

  async #run(topic: string, onRecord: (record: SeenRecord) => void, state: { readonly finishing: boolean }): Promise<void> {
    const count = await this.#partitionCount(topic);
    const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
    const starts = await this.log.endPositions(partitions);
    const next = starts.map(({ start }) => Number(start));
    const reader = this.log.openReader({ wake: () => undefined, bufferBytes: BUFFER_BYTES });
    try {
      for (const [i, partition] of partitions.entries()) reader.assign(partition, offset(next[i]!));
      let ends: readonly number[] | undefined;
      while (ends === undefined || next.some((at, i) => at < ends![i]!)) {
        if (ends === undefined && state.finishing)
          ends = (await this.log.endPositions(partitions)).map(({ lastStable }) => Number(lastStable));
        if (!takeAll(reader, onRecord, next)) await sleep(this.#clock, LOOK_EVERY_MS);
      }
    } finally {
      await reader.close();
    }
  }
}

/** @returns whether there was anything */
function takeAll(reader: LogReader, onRecord: (record: SeenRecord) => void, next: number[]): boolean {
  let any = false;
  for (let chunk = reader.take(); chunk !== undefined; chunk = reader.take()) {
    any = true;
    const { records, partition } = chunk;
    for (let row = 0; row < records.count; row++) {
      onRecord({ partition, offset: records.offset[row]!, home: -1, key: records.key(row), value: records.value(row) });
    }
    next[partition] = chunk.nextOffset;
  }
  return any;
}
