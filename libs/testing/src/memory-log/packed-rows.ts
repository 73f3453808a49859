import { NULL, RecordColumns } from '@weir/core';

/**
 * Rows as the in-memory log keeps them: columns over a buffer of their own, in which the bytes of row i (key, value, headers) lie
 * together at [rowStart[i], rowStart[i + 1]). So a run of rows is one range of bytes, and its size one subtraction.
 */
export interface PackedRows {
  readonly columns: RecordColumns;
  readonly rowStart: Int32Array;
}

export const NO_ROWS: PackedRows = { columns: new RecordColumns(), rowStart: new Int32Array(1) };

/** Bytes of rows [first, end). */
export const rowBytes = (rows: PackedRows, first: number, end: number): number => rows.rowStart[end]! - rows.rowStart[first]!;

/** What rows [first, end) take of a buffer or a message: their bytes, and the least that the lengths and deltas of each add (format v2). */
export const rowSize = (rows: PackedRows, first: number, end: number): number =>
  rowBytes(rows, first, end) + RECORD_OVERHEAD_BYTES * (end - first);

const RECORD_OVERHEAD_BYTES = 7;

/** Copies `source`; with `keep`, only the rows for which it is true. What happens to the source's buffer later does not matter. */
export function packRows(source: RecordColumns, keep: (row: number) => boolean = () => true): PackedRows {
  const kept: number[] = [];
  let bytes = 0;
  for (let row = 0; row < source.count; row++) {
    if (!keep(row)) continue;
    kept.push(row);
    bytes += sizeOf(source, row);
  }
  const columns = new RecordColumns();
  columns.reserve(kept.length);
  columns.buffer = Buffer.allocUnsafe(bytes);
  const rowStart = new Int32Array(kept.length + 1);
  let at = 0;
  for (const row of kept) at = packRow(source, row, columns, rowStart, at);
  return { columns, rowStart };
}

const sizeOf = ({ keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd }: RecordColumns, row: number): number =>
  keyEnd[row]! - keyStart[row]! + valueEnd[row]! - valueStart[row]! + headersEnd[row]! - headersStart[row]!;

/** Copies one row to byte `at`, and says where the next one begins. Null keys and values have start and end NULL, so they take no bytes. */
function packRow(source: RecordColumns, row: number, to: RecordColumns, rowStart: Int32Array, at: number): number {
  const i = to.count++;
  const keyAt = at;
  const valueAt = keyAt + source.keyEnd[row]! - source.keyStart[row]!;
  const headersAt = valueAt + source.valueEnd[row]! - source.valueStart[row]!;
  const end = headersAt + source.headersEnd[row]! - source.headersStart[row]!;
  if (valueAt > keyAt) source.buffer.copy(to.buffer, keyAt, source.keyStart[row], source.keyEnd[row]);
  if (headersAt > valueAt) source.buffer.copy(to.buffer, valueAt, source.valueStart[row], source.valueEnd[row]);
  if (end > headersAt) source.buffer.copy(to.buffer, headersAt, source.headersStart[row], source.headersEnd[row]);
  const nullKey = source.keyStart[row] === NULL;
  const nullValue = source.valueStart[row] === NULL;
  to.offset[i] = source.offset[row]!;
  to.timestamp[i] = source.timestamp[row]!;
  to.keyStart[i] = nullKey ? NULL : keyAt;
  to.keyEnd[i] = nullKey ? NULL : valueAt;
  to.valueStart[i] = nullValue ? NULL : valueAt;
  to.valueEnd[i] = nullValue ? NULL : headersAt;
  to.headersStart[i] = headersAt;
  to.headersEnd[i] = end;
  rowStart[i] = at;
  rowStart[i + 1] = end;
  return end;
}

/** A run of rows [first, end) of one place. */
export interface RowSpan {
  readonly rows: PackedRows;
  readonly first: number;
  readonly end: number;
}

/**
 * Writes the rows of `spans` into `columns` in their place. One span shares its buffer; several get a new one, so that the bytes that
 * were handed out before are never overwritten.
 */
export function fillColumns(spans: readonly RowSpan[], columns: RecordColumns): void {
  columns.count = 0;
  const [only] = spans;
  if (only === undefined) {
    columns.buffer = NO_ROWS.columns.buffer;
    return;
  }
  if (spans.length === 1) {
    columns.buffer = only.rows.columns.buffer;
    appendSpan(only, columns, 0);
    return;
  }
  const bytes = spans.reduce((sum, { rows, first, end }) => sum + rowBytes(rows, first, end), 0);
  const buffer = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const span of spans) {
    const from = span.rows.rowStart[span.first]!;
    const to = span.rows.rowStart[span.end]!;
    span.rows.columns.buffer.copy(buffer, at, from, to);
    appendSpan(span, columns, at - from);
    at += to - from;
  }
  columns.buffer = buffer;
}

function appendSpan({ rows: { columns: from }, first, end }: RowSpan, to: RecordColumns, shift: number): void {
  to.reserve(to.count + end - first);
  for (let row = first; row < end; row++) {
    const i = to.count++;
    to.offset[i] = from.offset[row]!;
    to.timestamp[i] = from.timestamp[row]!;
    to.keyStart[i] = moved(from.keyStart[row]!, shift);
    to.keyEnd[i] = moved(from.keyEnd[row]!, shift);
    to.valueStart[i] = moved(from.valueStart[row]!, shift);
    to.valueEnd[i] = moved(from.valueEnd[row]!, shift);
    to.headersStart[i] = from.headersStart[row]! + shift;
    to.headersEnd[i] = from.headersEnd[row]! + shift;
  }
}

const moved = (at: number, shift: number): number => (at === NULL ? NULL : at + shift);
