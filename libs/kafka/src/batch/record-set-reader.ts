import { crc32c } from '@node-rs/crc32';
import { NULL, type RecordColumns } from '@weir/core';
import { errors } from '../errors.js';
import { AbortedFilter, type AbortedTransaction } from './aborted-filter.js';
import { ABORT_MARKER, AT, ATTRIBUTE, LEAST_RECORD_BYTES, LENGTH_PREFIX, MAGIC } from './batch-format.js';
import { decompress } from './compression.js';
import { walkHeaders } from './header-block.js';
import { DAMAGED, DAMAGED_LONG, readInt, readLong, varint } from './varint.js';

/**
 * Reads a record set, i.e. the batches that one fetch returned for one partition, into record columns, a limited number of rows at
 * a time. It owns the batch format and the filter of aborted records. It does not own where the bytes come from, nor the columns.
 *
 *   between batches -> (whole batch at hand, not dropped) -> in a batch -> (its last record) -> between batches
 *
 * Invariants:
 * - R1. `position` only grows, and always lies behind everything that was read or dropped: it follows a batch's last offset delta,
 *   not its last record, so control batches, aborted batches and compacted tails move it.
 * - R2. A row is handed out only if its offset is at or above the position asked for, each offset at most once.
 * - R3. Nothing of a batch is handed out before its CRC-32C was found right.
 * - R4. No length or count is trusted: each is compared with the bytes at hand before it is used. What does not fit is a `data` error
 *   with the batch's offset; rows before it were handed out by earlier calls.
 */
export class RecordSetReader {
  readonly #topic: string;
  readonly #partition: number;
  readonly #filter = new AbortedFilter();
  #bytes: Buffer = EMPTY;
  /** Where the next batch begins in #bytes. */
  #next = 0;
  #position = 0;

  // The batch being read: its records lie in bytes [#at, #end) of #records.
  #records: Buffer = EMPTY;
  #at = 0;
  #end = 0;
  #left = 0;
  #baseOffset = 0;
  #lastDelta = 0;
  /** Least offset delta that the next record may have. */
  #leastDelta = 0;
  #baseTimestamp = 0;
  #appendTime = NONE;
  /** What is wrong with the next batch, found after rows before it. */
  #failure: Error | undefined;

  constructor(topic: string, partition: number) {
    this.#topic = topic;
    this.#partition = partition;
  }

  /** The offset to read next after what was handed out. */
  get position(): number {
    return this.#position;
  }

  /**
   * Begins a record set.
   * @param position offset of the first record wanted; the set may begin before it, since brokers return whole batches
   */
  start(bytes: Buffer, position: number, aborted: readonly AbortedTransaction[]): void {
    this.#bytes = bytes;
    this.#next = 0;
    this.#position = position;
    this.#left = 0;
    this.#failure = undefined;
    this.#filter.start(aborted);
  }

  /** Drops the set, so that its memory can be freed. */
  clear(): void {
    this.#bytes = this.#records = EMPTY;
    this.#next = this.#left = 0;
  }

