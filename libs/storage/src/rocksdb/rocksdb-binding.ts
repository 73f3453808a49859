import { createRequire } from 'node:module';
import { report } from 'node:process';
import { errors } from '../errors.js';

/**
 * The one file that knows `@nxtedition/rocksdb`: its native functions, typed by hand from its binding.cc (12.2.12).
 *
 * The functions are called directly, not through the package's `RocksLevel`: its batches and gets go through abstract-level, which
 * makes several objects an entry. What to know of them:
 * - They trust their caller. A call on a database that is not open, or on a closed iterator, ends the process; so does a buffer
 *   without an address, which is what `Buffer.alloc(0)` has as a key. The store above guards both.
 * - Leaving the options of a call away is three times faster than an empty object: each option costs a look-up by name.
 * - `batch_write` is synchronous; there is no other form of it.
 * - `db_open` and `db_close` run in the thread pool. Nothing else may be called on a database while it opens or closes.
 */
export interface RocksdbBinding {
  db_init(location: string): DatabaseHandle;
  db_open(db: DatabaseHandle, options: DatabaseOptions, done: (error: Error | null) => void): void;
  db_close(db: DatabaseHandle, done: (error: Error | null) => void): void;
  db_get_property(db: DatabaseHandle, name: string): string;
  /** Undefined where there is no such key, null where the values before it came to 2 GB. */
  db_get_many_sync(db: DatabaseHandle, keys: readonly Uint8Array[]): (Buffer | undefined | null)[];
  batch_init(): BatchHandle;
  /** Copies both into the batch. */
  batch_put(batch: BatchHandle, key: Uint8Array, value: Uint8Array): void;
  batch_del(batch: BatchHandle, key: Uint8Array): void;
  batch_clear(batch: BatchHandle): void;
  batch_write(db: DatabaseHandle, batch: BatchHandle): void;
  /** Sees the database as it is now, whatever is written later, until it is closed. */
  iterator_init(db: DatabaseHandle, options: IteratorOptions): IteratorHandle;
  iterator_nextv_sync(iterator: IteratorHandle, count: number): IteratorPage;
  iterator_close(iterator: IteratorHandle): void;
}

declare const handle: unique symbol;
export type DatabaseHandle = { readonly [handle]: 'database' };
export type BatchHandle = { readonly [handle]: 'batch' };
export type IteratorHandle = { readonly [handle]: 'iterator' };

/** Of the options that the binding takes, those in use; sizes in bytes. */
export interface DatabaseOptions {
  readonly createIfMissing: boolean;
  /** Without it, `memtableMemoryBudget` is ignored. `level` compresses from level 2 on, whatever `compression` says. */
  readonly compaction: 'level' | 'universal';
  /** A memtable is a quarter of it; there may be six. */
  readonly memtableMemoryBudget: number;
  /** True: zstd with a dictionary. */
  readonly compression: boolean;
  readonly walCompression: boolean;
  /** Below 2^32. */
  readonly cacheSize: number;
  readonly cacheIndexAndFilterBlocks: boolean;
  /** `point-lookup`: hashed index in each block, ribbon filters, and a bloom filter in each memtable. */
  readonly optimize: 'point-lookup';
  /** Background threads for flushes and compactions, shared by all databases of the process. */
  readonly parallelism: number;
}

export interface IteratorOptions {
  readonly keyEncoding: 'buffer';
  readonly valueEncoding: 'buffer';
  readonly gte?: Buffer;
  readonly lt?: Buffer;
  /** A page ends once it holds more bytes than this. */
  readonly highWaterMarkBytes: number;
}

export interface IteratorPage {
  /** Key, value, key, value. */
  readonly rows: readonly Buffer[];
  readonly finished: boolean;
}

/**
 * Loads the native part, when a rocksdb backend is first opened: the memory backend works where it cannot be loaded.
 * @param load replaced in specs
 * @throws WeirError `invalid` STATE_BACKEND_UNAVAILABLE, on platforms that it is not built for
 */
export function loadBinding(load: () => unknown = requireBinding): RocksdbBinding {
  try {
    return load() as RocksdbBinding;
  } catch (cause) {
    const found = cause instanceof Error ? cause.message.split('\n', 1)[0]! : String(cause);
    throw errors.bindingMissing({ platform: platformName(), found }, cause);
  }
}

const requireBinding = (): unknown => createRequire(import.meta.url)('@nxtedition/rocksdb/binding.js');

function platformName(): string {
  const { platform, arch } = process;
  if (platform !== 'linux') return `${platform}-${arch}`;
  const header = (report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } }).header;
  return `${platform}-${arch} (${header.glibcVersionRuntime === undefined ? 'no glibc' : 'glibc'})`;
}
