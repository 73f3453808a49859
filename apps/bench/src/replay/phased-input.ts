import { type RecordColumns, RecordWriter } from '@weir/core';
import type { ReplayInput } from './replay-log.js';

/** As many rows as a reader on Kafka hands out at once. */
export const CHUNK_ROWS = 4_096;

/**
 * An input whose rows come a phase at a time: between two phases there are none, so that one can be told from the other by what was
 * committed.
 */
export class PhasedInput implements ReplayInput {
  #phase: readonly Iterator<RecordColumns, void>[] = [];
  #rows: number;

  /** @param rowsBefore of each partition, of all runs before */
  constructor(
    readonly partitions: number,
    rowsBefore = 0,
  ) {
    this.#rows = rowsBefore;
  }

  get rows(): number {
    return this.#rows;
  }

  /** These chunks of each partition, so many rows each, are there to be read. */
  begin(rows: number, chunksOf: (partition: number) => Iterator<RecordColumns, void>): void {
    this.#rows += rows;
    this.#phase = Array.from({ length: this.partitions }, (_, partition) => chunksOf(partition));
  }

  next(partition: number): RecordColumns | undefined {
    return this.#phase[partition]?.next().value ?? undefined;
  }
}

/** Rows whose values are numbers, as float64, that are made while they are read. */
export function* numbers(rows: number, next: () => number): Generator<RecordColumns, void> {
  const writer = new RecordWriter(CHUNK_ROWS * 8);
  for (let left = rows; left > 0; left -= writer.count) {
    writer.clear();
    for (let row = Math.min(left, CHUNK_ROWS); row > 0; row--) {
      writer.begin(-1);
      writer.bytes.writeFloat64(next());
      writer.valueDone();
      writer.end();
    }
    yield writer.columns;
  }
}
