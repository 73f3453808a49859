import { type RecordColumns, RecordWriter } from '../model/record-columns.js';
import type { Append } from '../ports/log.js';

/** Records for topics, by partition: what a task puts out. */
export class OutputBuffers {
  readonly #topics = new Map<string, readonly RecordWriter[]>();

  /** Writers of a topic's partitions, one each; the same ones at every call. */
  writersOf(topic: string, partitions: number): readonly RecordWriter[] {
    let writers = this.#topics.get(topic);
    if (writers === undefined) {
      writers = Array.from({ length: partitions }, () => new RecordWriter());
      this.#topics.set(topic, writers);
    }
    return writers;
  }

  get byteLength(): number {
    let bytes = 0;
    for (const writers of this.#topics.values()) for (const writer of writers) bytes += writer.byteLength;
    return bytes;
  }

  get count(): number {
    let count = 0;
    for (const writers of this.#topics.values()) for (const writer of writers) count += writer.count;
    return count;
  }

  /** The partitions that something was written to. */
  appends(): Append[] {
    const appends: Append[] = [];
    for (const [topic, writers] of this.#topics) {
      writers.forEach((writer, partition) => {
        if (writer.count > 0) appends.push({ topic, partition, records: writer.columns });
      });
    }
    return appends;
  }

  /** What was written to a partition; undefined if nothing ever was. */
  output(topic: string, partition: number): RecordColumns | undefined {
    return this.#topics.get(topic)?.[partition]?.columns;
  }

  clear(): void {
    for (const writers of this.#topics.values()) for (const writer of writers) writer.clear();
  }
}
