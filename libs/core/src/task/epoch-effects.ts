import { type RecordColumns, RecordWriter } from '../model/record-columns.js';
import type { Append } from '../ports/log.js';

/**
 * What a task has to write out of one epoch: its outputs by topic and partition, and its state changes. A task has two and takes them
 * in turn: one fills while the other is committed.
 */
export class EpochEffects {
  readonly #outputs = new Map<string, readonly RecordWriter[]>();
  readonly changes = new RecordWriter();
  recordsIn = 0;

  /** Writers of a topic's partitions, one each; the same ones at every call. */
  writersOf(topic: string, partitions: number): readonly RecordWriter[] {
    let writers = this.#outputs.get(topic);
    if (writers === undefined) {
      writers = Array.from({ length: partitions }, () => new RecordWriter());
      this.#outputs.set(topic, writers);
    }
    return writers;
  }

  get outputBytes(): number {
    let bytes = 0;
    for (const writers of this.#outputs.values()) for (const writer of writers) bytes += writer.byteLength;
    return bytes;
  }

  get recordsOut(): number {
    let count = 0;
    for (const writers of this.#outputs.values()) for (const writer of writers) count += writer.count;
    return count;
  }

  /** The partitions that something was written to. */
  outputAppends(): Append[] {
    const appends: Append[] = [];
    for (const [topic, writers] of this.#outputs) {
      writers.forEach((writer, partition) => {
        if (writer.count > 0) appends.push({ topic, partition, records: writer.columns });
      });
    }
    return appends;
  }

  /** What was written to a partition of an output; undefined if nothing ever was. */
  output(topic: string, partition: number): RecordColumns | undefined {
    return this.#outputs.get(topic)?.[partition]?.columns;
  }

  clear(): void {
    for (const writers of this.#outputs.values()) for (const writer of writers) writer.clear();
    this.changes.clear();
    this.recordsIn = 0;
  }
}
