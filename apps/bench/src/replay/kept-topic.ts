import { type LogChunk, type LogReader, type Offset, offset, RecordColumns, RecordWriter } from '@weir/core';

/** A topic of one partition that keeps what is written to it, for as long as the process lives: the job's control topic. */
export class KeptTopic {
  readonly #rows: { readonly key: Buffer; readonly value: Buffer }[] = [];
  readonly #wakes = new Set<() => void>();

  constructor(readonly topic: string) {}

  get end(): number {
    return this.#rows.length;
  }

  append(records: RecordColumns): void {
    for (let row = 0; row < records.count; row++) this.#rows.push({ key: Buffer.from(records.key(row)!), value: Buffer.from(records.value(row)!) });
    for (const wake of this.#wakes) wake();
  }

  reader(wake: () => void, from: Offset): LogReader {
    let position: number = from;
    this.#wakes.add(wake);
    wake();
    return {
      assign: () => undefined,
      unassign: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
      take: () => {
        if (position >= this.end) return undefined;
        const chunk = this.#chunk(position);
        position = this.end;
        return chunk;
      },
      close: () => {
        this.#wakes.delete(wake);
        return Promise.resolve();
      },
    };
  }

  #chunk(from: number): LogChunk {
    const out = new RecordWriter();
    for (const { key, value } of this.#rows.slice(from)) {
      out.begin(0);
      out.bytes.writeBytes(key);
      out.keyDone();
      out.bytes.writeBytes(value);
      out.valueDone();
      out.end();
    }
    const records = out.columns;
    for (let row = 0; row < records.count; row++) records.offset[row] = from + row;
    return { topic: this.topic, partition: 0, records, nextOffset: offset(this.end), lastStable: offset(this.end) };
  }
}
