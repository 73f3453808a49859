import type { RecordColumns, StateEntry, StateStore, StorePosition, WeirError } from '@weir/core';
import { errors, type StoreAct } from '../errors.js';
import { checkPosition, decodePosition, encodePosition } from '../store-position.js';
import { POSITION_KEY, prefixRange, storedKey, storedKeys } from '../stored-key.js';
import type { RocksdbBatch } from './rocksdb-batch.js';
import type { DatabaseHandle, IteratorHandle, IteratorPage, RocksdbBinding } from './rocksdb-binding.js';
import { readFailure, writeFailure } from './rocksdb-failures.js';
import { RocksdbScan, type ScanSource } from './rocksdb-scan.js';

/** A page of a scan ends once it holds more. */
const PAGE_BYTES = 256 * 1024;

type StoreState =
  | { readonly status: 'open' }
  | { readonly status: 'failed'; readonly error: WeirError }
  | { readonly status: 'closed'; readonly done: Promise<void> };

/**
 * A StateStore on one RocksDB database.
 *
 * Owns: the open database, its iterators, and the position. Does not own: the directory and the wait for its lock
 * (rocksdb-backend.ts), the layout of keys (stored-key.ts), what a failure means (rocksdb-failures.ts).
 *
 *   open ------> closed
 *     |            ^
 *     +-> failed --+
 *
 * failed: a read or a write went wrong. Every later call but `close` throws that error again: RocksDB itself refuses writes until it
 * is opened anew, and a store that could not take a batch must not serve reads without it (S3).
 *
 * Durability: before `apply` resolves, its batch is in RocksDB's write-ahead log and handed to the operating system; nothing waits
 * for the disk. So it survives the death of the process, however sudden. After the death of the machine RocksDB comes back with
 * a prefix of the batches, each of them whole (S1), and the changelog supplies the rest.
 *
 * Invariants:
 * - R1. Data and position go into one RocksDB batch of one column family (S1, S2). `position` changes after the write only.
 * - R2. `apply` reads its columns, builds the batch and writes it in one synchronous stretch: no read comes between (S3). The binding
 *       has no asynchronous write, and building in slices would not free the event loop: it takes a sixth of the time,
 *       the one write takes the rest. About 1 microsecond a row in all: whoever bounds the batch bounds the pause.
 * - R3. No call reaches the database once closing began: it would end the process. Iterators are closed before that, and here, not
 *       by the binding: it would do so in another thread while the garbage collector may free them in this one.
 */
export class RocksdbStore implements StateStore, ScanSource {
  readonly #binding: RocksdbBinding;
  readonly #db: DatabaseHandle;
  readonly #path: string;
  readonly #released: () => void;
  readonly #batch: RocksdbBatch;
  readonly #iterators = new Set<IteratorHandle>();
  readonly #forgotten = new FinalizationRegistry<IteratorHandle>((iterator) => this.release(iterator));
  /** Argument of every single get. */
  readonly #one: Uint8Array[] = [POSITION_KEY];
  #state: StoreState = { status: 'open' };
  #position: StorePosition | undefined;

  /**
   * @param db open; the store closes it
   * @param batch empty, as `apply` leaves it; shared with other stores
   * @param released called once, when the database was closed
   */
  constructor(binding: RocksdbBinding, db: DatabaseHandle, batch: RocksdbBatch, path: string, released: () => void) {
    this.#binding = binding;
    this.#db = db;
    this.#path = path;
    this.#released = released;
    this.#batch = batch;
  }

  /**
   * Reads the position; called once, before the store is handed out.
   * @throws WeirError `rebuild-state` STATE_DAMAGED if there is none beside data, or one that cannot be understood
   */
  recover(): void {
    const bytes = this.#getStored(POSITION_KEY);
    if (bytes === undefined) {
      // Every batch writes a position, so data without one was not written by a store.
      if (!this.scan(new Uint8Array()).next().done) throw this.#fail(this.#damaged('it holds data and no position'));
      return;
    }
    try {
      this.#position = decodePosition(bytes);
    } catch (cause) {
      throw this.#fail(this.#damaged((cause as Error).message, cause));
    }
  }

  get position(): StorePosition | undefined {
    return this.#position;
  }

