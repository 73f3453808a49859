import { describe, expect, it } from '@jest/globals';
import { clockOf, RecordWriter } from '@weir/core';
import type { Log, LogChunk, LogFactory, LogReader } from '@weir/core';
import { RecordTap, RowCursor } from './record-tap.js';

/** A reader that hands out chunks of so many records, as the log of a job. */
class Chunks {
  readonly calls: unknown[] = [];
  readonly #chunks: LogChunk[];
  /** Private, so that a method called on anything but the reader itself fails. */
  #taken = 0;

  constructor(...counts: readonly number[]) {
    this.#chunks = counts.map((count) => chunkOf('in', count));
  }

  readonly factory: LogFactory = { open: () => Promise.resolve({ openReader: () => this as unknown as LogReader } as Partial<Log> as Log) };

  take(): LogChunk | undefined {
    return this.#chunks[this.#taken++];
  }

  assign(...given: unknown[]): void {
    this.calls.push([...given, this.#taken]);
  }
}

function chunkOf(topic: string, count: number): LogChunk {
  const writer = new RecordWriter();
  for (let i = 0; i < count; i++) writer.add(i, Buffer.from(`k${i}`), null);
  return { topic, partition: 3, records: writer.columns, nextOffset: count, lastStable: count } as unknown as LogChunk;
}

async function tapOn(chunks: Chunks): Promise<{ readonly tap: RecordTap; readonly reader: LogReader }> {
  const tap = new RecordTap();
  const log = await tap.around(chunks.factory).open({ clock: clockOf(globalThis), clientId: 'c' });
  return { tap, reader: log.openReader({ wake: () => undefined, bufferBytes: 1 }) };
}

describe('a tap', () => {
  it('shows the chunk that was taken last, and passes it on as it is', async () => {
    const { tap, reader } = await tapOn(new Chunks(2, 1));
    expect(() => tap.columns).toThrow('NEST_RECORD_LOST');
    const first = reader.take()!;
    expect([tap.chunk, tap.topic, tap.partition, tap.columns]).toEqual([1, 'in', 3, first.records]);
    expect(tap.columns).toBe(first.records);
    reader.take();
    expect(reader.take()).toBeUndefined();
    expect([tap.chunk, tap.columns.count]).toEqual([2, 1]);
  });

  it('leaves every other method with its reader', async () => {
    const chunks = new Chunks(1);
    const { reader } = await tapOn(chunks);
    reader.take();
    reader.assign({ topic: 'in', partition: 0 }, 5 as never);
    expect(chunks.calls).toEqual([[{ topic: 'in', partition: 0 }, 5, 1]]);
  });
});

describe('a cursor', () => {
  it('counts the records of a chunk, and begins anew with the next', async () => {
    const { tap, reader } = await tapOn(new Chunks(2, 3));
    const cursor = new RowCursor(tap, 'in');
    reader.take();
    expect([cursor.next(), cursor.next()]).toEqual([0, 1]);
    reader.take();
    expect([cursor.next(), cursor.next(), cursor.next()]).toEqual([0, 1, 2]);
  });

  it('begins anew although the chunk before was not counted through, as where a task has failed in it', async () => {
    const { tap, reader } = await tapOn(new Chunks(2, 2));
    const cursor = new RowCursor(tap, 'in');
    reader.take();
    cursor.next();
    reader.take();
    expect(cursor.next()).toBe(0);
  });

  it('refuses to run past its chunk, or over one of another topic', async () => {
    const { tap, reader } = await tapOn(new Chunks(1));
    const [cursor, other] = [new RowCursor(tap, 'in'), new RowCursor(tap, 'elsewhere')];
    reader.take();
    cursor.next();
    expect(() => cursor.next()).toThrow(/topic in is to see is not known: it was called 2 times for a chunk of 1 records.*NEST_RECORD_LOST/);
    expect(() => other.next()).toThrow(/while a chunk of in was at hand/);
  });
});