  /**
   * Fills `columns`, from its first row, with up to `maxRows` rows that lie in one buffer.
   * @returns whether the set has more; if not, it was read to its end, or to a batch that the fetch has cut
   * @throws WeirError `data` KAFKA_BATCH_DAMAGED
   */
  read(columns: RecordColumns, maxRows: number): boolean {
    columns.count = 0;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#left > 0) this.#pointAt(columns, maxRows); // a batch that was cut: others may have used the columns since
    try {
      while (columns.count < maxRows) {
        if (this.#left === 0 && !this.#openBatch(columns, maxRows)) break;
        this.#readRecords(columns, maxRows);
        if (this.#left === 0) this.#advance(this.#baseOffset + this.#lastDelta + 1);
      }
    } catch (thrown) {
      // Nothing behind damage is read, so every later call says the same.
      this.#failure = thrown as Error;
      if (columns.count === 0) throw thrown;
      return true; // the batches before the damaged one come first
    }
    return this.#left > 0 || wholeBatchBytes(this.#bytes, this.#next) !== 0;
  }

  #advance(position: number): void {
    if (position > this.#position) this.#position = position; // R1
  }

  /** Goes to the next batch that has rows for `columns`. False if there is none, or if it lies in another buffer than the rows so far. */
  #openBatch(columns: RecordColumns, maxRows: number): boolean {
    const bytes = this.#bytes;
    for (;;) {
      const start = this.#next;
      const length = wholeBatchBytes(bytes, start);
      if (length <= 0) {
        if (length < 0) throw this.#damaged(`its length field says ${bytes.readInt32BE(start + AT.batchLength)}`);
        return false;
      }
      if (columns.count > 0 && (columns.buffer !== bytes || (bytes[start + AT.attributes + 1]! & ATTRIBUTE.compressionMask) !== 0))
        return false;
      const wanted = this.#checkHead(start, length);
      this.#next = start + length;
      if (!wanted) {
        this.#advance(this.#baseOffset + this.#lastDelta + 1);
        continue;
      }
      this.#unpack(start, start + length);
      this.#pointAt(columns, maxRows);
      return true;
    }
  }

  /** Makes `columns` ready for rows of the batch at hand. */
  #pointAt(columns: RecordColumns, maxRows: number): void {
    if (columns.count === 0) columns.buffer = this.#records;
    columns.reserve(Math.min(columns.count + this.#left, maxRows));
  }

  /** Checks a batch's head and CRC, and takes its fields. @returns whether it has records to hand out */
  #checkHead(start: number, length: number): boolean {
    const bytes = this.#bytes;
    const baseOffset = this.#int64(start + AT.baseOffset, 'base offset');
    if (baseOffset < 0) throw this.#damaged(`its base offset is ${baseOffset}`);
    this.#baseOffset = baseOffset;
    const magic = bytes[start + AT.magic]!;
    if (magic !== MAGIC) throw this.#damaged(`its format is version ${magic}, and Weir reads version ${MAGIC} (Kafka 0.11 and later)`);
    const crc = bytes.readUInt32BE(start + AT.crc);
    const actual = crc32c(bytes.subarray(start + AT.attributes, start + length));
    if (crc !== actual) throw this.#damaged(`its CRC-32C is ${crc}, and its bytes give ${actual}`); // R3
    const lastDelta = bytes.readInt32BE(start + AT.lastOffsetDelta);
    if (lastDelta < 0 || !Number.isSafeInteger(baseOffset + lastDelta + 1)) throw this.#damaged(`its last offset delta is ${lastDelta}`);
    this.#lastDelta = lastDelta;
    this.#left = bytes.readInt32BE(start + AT.recordCount);
    const attributes = bytes.readInt16BE(start + AT.attributes);
    const wanted = this.#isWanted(start, start + length, attributes);
    if (!wanted) this.#left = 0;
    return wanted && this.#left > 0;
  }

  /** Whether a batch is neither control, nor aborted, nor behind the position. Keeps the filter up to date. */
  #isWanted(start: number, end: number, attributes: number): boolean {
    if (this.#left < 0) throw this.#damaged(`its record count is ${this.#left}`);
    const control = (attributes & ATTRIBUTE.control) !== 0;
    if (!this.#filter.isIdle && (attributes & ATTRIBUTE.transactional) !== 0) {
      const lastOffset = this.#baseOffset + this.#lastDelta;
      const producerId = this.#int64(start + AT.producerId, 'producer id');
      this.#filter.reach(lastOffset);
      if (control && this.#left > 0 && this.#markerType(start, end) === ABORT_MARKER) this.#filter.marker(producerId);
      if (this.#filter.drops(producerId)) return false;
    }
    return !control && this.#baseOffset + this.#lastDelta >= this.#position;
  }

  /** Type of the first record of a control batch: 0 abort, 1 commit. */
  #markerType(start: number, end: number): number {
    this.#unpack(start, end);
    const key = this.#firstKey();
    if (key < 0 || key + 4 > this.#end) throw this.#damaged('its control record has no type');
    return this.#records.readInt16BE(key + 2);
  }

  /** Where the key of the first record begins; -1 if it is damaged or null. */
  #firstKey(): number {
    const { bytes, end } = { bytes: this.#records, end: this.#end };
    if (readInt(bytes, this.#at, end) === DAMAGED) return -1;
    if (readLong(bytes, varint.end + 1, end) === DAMAGED_LONG) return -1;
    if (readInt(bytes, varint.end, end) === DAMAGED) return -1;
    const length = readInt(bytes, varint.end, end);
    return length === DAMAGED || length < 0 ? -1 : varint.end;
  }

  /** Makes the records of a batch readable: in place, or unpacked into a buffer of their own. */
  #unpack(start: number, end: number): void {
    const bytes = this.#bytes;
    const codec = bytes[start + AT.attributes + 1]! & ATTRIBUTE.compressionMask;
    if (codec === 0) {
      this.#records = bytes;
      this.#at = start + AT.records;
      this.#end = end;
    } else {
      this.#records = decompress(codec, bytes.subarray(start + AT.records, end), (problem, cause) => this.#damaged(problem, cause));
      this.#at = 0;
      this.#end = this.#records.length;
    }
    if (this.#left > (this.#end - this.#at) / LEAST_RECORD_BYTES) {
      throw this.#damaged(`it says it has ${this.#left} records in ${this.#end - this.#at} bytes`); // R4
    }
    this.#leastDelta = 0;
    this.#baseTimestamp = this.#int64(start + AT.baseTimestamp, 'base timestamp');
    const appendTime = (bytes[start + AT.attributes + 1]! & ATTRIBUTE.logAppendTime) !== 0;
    this.#appendTime = appendTime ? this.#int64(start + AT.maxTimestamp, 'maximum timestamp') : NONE;
  }

  /**
   * The record loop. Reads until the batch ends or `columns` has `maxRows` rows. Numbers of one byte are read in place.
   */
  #readRecords(columns: RecordColumns, maxRows: number): void {
    const bytes = this.#records;
    const end = this.#end;
    const baseOffset = this.#baseOffset;
    const baseTimestamp = this.#baseTimestamp;
    const appendTime = this.#appendTime;
    const lastDelta = this.#lastDelta;
    const position = this.#position;
    const { offset, timestamp, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = columns;
    let at = this.#at;
    let left = this.#left;
    let leastDelta = this.#leastDelta;
    let row = columns.count;
    while (left > 0 && row < maxRows) {
      let length = at < end ? bytes[at]! : LONG;
      if (length < LONG) {
        length = zigzag(length);
        at++;
      } else {
        length = readInt(bytes, at, end);
        at = varint.end;
      }
      const recordEnd = at + length;
      if (length < LEAST_RECORD_BYTES - 1 || recordEnd > end) throw this.#damagedRecord(left, 'its length does not fit');
      at++; // attributes: none are defined

      let time = bytes[at]!;
      if (time < LONG) {
        time = zigzag(time);
        at++;
      } else {
        time = readLong(bytes, at, recordEnd);
        at = varint.end;
        if (time === DAMAGED_LONG) throw this.#damagedRecord(left, 'its timestamp cannot be read');
      }
      timestamp[row] = appendTime === NONE ? baseTimestamp + time : appendTime;

      let delta = bytes[at]!;
      if (delta < LONG) {
        delta = zigzag(delta);
        at++;
      } else {
        delta = readInt(bytes, at, recordEnd);
        at = varint.end;
      }
      if (delta < leastDelta || delta > lastDelta) throw this.#damagedRecord(left, 'its offset is out of order');
      leastDelta = delta + 1;
      const rowOffset = baseOffset + delta;
      offset[row] = rowOffset;

      at = readField(bytes, at, recordEnd, keyStart, keyEnd, row);
      if (at >= recordEnd) throw this.#damagedRecord(left, 'its key does not fit');
      at = readField(bytes, at, recordEnd, valueStart, valueEnd, row);
      if (at >= recordEnd) throw this.#damagedRecord(left, 'its value does not fit');

      if (bytes[at] === 0 && at + 1 === recordEnd) {
        headersStart[row] = headersEnd[row] = 0;
      } else {
        headersStart[row] = this.#headers(at, recordEnd, left);
        headersEnd[row] = recordEnd;
      }
      at = recordEnd;
      left--;
      if (rowOffset >= position) row++; // R2
    }
    columns.count = row;
    this.#at = at;
    this.#left = left;
    this.#leastDelta = leastDelta;
    if (left > 0) this.#advance(baseOffset + leastDelta);
    else if (at !== end) throw this.#damaged(`it has ${end - at} bytes behind its last record`);
  }

  /** Checks the headers of a record, whose count is at `at`. @returns where the first begins */
  #headers(at: number, recordEnd: number, left: number): number {
    const count = readInt(this.#records, at, recordEnd);
    if (count === DAMAGED || count < 0) throw this.#damagedRecord(left, 'its header count cannot be read');
    const start = varint.end;
    if (walkHeaders(this.#records, start, recordEnd, count) < 0) throw this.#damagedRecord(left, `its ${count} headers do not fit`);
    return start;
  }

  #int64(at: number, field: string): number {
    const value = this.#bytes.readInt32BE(at) * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4);
    if (!Number.isSafeInteger(value)) throw this.#damaged(`its ${field} is beyond 2^53`);
    return value;
  }

  #damagedRecord(left: number, problem: string): Error {
    return this.#damaged(`of its last ${left} records, the first is damaged: ${problem}`);
  }

  #damaged(problem: string, cause?: unknown): Error {
    const offset = Math.max(this.#baseOffset, this.#position);
    return errors.batchDamaged({ topic: this.#topic, partition: this.#partition, offset, problem }, cause);
  }
}

const EMPTY = Buffer.alloc(0);
const NONE = -Infinity;
/** From this first byte on a varint has more than one. */
const LONG = 0x80;

const zigzag = (byte: number): number => (byte >>> 1) ^ -(byte & 1);

/**
 * Reads a key or a value: its length, then its bytes, whose place goes into row `row` of two columns.
 * @returns the position behind it; Infinity if it is damaged. It may lie behind `limit`: the caller compares
 */
function readField(bytes: Buffer, at: number, limit: number, starts: Int32Array, ends: Int32Array, row: number): number {
  let length = bytes[at]!;
  let start = at + 1;
  if (length < LONG) length = zigzag(length);
  else {
    length = readInt(bytes, at, limit);
    start = varint.end;
  }
  if (length < 0) {
    starts[row] = ends[row] = NULL;
    return length === NULL ? start : Infinity;
  }
  starts[row] = start;
  return (ends[row] = start + length);
}

/** Bytes of the batch that begins at `start`: 0 if the bytes are cut before its end, -1 if it cannot be one. */
export function wholeBatchBytes(bytes: Buffer, start: number): number {
  if (start + LENGTH_PREFIX > bytes.length) return 0;
  const length = bytes.readInt32BE(start + AT.batchLength) + LENGTH_PREFIX;
  if (length < AT.records) return -1;
  return start + length <= bytes.length ? length : 0;
}