  get(key: Uint8Array): Buffer | undefined {
    this.#check('reading');
    return this.#getStored(storedKey(key));
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    this.#check('reading');
    const stored = storedKeys(keys);
    const values = this.#getRows(stored);
    // Null: the values before it came to 2 GB, where one call of the binding ends.
    for (let at = values.indexOf(null); at !== -1; at = values.indexOf(null, at)) values[at] = this.#getStored(stored[at]!);
    return values as (Buffer | undefined)[];
  }

  scan(prefix: Uint8Array): IterableIterator<StateEntry> {
    this.#check('scanning');
    const { from, below } = prefixRange(prefix);
    const iterator = this.#openIterator(from, below);
    const scan = new RocksdbScan(this, iterator);
    this.#iterators.add(iterator);
    this.#forgotten.register(scan, iterator);
    return scan;
  }

  async apply(changes: RecordColumns, position: StorePosition): Promise<void> {
    this.#check('writing');
    checkPosition(this.#path, this.#position, position);
    // R2: no await from here on.
    try {
      this.#batch.fill(changes, this.#path);
      this.#batch.put(POSITION_KEY, encodePosition(position)); // R1
      this.#write();
    } finally {
      this.#batch.clear();
    }
    this.#position = { ...position };
  }

  approximateSize(): number {
    if (this.#state.status !== 'open') return 0;
    return this.#sizeProperty('rocksdb.total-sst-files-size') + this.#sizeProperty('rocksdb.cur-size-all-mem-tables');
  }

  close(): Promise<void> {
    if (this.#state.status === 'closed') return this.#state.done;
    for (const iterator of this.#iterators) this.#binding.iterator_close(iterator);
    this.#iterators.clear();
    const done = this.#closeDatabase();
    this.#state = { status: 'closed', done };
    return done;
  }

  nextPage(iterator: IteratorHandle, rows: number): IteratorPage {
    this.#check('scanning');
    try {
      return this.#binding.iterator_nextv_sync(iterator, rows);
    } catch (cause) {
      throw this.#fail(readFailure('scanning', this.#path, cause));
    }
  }

  release(iterator: IteratorHandle): void {
    if (this.#iterators.delete(iterator)) this.#binding.iterator_close(iterator);
  }

  #write(): void {
    try {
      this.#binding.batch_write(this.#db, this.#batch.handle);
    } catch (cause) {
      throw this.#fail(writeFailure('writing', this.#path, cause));
    }
  }

  #getStored(stored: Uint8Array): Buffer | undefined {
    this.#one[0] = stored;
    const value = this.#getRows(this.#one)[0];
    return value ?? undefined;
  }

  #getRows(stored: readonly Uint8Array[]): (Buffer | undefined | null)[] {
    try {
      return this.#binding.db_get_many_sync(this.#db, stored);
    } catch (cause) {
      throw this.#fail(readFailure('reading', this.#path, cause));
    }
  }

  #openIterator(from: Buffer | undefined, below: Buffer | undefined): IteratorHandle {
    try {
      return this.#binding.iterator_init(this.#db, {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
        highWaterMarkBytes: PAGE_BYTES,
        ...(from === undefined ? {} : { gte: from }),
        ...(below === undefined ? {} : { lt: below }),
      });
    } catch (cause) {
      throw this.#fail(readFailure('scanning', this.#path, cause));
    }
  }

  /** Never rejects: every batch was in the log when its `apply` resolved, and what RocksDB fails to tidy up waits for the next open. */
  #closeDatabase(): Promise<void> {
    return new Promise((closed) => {
      this.#binding.db_close(this.#db, () => {
        this.#released();
        closed();
      });
    });
  }

  #check(act: StoreAct): void {
    if (this.#state.status === 'open') return;
    throw this.#state.status === 'failed' ? this.#state.error : errors.closed({ act, path: this.#path });
  }

  #fail(error: WeirError): WeirError {
    if (this.#state.status === 'open') this.#state = { status: 'failed', error };
    return error;
  }

  #damaged(found: string, cause?: unknown): WeirError {
    return errors.damaged({ act: 'opening', path: this.#path, found }, cause);
  }

  #sizeProperty(name: string): number {
    const size = Number(this.#binding.db_get_property(this.#db, name));
    return Number.isFinite(size) ? size : 0;
  }
}
