import type { StateEntry } from '@weir/core';
import { userKey } from '../stored-key.js';
import type { IteratorHandle, IteratorPage } from './rocksdb-binding.js';

/** What a scan asks of its store. */
export interface ScanSource {
  /** @throws WeirError if the store is closed or has failed */
  nextPage(iterator: IteratorHandle, rows: number): IteratorPage;
  /** Lets go of the iterator. Idempotent; also after the store was closed. */
  release(iterator: IteratorHandle): void;
}

/** Most scans are of a few entries: pages begin small and grow. The store bounds a page by its bytes, too. */
const FIRST_PAGE_ROWS = 16;
const LARGEST_PAGE_ROWS = 512;

/**
 * A running scan: pages of rows from a RocksDB iterator, which shows the store as it was when the scan was made.
 * It holds files and memtables of that time until it ends: at its last entry, at `return` (which leaving a `for...of` calls), when
 * the store closes, or when it is collected.
 */
export class RocksdbScan implements IterableIterator<StateEntry> {
  readonly #source: ScanSource;
  #iterator: IteratorHandle | undefined;
  #rows: readonly Buffer[] = [];
  #at = 0;
  #lastPage = false;
  #pageRows = FIRST_PAGE_ROWS;

  constructor(source: ScanSource, iterator: IteratorHandle) {
    this.#source = source;
    this.#iterator = iterator;
  }

  next(): IteratorResult<StateEntry, undefined> {
    while (this.#iterator !== undefined) {
      if (this.#at === this.#rows.length) {
        if (this.#lastPage) break;
        this.#turnPage(this.#iterator);
        continue;
      }
      const key = userKey(this.#rows[this.#at]!);
      const value = this.#rows[this.#at + 1]!;
      this.#at += 2;
      if (key !== undefined) return { done: false, value: { key, value } };
    }
    return this.return();
  }

  return(): IteratorResult<StateEntry, undefined> {
    const iterator = this.#iterator;
    this.#iterator = undefined;
    this.#rows = [];
    this.#at = 0;
    if (iterator !== undefined) this.#source.release(iterator);
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): this {
    return this;
  }

  #turnPage(iterator: IteratorHandle): void {
    const { rows, finished } = this.#source.nextPage(iterator, this.#pageRows);
    this.#rows = rows;
    this.#at = 0;
    this.#lastPage = finished;
    this.#pageRows = Math.min(this.#pageRows * 4, LARGEST_PAGE_ROWS);
  }
}
