import { crc32c } from '@node-rs/crc32';
import type { RecordColumns } from '@weir/core';
import type { KafkaCompression } from '../options.js';
import { AT, ATTRIBUTE, LENGTH_PREFIX, MAGIC } from './batch-format.js';
import { CODECS, compress } from './compression.js';
import { walkHeaders } from './header-block.js';
import { sizeOfInt, sizeOfLong, writeInt, writeLong } from './varint.js';

/** Who writes a batch: fields of its head. */
export interface BatchProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly sequence: number;
  readonly transactional: boolean;
}

export interface EncodedBatch {
  readonly bytes: Buffer;
  readonly rows: number;
}

/** Most bytes that a record takes beside its key, value and headers. */
const MOST_RECORD_OVERHEAD = 36;
/** Below it a loop copies faster than a call does. */
const SHORT_COPY_BYTES = 96;

/**
 * Encodes rows of columns, from row `from` on, as one record batch: as many as fit into `limit` bytes before packing, at least one.
 *
 * Two passes over the rows: the first measures, so that the batch is written into memory of its very size; the second writes. A
 * record's length comes before its fields, so each is measured before it is written anyway.
 */
export function encodeBatch(
  columns: RecordColumns,
  from: number,
  limit: number,
  compression: KafkaCompression,
  producer: BatchProducer,
): EncodedBatch {
  const sizes = measure(columns, from, limit);
  const rows = sizes.rows;
  const plain = Buffer.allocUnsafe(sizes.bytes);
  const end = writeRecords(columns, from, rows, plain);
  const bytes = compression === 'none' ? plain.subarray(0, end) : pack(compression, plain.subarray(AT.records, end));
  writeHead(bytes, columns, from, rows, compression, producer);
  return { bytes, rows };
}

/** Room for the head, and the packed records behind it. */
function pack(compression: Exclude<KafkaCompression, 'none'>, records: Buffer): Buffer {
  const packed = compress(compression, records);
  const bytes = Buffer.allocUnsafe(AT.records + packed.length);
  packed.copy(bytes, AT.records);
  return bytes;
}

/** The rows whose records may take more than `limit` bytes before packing. */
export function rowsAbove({ count, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd }: RecordColumns, limit: number): readonly number[] {
  const rows: number[] = [];
  for (let i = 0; i < count; i++) {
    const fields = keyEnd[i]! - keyStart[i]! + (valueEnd[i]! - valueStart[i]!) + (headersEnd[i]! - headersStart[i]!);
    if (fields + MOST_RECORD_OVERHEAD > limit) rows.push(i);
  }
  return rows;
}

/** How many rows fit, and the most bytes that they can take with the head. */
function measure(columns: RecordColumns, from: number, limit: number): { rows: number; bytes: number } {
  const { count, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = columns;
  let bytes: number = AT.records;
  let row = from;
  for (; row < count; row++) {
    const fields = keyEnd[row]! - keyStart[row]! + (valueEnd[row]! - valueStart[row]!) + (headersEnd[row]! - headersStart[row]!);
    const next = bytes + fields + MOST_RECORD_OVERHEAD;
    if (next > limit && row > from) break;
    bytes = next;
  }
  return { rows: row - from, bytes };
}

/** The write loop. @returns the position behind the last record */
function writeRecords(columns: RecordColumns, from: number, rows: number, out: Buffer): number {
  const { buffer, timestamp, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = columns;
  const baseTimestamp = timestamp[from]!;
  let at: number = AT.records;
  for (let i = 0; i < rows; i++) {
    const row = from + i;
    const key = keyStart[row]!;
    const value = valueStart[row]!;
    const headers = headersStart[row]!;
    const keyLength = key < 0 ? -1 : keyEnd[row]! - key;
    const valueLength = value < 0 ? -1 : valueEnd[row]! - value;
    const headersLength = headersEnd[row]! - headers;
    const headerCount = headersLength === 0 ? 0 : walkHeaders(buffer, headers, headers + headersLength);
    if (headerCount < 0) throw new RangeError(`the header block of row ${row} is damaged`);
    const delta = timestamp[row]! - baseTimestamp;
    const length =
      1 +
      sizeOfLong(delta) +
      sizeOfInt(i) +
      sizeOfInt(keyLength) +
      (keyLength > 0 ? keyLength : 0) +
      sizeOfInt(valueLength) +
      (valueLength > 0 ? valueLength : 0) +
      sizeOfInt(headerCount) +
      headersLength;
    at = length < 0x40 ? ((out[at] = length << 1), at + 1) : writeInt(out, at, length);
    out[at++] = 0; // attributes: none are defined
    at = writeLong(out, at, delta);
    at = writeInt(out, at, i);
    at = writeInt(out, at, keyLength);
    if (keyLength > 0) at = copy(buffer, key, keyLength, out, at);
    at = writeInt(out, at, valueLength);
    if (valueLength > 0) at = copy(buffer, value, valueLength, out, at);
    at = writeInt(out, at, headerCount);
    if (headersLength > 0) at = copy(buffer, headers, headersLength, out, at);
  }
  return at;
}

function copy(from: Buffer, start: number, length: number, to: Buffer, at: number): number {
  if (length > SHORT_COPY_BYTES) {
    from.copy(to, at, start, start + length);
    return at + length;
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
  return at + length;
}

function writeHead(
  out: Buffer,
  columns: RecordColumns,
  from: number,
  rows: number,
  compression: KafkaCompression,
  producer: BatchProducer,
): void {
  const { timestamp } = columns;
  let maxTimestamp = timestamp[from]!;
  for (let i = 1; i < rows; i++) if (timestamp[from + i]! > maxTimestamp) maxTimestamp = timestamp[from + i]!;
  const attributes = CODECS.indexOf(compression) | (producer.transactional ? ATTRIBUTE.transactional : 0);
  int64(out, AT.baseOffset, 0); // the broker gives the offset
  out.writeInt32BE(out.length - LENGTH_PREFIX, AT.batchLength);
  out.writeInt32BE(-1, AT.leaderEpoch); // the broker's as well
  out[AT.magic] = MAGIC;
  out.writeInt16BE(attributes, AT.attributes);
  out.writeInt32BE(rows - 1, AT.lastOffsetDelta);
  int64(out, AT.baseTimestamp, timestamp[from]!);
  int64(out, AT.maxTimestamp, maxTimestamp);
  int64(out, AT.producerId, producer.producerId);
  out.writeInt16BE(producer.producerEpoch, AT.producerEpoch);
  out.writeInt32BE(producer.sequence, AT.baseSequence);
  out.writeInt32BE(rows, AT.recordCount);
  out.writeUInt32BE(crc32c(out.subarray(AT.attributes)), AT.crc);
}

function int64(out: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  out.writeInt32BE(high, at);
  out.writeUInt32BE(value - high * 0x1_0000_0000, at + 4);
}
