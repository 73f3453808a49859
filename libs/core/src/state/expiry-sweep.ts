import { ByteWriter } from '../model/byte-writer.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { StateEntry, StateStore } from '../ports/state-backend.js';
import { partsOfStoredKey } from './stored-key.js';
import { beginTimedValue, storedValueStart, storedValueTime } from './stored-value.js';
import { isExpired, type TableState } from './table-state.js';

/** Stored entries looked at with one commit, at least and at most; between them it is twice what the epoch changed, so that it keeps up. */
const MIN_LOOKS = 1_000;
const MAX_LOOKS = 10_000;
/** Looks that beginning a scan counts for. */
const SCAN_COST = 4;
/** A round over all entries begins when this part of the shortest TTL has passed since the last one began. */
const ROUNDS_PER_TTL = 4;

/**
 * ExpirySweep: removes expired entries of states with a time to live that nobody reads any more, a few with each commit. It owns a cursor
 * over the store: key group by key group, state by state, entry by entry; it does not own what the table holds.
 *
 *   resting --(a part of the TTL has passed)--> scanning (group, state) --> ... --> scanning (last group, last state) --> resting
 *
 * An entry from a time without TTL is given the time at which the sweep comes by, so that it expires although nobody reads it.
 *
 * Invariants:
 *   T1. It runs at the freeze, before the epoch's own changes are written, and leaves alone whatever has any: a key that was refreshed in the
 *       same epoch is never swept.
 *   T2. A scan shows the store as it was when it began, so an entry that looks expired is read again before it is removed. No frozen
 *       change is under way at a freeze, so what is read is the newest committed.
 *   T3. What it removes is a tombstone in the changelog, with the epoch's transaction: a restore drops it too.
 *   T4. The work of one run is bounded, whatever the store holds.
 */
export class ExpirySweep {
  readonly #watched: { readonly state: TableState; readonly ordinal: number }[] = [];
  readonly #prefix = new ByteWriter(8);
  /** Index of the (key group, state) that is scanned; undefined while it rests. */
  #at: number | undefined;
  #scan: IterableIterator<StateEntry> | undefined;
  #began = -Infinity;

  constructor(
    private readonly table: SweptTable,
    private readonly maxParallelism: number,
  ) {}

  watch(state: TableState, ordinal: number): void {
    this.#watched.push({ state, ordinal });
  }

  /**
   * @param now wall-clock time in milliseconds
   * @param changed changes of the epoch
   * @param timestamp of the rows, in milliseconds
   */
  run(store: StateStore, now: number, changed: number, changes: RecordWriter, timestamp: number): void {
    if (this.#at === undefined) {
      const shortest = Math.min(...this.#watched.map(({ state }) => state.ttl!.ms));
      if (now - this.#began < shortest / ROUNDS_PER_TTL) return;
      this.#began = now;
      this.#at = 0;
    }
    let looks = Math.min(MAX_LOOKS, Math.max(MIN_LOOKS, 2 * changed)); // T4
    while (looks > 0) {
      if (this.#scan === undefined) {
        if (this.#at === this.#watched.length * this.maxParallelism) {
          this.#at = undefined;
          return;
        }
        this.#scan = this.#beginScan(store, this.#at);
        looks -= SCAN_COST;
      }
      const next = this.#scan.next();
      looks--;
      if (next.done === true) {
        this.#scan = undefined;
        this.#at++;
      } else {
        this.#look(store, next.value, now, changes, timestamp);
      }
    }
  }

  #beginScan(store: StateStore, at: number): IterableIterator<StateEntry> {
    const { state } = this.#watched[at % this.#watched.length]!;
    this.#prefix.clear();
    this.#prefix.writeUint16(Math.floor(at / this.#watched.length));
    this.#prefix.writeUint32(state.stateId);
    return store.scan(this.#prefix.copy());
  }

  #look(store: StateStore, { key, value: shown }: StateEntry, now: number, changes: RecordWriter, timestamp: number): void {
    const { state, ordinal } = this.#watched[this.#at! % this.#watched.length]!;
    if (isFresh(shown, now, state)) return;
    const value = store.get(key); // T2
    if (value === undefined || isFresh(value, now, state)) return;
    const { keyStart, keyEnd } = partsOfStoredKey(key);
    if (this.table.hasChanged(key.subarray(keyStart, keyEnd), ordinal, key.latin1Slice(keyEnd, key.length))) return; // T1
    changes.begin(timestamp);
    changes.bytes.writeBytes(key);
    changes.keyDone();
    if (Number.isNaN(storedValueTime(value, 0))) {
      beginTimedValue(changes.bytes, now);
      changes.bytes.writeBytes(value, storedValueStart(value, 0, value.length));
      changes.valueDone();
    }
    changes.end(); // T3
  }
}

/** What the sweep asks of its table. */
export interface SweptTable {
  /** Whether the state of a key, or one entry of its collection, has changed in the running epoch. */
  hasChanged(keyBytes: Buffer, ordinal: number, subKey: string): boolean;
}

/** False also for a value without a time. */
function isFresh(value: Buffer, now: number, { ttl }: TableState): boolean {
  const at = storedValueTime(value, 0);
  return !Number.isNaN(at) && !isExpired(at, now, ttl!);
}
