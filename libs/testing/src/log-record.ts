import {
  ByteWriter,
  decodeHeaders,
  encodeHeaders,
  type RecordColumns,
  RecordWriter,
  type LogChunk,
  type LogReader,
  type RecordHeader,
} from '@weir/core';
import { errors } from './errors.js';

/** A record by itself, for specs: copies, not views. */
export interface LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch; -1 means none. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

/** A record to be written, for specs. Text is taken as UTF-8. */
export interface RecordRow {
  /** Default null. */
  readonly key?: string | Uint8Array | null;
  /** Default null. */
  readonly value?: string | Uint8Array | null;
  /** Default 0. */
  readonly timestamp?: number;
  readonly headers?: readonly RecordHeader[];
}

const bytesOf = (source: string | Uint8Array | null | undefined): Uint8Array | null =>
  typeof source === 'string' ? Buffer.from(source, 'utf8') : (source ?? null);

/** Rows as columns, ready to be appended. */
export function columnsOf(rows: readonly RecordRow[]): RecordColumns {
  const writer = new RecordWriter();
  const headers = new ByteWriter();
  for (const row of rows) {
    headers.clear();
    encodeHeaders(row.headers ?? [], headers);
    writer.add(row.timestamp ?? 0, bytesOf(row.key), bytesOf(row.value), headers.copy());
  }
  return writer.columns;
}

/** Row `row` of columns, copied. */
export function recordAt(columns: RecordColumns, row: number, topic: string, partition: number): LogRecord {
  const key = columns.key(row);
  const value = columns.value(row);
  const headers = decodeHeaders(columns.buffer, columns.headersStart[row]!, columns.headersEnd[row]!);
  return {
    topic,
    partition,
    offset: columns.offset[row]!,
    timestamp: columns.timestamp[row]!,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: headers.map((header) => ({ key: header.key, value: header.value === null ? null : Buffer.from(header.value) })),
  };
}

/** Records of a chunk, copied, so that the next `take` changes nothing about them. */
export function recordsOfChunk(chunk: LogChunk): LogRecord[] {
  return Array.from({ length: chunk.records.count }, (_, row) => recordAt(chunk.records, row, chunk.topic, chunk.partition));
}

/**
 * Takes from a reader until `enough` says so, and returns the records of all partitions in the order in which they came.
 * @param settle lets the reader's background work go on: `() => clock.advance(1)`, or a short sleep on a real log
 * @param maxTurns how often `settle` is called before it gives up
 * @throws what the reader throws; WeirError `invalid` NEVER_ENOUGH
 */
export async function collectRecords(
  reader: LogReader,
  enough: (records: readonly LogRecord[], lastChunk: LogChunk | undefined) => boolean,
  settle: () => Promise<void>,
  maxTurns = 10_000,
): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (let turn = 0; turn <= maxTurns; turn++) {
    for (let chunk = reader.take(); chunk !== undefined; chunk = reader.take()) {
      records.push(...recordsOfChunk(chunk));
      if (enough(records, chunk)) return records;
    }
    if (enough(records, undefined)) return records;
    await settle();
  }
  throw errors.neverEnough({ turns: maxTurns, records: records.length, last: records.at(-1)?.offset ?? 'none' });
}
