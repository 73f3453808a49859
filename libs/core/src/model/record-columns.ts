import { ByteWriter } from './byte-writer.js';

/** Marks a null key or value in `keyStart` and `valueStart`. */
export const NULL = -1;

const INITIAL_CAPACITY = 256;

/**
 * Records as columns over one byte buffer: the shape in which they travel between a log, a task and a state store, so
 * that a record costs no object, no view and no copy. Row i has its key in bytes [keyStart[i], keyEnd[i]) of `buffer`,
 * likewise its value and its header block (see headers.ts; an empty range means no headers).
 *
 * Lifetime: a reader fills the same columns again at its next `take`, so rows are read before that; the bytes of `buffer`
 * that a reader hands out are never overwritten, so a view into them may be kept (it keeps the whole buffer alive); those of a
 * RecordWriter are, once it is cleared.
 *
 * Invariants: 0 <= i < count for every row; starts and ends lie within `buffer`; a null key or value has start NULL, end NULL.
 */
export class RecordColumns {
  count = 0;
  buffer: Buffer = Buffer.alloc(0);
  offset = new Float64Array(INITIAL_CAPACITY);
  /** Milliseconds since the epoch, as the producer or the broker set them; 0 is a legal time, -1 means none. */
  timestamp = new Float64Array(INITIAL_CAPACITY);
  keyStart = new Int32Array(INITIAL_CAPACITY);
  keyEnd = new Int32Array(INITIAL_CAPACITY);
  valueStart = new Int32Array(INITIAL_CAPACITY);
  valueEnd = new Int32Array(INITIAL_CAPACITY);
  headersStart = new Int32Array(INITIAL_CAPACITY);
  headersEnd = new Int32Array(INITIAL_CAPACITY);

  /** Makes room for `rows` rows in all; existing rows stay. */
  reserve(rows: number): void {
    if (rows <= this.offset.length) return;
    const capacity = Math.max(rows, this.offset.length * 2);
    this.offset = grown(this.offset, new Float64Array(capacity));
    this.timestamp = grown(this.timestamp, new Float64Array(capacity));
    this.keyStart = grown(this.keyStart, new Int32Array(capacity));
    this.keyEnd = grown(this.keyEnd, new Int32Array(capacity));
    this.valueStart = grown(this.valueStart, new Int32Array(capacity));
    this.valueEnd = grown(this.valueEnd, new Int32Array(capacity));
    this.headersStart = grown(this.headersStart, new Int32Array(capacity));
    this.headersEnd = grown(this.headersEnd, new Int32Array(capacity));
  }

  /** Key of row i as a view, or null. For edges and tests; the record path reads the columns. */
  key(i: number): Buffer | null {
    const start = this.keyStart[i]!;
    return start === NULL ? null : this.buffer.subarray(start, this.keyEnd[i]);
  }

  /** Value of row i as a view, or null. For edges and tests; the record path reads the columns. */
  value(i: number): Buffer | null {
    const start = this.valueStart[i]!;
    return start === NULL ? null : this.buffer.subarray(start, this.valueEnd[i]);
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/**
 * Builds RecordColumns row by row: what a task's outputs and state changes are collected in. A row is written as
 * `begin`, then its key, value and header bytes through `bytes` between the marks, then `end`:
 *
 *   writer.begin(timestamp);
 *   codec.encode(key, writer.bytes); writer.keyDone();      // or leave out keyDone: null key
 *   codec.encode(value, writer.bytes); writer.valueDone();  // or leave out valueDone: null value, a tombstone
 *   writer.end();
 *
 * An encode that throws between begin and end leaves no row behind (`begin` starts over at the same place).
 */
export class RecordWriter {
  readonly columns = new RecordColumns();
  readonly bytes: ByteWriter;
  /** Where the part that is written now began. */
  #mark = 0;
  #committedBytes = 0;

  /** @param capacity initial size of the byte buffer, in bytes */
  constructor(capacity = 1024) {
    this.bytes = new ByteWriter(capacity);
  }

  get count(): number {
    return this.columns.count;
  }

  /** Bytes of all keys, values and headers written so far. */
  get byteLength(): number {
    return this.#committedBytes;
  }

  /** Forgets all rows; the buffers stay, to be filled again. What was handed out is overwritten from now on. */
  clear(): void {
    this.columns.count = 0;
    this.#committedBytes = 0;
  }

  /** @param timestamp milliseconds since the epoch */
  begin(timestamp: number): void {
    const { columns } = this;
    const i = columns.count;
    columns.reserve(i + 1);
    this.bytes.length = this.#committedBytes;
    this.#mark = this.#committedBytes;
    columns.offset[i] = -1;
    columns.timestamp[i] = timestamp;
    columns.keyStart[i] = columns.keyEnd[i] = NULL;
    columns.valueStart[i] = columns.valueEnd[i] = NULL;
    columns.headersStart[i] = columns.headersEnd[i] = 0;
  }

  keyDone(): void {
    const i = this.columns.count;
    this.columns.keyStart[i] = this.#mark;
    this.#mark = this.columns.keyEnd[i] = this.bytes.length;
  }

  valueDone(): void {
    const i = this.columns.count;
    this.columns.valueStart[i] = this.#mark;
    this.#mark = this.columns.valueEnd[i] = this.bytes.length;
  }

  headersDone(): void {
    const i = this.columns.count;
    this.columns.headersStart[i] = this.#mark;
    this.#mark = this.columns.headersEnd[i] = this.bytes.length;
  }

  end(): void {
    this.columns.buffer = this.bytes.buffer;
    this.#committedBytes = this.bytes.length;
    this.columns.count++;
  }

  /** A whole row from bytes at hand: for edges and tests. Null for no key, or for a tombstone. */
  add(timestamp: number, key: Uint8Array | null, value: Uint8Array | null, headers?: Uint8Array): void {
    this.begin(timestamp);
    if (key !== null) {
      this.bytes.writeBytes(key);
      this.keyDone();
    }
    if (value !== null) {
      this.bytes.writeBytes(value);
      this.valueDone();
    }
    if (headers !== undefined && headers.length > 0) {
      this.bytes.writeBytes(headers);
      this.headersDone();
    }
    this.end();
  }
}
