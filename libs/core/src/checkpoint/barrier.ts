import { errors } from '../errors/errors.js';
import { type CheckpointId, checkpointId } from '../model/brands.js';
import type { RecordColumns, RecordWriter } from '../model/record-columns.js';
import { NULL } from '../model/record-columns.js';

/**
 * Barriers as they travel through repartition topics: a record without a key, which no shuffled record is. Its value:
 *
 *   version 1:  uint8 version = 1 | uint8 flags, none yet | float64 checkpoint id | name of the sending task in UTF-8
 *
 * A barrier is written in the transaction of the epoch that it ends, behind that epoch's records.
 */
export const BARRIER_VERSION = 1;
const HEADER_BYTES = 10;

export interface Barrier {
  readonly id: CheckpointId;
  /** Name of the task that sent it, see `taskName`. */
  readonly writer: string;
}

/** @param timestamp milliseconds since the epoch */
export function writeBarrier(out: RecordWriter, { id, writer }: Barrier, timestamp: number): void {
  out.begin(timestamp);
  out.bytes.writeUint8(BARRIER_VERSION);
  out.bytes.writeUint8(0);
  out.bytes.writeFloat64(id);
  out.bytes.writeUtf8(writer);
  out.valueDone();
  out.end();
}

/** The barrier in a row of a repartition topic; undefined for a shuffled record. @throws WeirError `invalid` BARRIER_UNREADABLE */
export function barrierIn(records: RecordColumns, row: number): Barrier | undefined {
  if (records.keyStart[row] !== NULL) return undefined;
  const value = records.value(row);
  if (value === null || value.length < HEADER_BYTES || value[0] !== BARRIER_VERSION) {
    throw errors.barrierUnreadable({ offset: records.offset[row]!, version: value?.[0] });
  }
  return { id: checkpointId(value.readDoubleBE(2)), writer: value.toString('utf8', HEADER_BYTES) };
}
