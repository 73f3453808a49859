import { type RecordColumns } from '@weir/core';
import { NO_ROWS, rowSize, type PackedRows, type RowSpan } from './packed-rows.js';

/**
 * One partition as a Kafka broker keeps it: a run of batches between a start offset and the high watermark.
 *
 * It owns offsets, batches, leader epochs and the last stable offset. It does not own transactions: the coordinator decides how
 * they end, and writes their markers here. Every write is replicated at once, so the high watermark is the end of the log.
 *
 *   start            last stable             high watermark
 *     |  c c A a c C   |  o c o                   |             c committed, a aborted, o open; A, C markers
 *
 * Invariants:
 * - P1. Offsets only grow; each record and each marker takes one, and none is given twice.
 * - P2. A transaction's records enter the log when they are appended, and are below the last stable offset only once its marker is
 *       here. The last stable offset is the first offset of the oldest transaction without a marker, or the high watermark.
 * - P3. Compaction and retention never touch what lies at or above the last stable offset, and never change an offset. A deletion on
 *       request may, up to the high watermark, as Kafka's does.
 * - P4. A batch belongs to one transaction as a whole.
 */
export class PartitionLog {
  #batches: StoredBatch[] = [];
  #start = 0;
  #end = 0;
  #epochs: EpochStart[] = [{ epoch: 0, start: 0 }];
  /** First offset here of every transaction whose marker is not here yet, oldest first. */
  readonly #open = new Map<TransactionMark, number>();
  #waiting: (() => void)[] = [];
  /** Grows with every change that a reader may be waiting for. */
  version = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly topicId: string,
  ) {}

  get start(): number {
    return this.#start;
  }

  get highWatermark(): number {
    return this.#end;
  }

  get lastStable(): number {
    for (const first of this.#open.values()) return Math.max(first, this.#start);
    return this.#end;
  }

  get leaderEpoch(): number {
    return this.#epochs.at(-1)!.epoch;
  }

  get batches(): readonly StoredBatch[] {
    return this.#batches;
  }

  /** Puts rows at the end and gives them their offsets. Returns the offset of the first. */
  append(rows: PackedRows, transaction: TransactionMark | undefined): number {
    const base = this.#end;
    const { columns } = rows;
    if (columns.count === 0) return base;
    for (let row = 0; row < columns.count; row++) columns.offset[row] = base + row;
    if (transaction !== undefined && !this.#open.has(transaction)) this.#open.set(transaction, base);
    this.#push({ baseOffset: base, lastOffset: base + columns.count - 1, transaction, control: undefined, rows });
    return base;
  }

  /** Ends a transaction in this partition: its control record takes an offset, and the last stable offset may move (P2). */
  appendMarker(transaction: TransactionMark, outcome: 'committed' | 'aborted'): void {
    this.#open.delete(transaction);
    const at = this.#end;
    this.#push({ baseOffset: at, lastOffset: at, transaction, control: outcome, rows: NO_ROWS });
  }

  #push(batch: Omit<StoredBatch, 'leaderEpoch' | 'deleteHorizon'>): void {
    this.#batches.push({ ...batch, leaderEpoch: this.leaderEpoch, deleteHorizon: undefined });
    this.#end = batch.lastOffset + 1;
    this.#changed();
  }

  /**
   * Committed rows from offset `from` on: at most `maxRows`, and at most `maxBytes` unless the first row alone is larger. Aborted
   * records, markers and holes are passed over.
   */
  read(from: number, maxRows: number, maxBytes: number): LogRun {
    const { lastStable } = this;
    const spans: RowSpan[] = [];
    let nextOffset = from;
    let rowsLeft = maxRows;
    let bytes = 0;
    for (let i = this.#indexOf(from); i < this.#batches.length; i++) {
      const batch = this.#batches[i]!;
      if (batch.baseOffset >= lastStable || rowsLeft === 0) break;
      if (isVisible(batch)) {
        const first = firstRowFrom(batch.rows.columns, nextOffset);
        const end = endRow(batch.rows, first, rowsLeft, maxBytes - bytes, spans.length === 0);
        if (end > first) spans.push({ rows: batch.rows, first, end });
        rowsLeft -= end - first;
        bytes += rowSize(batch.rows, first, end);
        if (end < batch.rows.columns.count) {
          if (end > first) nextOffset = batch.rows.columns.offset[end - 1]! + 1;
          break;
        }
      }
      nextOffset = batch.lastOffset + 1;
    }
    return { spans, nextOffset, bytes, lastStable, version: this.version };
  }

  /** Calls `run` once, at the next change. Returns what takes that back. */
  onceChanged(run: () => void): () => void {
    this.#waiting.push(run);
    return () => void (this.#waiting = this.#waiting.filter((other) => other !== run));
  }

  /** Tells those who wait that something changed which is not in the log itself: that its topic was deleted. */
  wakeReaders(): void {
    this.#changed();
  }

  #changed(): void {
    this.version++;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  /** Retention or a deletion on request: the log begins at `offset` now, if it began before; beyond the high watermark counts as that. */
  deleteBefore(offset: number): void {
    this.#start = Math.max(this.#start, Math.min(offset, this.#end));
    this.#batches = this.#batches.filter((batch) => batch.lastOffset >= this.#start);
    const floor = this.#epochs.findLastIndex((entry) => entry.start <= this.#start);
    this.#epochs = this.#epochs.slice(Math.max(0, floor)).map((entry) => ({ ...entry, start: Math.max(entry.start, this.#start) }));
    this.#changed();
  }

  /** Exchanges the batches for fewer of the same log (P3 is the caller's to keep; see compaction.ts). */
  replaceBatches(batches: readonly StoredBatch[]): void {
    this.#batches = [...batches];
  }

  /** A new leader begins epoch `epoch`. With `truncateTo` it lacks what lies from there on: an unclean election. */
  moveLeader(epoch: number, truncateTo = this.#end): void {
    if (truncateTo < this.#end) this.#truncateTail(Math.max(truncateTo, this.#start));
    this.#epochs = [...this.#epochs.filter((entry) => entry.start < this.#end), { epoch, start: this.#end }];
    this.#changed();
  }

  #truncateTail(offset: number): void {
    this.#batches = this.#batches.filter((batch) => batch.lastOffset < offset);
    // A batch is lost as a whole, so the end is where the last one that is left ends.
    this.#end = Math.max(this.#batches.at(-1)?.lastOffset ?? -1, this.#start - 1) + 1;
    for (const [transaction, first] of this.#open) if (first >= this.#end) this.#open.delete(transaction);
  }

  /** See Log.epochEnd. */
  epochEnd(epoch: number): number | undefined {
    const at = this.#epochs.findIndex((entry) => entry.epoch === epoch);
    return at === -1 ? undefined : (this.#epochs[at + 1]?.start ?? this.#end);
  }

  /** Index of the first batch that holds `offset` or lies behind it. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#batches[middle]!.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** How a transaction stands; one object for its whole life, which all its batches point to. */
export interface TransactionMark {
  readonly producerId: number;
  readonly transactionalId: string;
  outcome: 'open' | 'committed' | 'aborted';
}

export interface StoredBatch {
  readonly baseOffset: number;
  /** Offset of the last record as it was written: compaction takes rows away, and leaves this. */
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  /** Undefined for a batch written outside transactions. */
  readonly transaction: TransactionMark | undefined;
  /** Set in control batches, which have no rows. */
  readonly control: 'committed' | 'aborted' | undefined;
  readonly rows: PackedRows;
  /** Wall-clock time from which tombstones here (or this marker) may be removed; set by the first compaction that met them. */
  readonly deleteHorizon: number | undefined;
}

/** What one read gave: rows by reference, and the position behind them. */
export interface LogRun {
  readonly spans: readonly RowSpan[];
  readonly nextOffset: number;
  readonly bytes: number;
  readonly lastStable: number;
  /** Of the log when it was read. */
  readonly version: number;
}

interface EpochStart {
  readonly epoch: number;
  readonly start: number;
}

/** Whether readers see the rows of a batch that lies below the last stable offset. */
export const isVisible = (batch: StoredBatch): boolean =>
  batch.control === undefined && (batch.transaction === undefined || batch.transaction.outcome === 'committed');

/** First row whose offset is not below `offset`. */
function firstRowFrom(columns: RecordColumns, offset: number): number {
  let low = 0;
  let high = columns.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (columns.offset[middle]! < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where a run of rows from `first` ends by the limits; `atLeastOne` lets a row in that is larger than they allow. */
function endRow(rows: PackedRows, first: number, maxRows: number, maxBytes: number, atLeastOne: boolean): number {
  const last = Math.min(rows.columns.count, first + maxRows);
  let end = first;
  while (end < last && (rowSize(rows, first, end + 1) <= maxBytes || (atLeastOne && end === first))) end++;
  return end;
}
