import { constants } from 'node:fs';
import { access, realpath, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { clockOf, isWeirError } from '@weir/core';
import type { Clock, StateBackend, StateBackendFactory, StateStore, StoreScope } from '@weir/core';
import { makeDirectory } from '../directories.js';
import { errors } from '../errors.js';
import { instanceDirectory } from '../instances/instance-directory.js';
import { checkBytes, checkCount, checkDuration, checkPath, checkWord } from '../option-checks.js';
import { DEFAULT_LOCK_TIMEOUT_MS, whenUnlocked, type LockPatience } from '../store-lock.js';
import { destroyedPath, storePath } from '../store-path.js';
import { RocksdbBatch } from './rocksdb-batch.js';
import { loadBinding, type DatabaseHandle, type DatabaseOptions, type RocksdbBinding } from './rocksdb-binding.js';
import { directoryFailure, isLocked, openFailure } from './rocksdb-failures.js';
import { RocksdbStore } from './rocksdb-store.js';
import { COMPRESSIONS, DEFAULT_MEMORY_BUDGET_BYTES, tune, type Compression } from './rocksdb-tuning.js';

export type { Compression } from './rocksdb-tuning.js';

export interface RocksdbOptions {
  /** Where the stores of all applications lie; made if it is missing. On a local disk: RocksDB's lock does not hold on every other. */
  readonly dir: string;
  /**
   * Bytes that all stores of the process may take together, outside of V8's heap: block caches, write buffers, and what RocksDB needs
   * beside them. Default 512 MB; at least 6 MB a store. Batches larger than a sixteenth of a store's part come on top: so much do its
   * write buffers exceed their size. A backend divides the budget among its stores and knows no other: jobs of one Nest module get equal parts of it
   * (`sharedAmong`); without Nest, give each job a part of its own.
   */
  readonly memoryBudgetBytes?: number | undefined;
  /** `none` (default) reads fastest and takes up to twice the space; `zstd` saves space. A store may change from one to the other. */
  readonly compression?: Compression | undefined;
  /** How long a second opener of a store waits for the first, in milliseconds. Default 10000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Default: the real one. */
  readonly clock?: Clock | undefined;
}

interface CompiledOptions {
  readonly dir: string;
  readonly memoryBudgetBytes: number;
  readonly compression: Compression;
  readonly patience: LockPatience;
}

/**
 * Keeps state in embedded RocksDB, one database a task: the choice for production.
 * @throws WeirError `invalid` STATE_OPTION_INVALID; at `open` also STATE_BUDGET_TOO_SMALL, STATE_DIR_UNUSABLE, and
 *   STATE_BACKEND_UNAVAILABLE on platforms without the native part
 */
export function rocksdb(options: RocksdbOptions): StateBackendFactory {
  const compiled: CompiledOptions = {
    dir: resolve(checkPath('dir', options.dir)),
    memoryBudgetBytes: checkBytes('memoryBudgetBytes', options.memoryBudgetBytes ?? DEFAULT_MEMORY_BUDGET_BYTES),
    compression: checkWord('compression', options.compression ?? 'none', COMPRESSIONS),
    patience: {
      clock: options.clock ?? clockOf(globalThis),
      timeoutMs: checkDuration('lockTimeoutMs', options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS),
    },
  };
  return factoryOf(compiled);
}

const factoryOf = (options: CompiledOptions): StateBackendFactory => ({
  kind: 'rocksdb',
  open: (maxStores) => openBackend(options, maxStores),
  instances: instanceDirectory(options.dir, options.patience.clock),
  sharedAmong: (jobs) => factoryOf({ ...options, memoryBudgetBytes: Math.floor(options.memoryBudgetBytes / checkCount('jobs', jobs)) }),
});

async function openBackend(options: CompiledOptions, maxStores: number): Promise<StateBackend> {
  checkCount('maxStores', maxStores);
  const tuned = tune(options.memoryBudgetBytes, maxStores, options.compression);
  const binding = loadBinding();
  await ensureDirectory(options.dir);
  // Within one process RocksDB knows a locked database by the spelling of its path: two names of one directory must not get past that.
  const dir = await realpath(options.dir);
  return new RocksdbBackend(binding, { ...options, dir }, tuned, maxStores);
}

/**
 * The stores below one directory. RocksDB's own LOCK file in each keeps a second opener out, in this process and in any other (S5);
 * the operating system lets go of it when its owner dies.
 *
 * Invariants:
 * - B1. `#stores` holds a path for as long as this backend holds its lock.
 * - B2. Files are removed only by who holds the lock of a sound store, or found a store that nobody can open; and they leave their
 *       place at once, by a rename.
 */
class RocksdbBackend implements StateBackend {
  readonly kind = 'rocksdb';
  readonly #binding: RocksdbBinding;
  readonly #options: CompiledOptions;
  readonly #tuned: DatabaseOptions;
  readonly #maxStores: number;
  readonly #batch: RocksdbBatch;
  readonly #stores = new Map<string, RocksdbStore>();
  #closed = false;

  constructor(binding: RocksdbBinding, options: CompiledOptions, tuned: DatabaseOptions, maxStores: number) {
    this.#binding = binding;
    this.#batch = new RocksdbBatch(binding);
    this.#options = options;
    this.#tuned = tuned;
    this.#maxStores = maxStores;
  }

  async open(scope: StoreScope): Promise<StateStore> {
    const path = storePath(this.#options.dir, scope);
    await ensureDirectory(path);
    await remove(destroyedPath(path));
    const db = await whenUnlocked('opening', path, this.#options.patience, () => {
      if (this.#closed) throw errors.closed({ act: 'opening', path });
      return this.#tryOpen(path, this.#tuned);
    });
    const store: RocksdbStore = new RocksdbStore(this.#binding, db, this.#batch, path, () => {
      // The next opener may have got the lock before this one heard that its database is closed.
      if (this.#stores.get(path) === store) this.#stores.delete(path);
    });
    this.#stores.set(path, store); // B1
    try {
      if (this.#closed) throw errors.closed({ act: 'opening', path });
      if (this.#stores.size > this.#maxStores) throw errors.tooManyStores({ path, maxStores: this.#maxStores });
      store.recover();
      return store;
    } catch (cause) {
      await store.close();
      throw cause;
    }
  }

  /**
   * 1. Take the lock, by opening the store; one too damaged to open is locked by nobody.
   * 2. Move its directory away.
   * 3. Let go of the lock.
   * 4. Remove the files.
   */
  async destroy(scope: StoreScope): Promise<void> {
    const path = storePath(this.#options.dir, scope);
    if (this.#stores.has(path)) throw errors.stillOpen({ path });
    const moved = destroyedPath(path);
    await remove(moved);
    const probed = await whenUnlocked('destroying', path, this.#options.patience, () => this.#probe(path)); // 1
    await moveAway(path, moved); // 2 (B2)
    if (probed.db !== undefined) await this.#closeDatabase(probed.db); // 3
    await remove(moved); // 4
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#stores.values()].map((store) => store.close()));
  }

  /** The database, or undefined if another owner holds its lock. */
  #tryOpen(path: string, tuned: DatabaseOptions): Promise<DatabaseHandle | undefined> {
    const db = this.#binding.db_init(path);
    return new Promise((opened, failed) => {
      this.#binding.db_open(db, tuned, (cause) => {
        if (cause === null) opened(db);
        else if (isLocked(cause)) opened(undefined);
        else failed(openFailure('opening', path, cause));
      });
    });
  }

  /** The store's database, held; or none where there is nothing to open. Undefined if another owner holds its lock. */
  async #probe(path: string): Promise<{ readonly db: DatabaseHandle | undefined } | undefined> {
    try {
      const db = await this.#tryOpen(path, { ...this.#tuned, createIfMissing: false });
      return db === undefined ? undefined : { db };
    } catch (cause) {
      if (isWeirError(cause, 'rebuild-state')) return { db: undefined };
      throw cause;
    }
  }

  #closeDatabase(db: DatabaseHandle): Promise<void> {
    // Its files are on their way out: whether it could still write to them is all the same.
    return new Promise((closed) => this.#binding.db_close(db, () => closed()));
  }
}

/** @throws WeirError `invalid` STATE_DIR_UNUSABLE; `retry` STATE_UNAVAILABLE for a full disk and the like */
async function ensureDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(path);
    if (!(await stat(path)).isDirectory()) throw new Error('it is there and is no directory');
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw directoryFailure('opening', path, cause);
  }
}

async function moveAway(path: string, to: string): Promise<void> {
  try {
    await rename(path, to);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw directoryFailure('destroying', path, cause);
  }
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (cause) {
    throw directoryFailure('destroying', path, cause);
  }
}
