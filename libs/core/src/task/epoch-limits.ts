import { type Offset, offset } from '../model/brands.js';
import { NULL, type RecordColumns } from '../model/record-columns.js';
import type { LogChunk, LogReader } from '../ports/log.js';
import type { BroadcastLimits } from './broadcast-limits.js';
import { RecordRetries } from './record-retries.js';

/**
 * EpochLimits: how much an epoch may hold before it takes no more input until it is committed, and how many rows of a chunk are processed
 * before that is looked at again. So a task's memory is bounded whatever the size of values and whatever the functions make of a row.
 *
 * What bounds an epoch:
 *   outputs   bytes, as they are written
 *   input     bytes, as they are read: what functions keep of it is on the heap until the freeze
 *   state     rows, and bytes: values are encoded at the freeze, so until then a change counts as much as one did in the epochs before
 *
 * A slice is a run of rows of a chunk. It is short at first, and while rows give much, so that an epoch exceeds its bounds by about
 * SLICE_SHARE of them; and while rows take long, so that a turn (task-epochs.ts) ends soon after its time is over. What nothing here can
 * bound is what a single row gives and takes, and rows that all at once give or take far more than the ones before.
 */
const EPOCH_OUTPUT_BYTES = 32 * 1024 * 1024;
const EPOCH_INPUT_BYTES = 64 * 1024 * 1024;
const EPOCH_STATE_BYTES = 64 * 1024 * 1024;
const MOST_SLICE_ROWS = 4_096;
const FIRST_SLICE_ROWS = 1;
const SLICE_SHARE = 1 / 8;
/** Milliseconds that a slice is to take at most. */
const SLICE_MS = 25;
/** How much of the former mean of a state change's bytes stays when an epoch has told a smaller one. */
const MEAN_DECAY = 0.75;

export class EpochLimits {
  #inputBytes = 0;
  #changeBytes = 0;
  #sliceRows = FIRST_SLICE_ROWS;
  /** Outputs of the epoch when the slice began. */
  #outputBefore = 0;

  /** @param mostChanges rows of state */
  constructor(private readonly mostChanges: number) {}

  /** @param outputBytes and @param pendingChanges what the epoch holds now */
  isFull(outputBytes: number, pendingChanges: number): boolean {
    return (
      outputBytes >= EPOCH_OUTPUT_BYTES ||
      this.#inputBytes >= EPOCH_INPUT_BYTES ||
      pendingChanges >= this.mostChanges ||
      pendingChanges * this.#changeBytes >= EPOCH_STATE_BYTES
    );
  }

  /** Rows to process before `isFull` is asked again. */
  get sliceRows(): number {
    return this.#sliceRows;
  }

  /** @param outputBytes what the epoch holds after it @param tookMs monotonic milliseconds */
  processed({ chunk, from, to }: ChunkSlice, outputBytes: number, tookMs: number): void {
    if (to === from) return;
    const bytes = bytesOfRows(chunk.records, from, to);
    this.#inputBytes += bytes;
    const perRow = Math.max(outputBytes - this.#outputBefore, bytes) / (to - from);
    this.#outputBefore = outputBytes;
    const affordable = Math.floor((EPOCH_OUTPUT_BYTES * SLICE_SHARE) / Math.max(perRow, 1));
    const timely = tookMs > 0 ? Math.floor((SLICE_MS * (to - from)) / tookMs) : MOST_SLICE_ROWS;
    this.#sliceRows = Math.max(1, Math.min(MOST_SLICE_ROWS, this.#sliceRows * 2, affordable, timely));
  }

  /** The epoch was frozen with so many rows of state, of so many bytes: the next one begins. */
  frozen(rows: number, bytes: number): void {
    const mean = rows === 0 ? 0 : bytes / rows;
    this.#changeBytes = Math.max(mean, this.#changeBytes * MEAN_DECAY);
    this.#inputBytes = this.#outputBefore = 0;
  }
}

/** The chunk at hand, of which a slice is processed at a time; the next one is taken when nothing of it is left. */
export class ChunkSlices {
  #chunk: LogChunk | undefined;
  #row = 0;
  /** Behind the chunk. */
  #end = offset(0);
  /** Whether the epoch has any rows. */
  #hasRows = false;
  #needsCommit = false;

  constructor(
    private readonly reader: LogReader,
    private readonly broadcast: BroadcastLimits,
    private readonly next: () => LogChunk | undefined = () => reader.take(),
    private readonly retries = new RecordRetries(),
  ) {}

  /** Whether nothing more is taken until the epoch is committed: it ends before, or behind, a record that is tried again. */
  get needsCommit(): boolean {
    return this.#needsCommit;
  }

  /** The epoch was frozen. */
  frozen(): void {
    this.#hasRows = this.#needsCommit = false;
    this.retries.frozen();
  }

  /** The epoch that was frozen is committed. */
  committed(): void {
    this.retries.committed();
  }

  /** The next slice of at most `rows` rows, and of none where a chunk has none; undefined if nothing is fetched, or `needsCommit`. */
  take(rows: number): ChunkSlice | undefined {
    if (this.#chunk === undefined) {
      this.#chunk = this.next();
      this.#row = 0;
      if (this.#chunk === undefined) return undefined;
      this.#end = this.broadcast.cut(this.#chunk, this.reader);
    }
    const chunk = this.#chunk;
    const { count, offset: offsets } = chunk.records;
    const from = this.#row;
    const to = this.#fence(chunk, from, Math.min(count, from + rows));
    if (to === undefined) return undefined;
    this.#row = to;
    if (to === count) this.#chunk = undefined;
    return { chunk, from, to, next: to === count ? this.#end : offset(offsets[to]!) };
  }

  /** Where the slice ends: a record that is tried again is alone in its slice and in its epoch (Q3). Undefined: what is before it is to be committed. */
  #fence(chunk: LogChunk, from: number, to: number): number | undefined {
    const first = this.retries.firstIn(chunk, from, to);
    if (first === from && from < to) {
      this.#needsCommit = true;
      if (this.#hasRows) return undefined;
      this.retries.passes({ topic: chunk.topic, partition: chunk.partition, offset: chunk.records.offset[from]! });
      to = from + 1;
    } else to = first;
    this.#hasRows ||= to > from;
    return to;
  }
}

/** Rows [from, to) of a chunk. */
export interface ChunkSlice {
  readonly chunk: LogChunk;
  readonly from: number;
  readonly to: number;
  /** The offset to read next after them. */
  readonly next: Offset;
}

/** Bytes of rows [from, to), which lie in the order of the rows. */
function bytesOfRows({ keyStart, valueStart, keyEnd, valueEnd, headersEnd }: RecordColumns, from: number, to: number): number {
  const start = keyStart[from] === NULL ? valueStart[from]! : keyStart[from]!;
  const last = to - 1;
  return Math.max(0, Math.max(keyEnd[last]!, valueEnd[last]!, headersEnd[last]!) - Math.max(0, start));
}
