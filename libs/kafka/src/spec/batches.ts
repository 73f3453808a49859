import { crc32c } from '@node-rs/crc32';
import { RecordColumns, RecordWriter, type RecordColumns as Columns } from '@weir/core';
import type { KafkaCompression } from '../options.js';
import type { AbortedTransaction } from '../batch/aborted-filter.js';
import { AT, ATTRIBUTE } from '../batch/batch-format.js';
import { encodeBatch } from '../batch/batch-encoder.js';
import { RecordSetReader } from '../batch/record-set-reader.js';

/** Batches for specs, as a broker would return them. */
export interface SpecBatch {
  readonly base: number;
  readonly values: readonly string[];
  readonly producerId?: number;
  readonly key?: Buffer | null;
  readonly compression?: KafkaCompression;
  /** The last offset of the batch was compacted away. */
  readonly extraDelta?: number;
}

export function columnsOfValues(values: readonly string[], key: Buffer | null = null): Columns {
  const writer = new RecordWriter();
  for (const value of values) writer.add(1_000, key, Buffer.from(value));
  return writer.columns;
}

/** Sets the fields that a broker sets, and the CRC anew. */
export function stamp(bytes: Buffer, base: number, change?: (bytes: Buffer) => void): Buffer {
  const out = Buffer.from(bytes);
  out.writeBigInt64BE(BigInt(base), AT.baseOffset);
  change?.(out);
  out.writeUInt32BE(crc32c(out.subarray(AT.attributes)), AT.crc);
  return out;
}

export function batch({ base, values, producerId, key, compression = 'none', extraDelta = 0 }: SpecBatch): Buffer {
  const transactional = producerId !== undefined;
  const producer = { producerId: producerId ?? -1, producerEpoch: transactional ? 0 : -1, sequence: transactional ? 0 : -1, transactional };
  const columns = columnsOfValues(values.length === 0 ? ['compacted away'] : values, key);
  const { bytes } = encodeBatch(columns, 0, 2 ** 30, compression, producer);
  return stamp(values.length === 0 ? bytes.subarray(0, AT.records) : bytes, base, (out) => {
    if (values.length === 0) {
      out.writeInt32BE(AT.records - AT.leaderEpoch, AT.batchLength);
      out.writeInt32BE(0, AT.recordCount);
    }
    out.writeInt32BE(out.readInt32BE(AT.lastOffsetDelta) + extraDelta, AT.lastOffsetDelta);
  });
}

/** A control batch: the end of a transaction. */
export function marker(base: number, producerId: number, type: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]);
  const bytes = batch({ base, values: ['\0\0\0\0\0\0'], producerId, key });
  return stamp(bytes, base, (out) => {
    out[AT.attributes + 1] = out[AT.attributes + 1]! | ATTRIBUTE.control;
  });
}

export interface ReadBack {
  readonly values: string[];
  readonly offsets: number[];
  readonly position: number;
}

/** Reads a record set to its end. */
export function readBack(bytes: Buffer, aborted: readonly AbortedTransaction[] = [], from = 0, maxRows = 3): ReadBack {
  const reader = new RecordSetReader('topic', 3);
  reader.start(bytes, from, aborted);
  const columns = new RecordColumns();
  const values: string[] = [];
  const offsets: number[] = [];
  for (let more = true; more;) {
    more = reader.read(columns, maxRows);
    for (let i = 0; i < columns.count; i++) {
      values.push(columns.value(i)?.toString() ?? 'null');
      offsets.push(columns.offset[i]!);
    }
  }
  return { values, offsets, position: reader.position };
}
