import { resolve } from 'node:path';
import { clockOf, type Clock, type SnapshotStore, type StateBackend, type StateBackendFactory, type StateStore, type StoreScope } from '@weir/core';
import { errors } from '../errors.js';
import { MemoryStore } from '../memory/memory-store.js';
import { checkCount, checkDuration, checkPath } from '../option-checks.js';
import { instancesIn } from '../instances/instance-directory.js';
import { DEFAULT_LOCK_TIMEOUT_MS, whenUnlocked, type LockPatience } from '../store-lock.js';
import { storeName } from '../store-path.js';
import { FilesystemSnapshots } from './filesystem-snapshots.js';
import { FilesystemStore } from './filesystem-store.js';
import { SnapshotChain } from './snapshot-chain.js';
import { snapshotDirectory } from './snapshot-names.js';

export interface FilesystemOptions {
  /**
   * Where snapshots lie; made if it is missing. It must outlive the machine as Kafka does, and every process that may run the job must reach
   * it: the changelog does not hold this state. It must support hard links.
   */
  readonly dir: string;
  /**
   * How many committed snapshots are kept of each task, from 1. Default 1, as Flink's state.checkpoints.num-retained. Recovery takes the last
   * one, always; more of them give whoever copies the directory time to do so.
   */
  readonly retained?: number | undefined;
  /**
   * Where this process keeps the name by which it is known in the group when it comes back: a directory of its own, which outlives it.
   * Default none: after a death the group waits until its session ends.
   */
  readonly instanceDir?: string | undefined;
  /** How long a second opener of a store in this process waits for the first, in milliseconds. Default 10000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Default: the real one. */
  readonly clock?: Clock | undefined;
}

/**
 * Keeps state on the heap, and makes it durable by a snapshot per checkpoint below a directory; each checkpoint writes its changes alone.
 * @throws WeirError `invalid` STATE_OPTION_INVALID
 */
export function filesystem(options: FilesystemOptions): StateBackendFactory {
  const { dir, ...rest } = options;
  return snapshotting(new FilesystemSnapshots(resolve(checkPath('dir', dir)), options.clock ?? clockOf(globalThis)), rest);
}

/**
 * The same with its snapshots in another store: a bucket, or memory.
 * @throws WeirError `invalid` STATE_OPTION_INVALID
 */
export function snapshotting(snapshots: SnapshotStore, options: Omit<FilesystemOptions, 'dir'> = {}): StateBackendFactory {
  const timeoutMs = checkDuration('lockTimeoutMs', options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS);
  const retained = checkCount('retained', options.retained ?? 1);
  const clock = options.clock ?? clockOf(globalThis);
  const instances = instancesIn(options.instanceDir, clock);
  return { kind: 'filesystem', open: async () => new FilesystemBackend(snapshots, retained, { clock, timeoutMs }), ...instances };
}

/** The stores of one process, by name. Files are told apart by their writers (P3), so the map is all the lock there is to be (S5). */
class FilesystemBackend implements StateBackend {
  readonly kind = 'filesystem';
  readonly #stores = new Map<string, FilesystemStore>();
  /** What lay in a store's directory before the last claim. */
  readonly #found = new Map<string, readonly string[]>();
  #closed = false;

  constructor(
    private readonly snapshots: SnapshotStore,
    private readonly retained: number,
    private readonly patience: LockPatience,
  ) {}

  async beforeClaim(scope: StoreScope): Promise<void> {
    const { names, unfinished } = await this.snapshots.list(snapshotDirectory(scope));
    this.#found.set(storeName(scope), [...names, ...unfinished]);
  }

  async open(scope: StoreScope): Promise<StateStore> {
    const name = storeName(scope);
    return whenUnlocked('opening', name, this.patience, () => {
      if (this.#closed) throw errors.closed({ act: 'opening', path: name });
      if (this.#stores.has(name)) return undefined;
      const store = this.#make(name, snapshotDirectory(scope));
      this.#stores.set(name, store);
      return store;
    });
  }

  #make(name: string, directory: string): FilesystemStore {
    const { snapshots, retained, patience } = this;
    const heap = new MemoryStore(name, () => undefined);
    const place = snapshots instanceof FilesystemSnapshots ? `${snapshots.dir}/${directory}` : directory;
    const chain = new SnapshotChain({
      store: snapshots,
      directory,
      pathOf: (file) => `${place}/${file}`,
      clock: patience.clock,
      retained,
      found: this.#found.get(name) ?? [],
      entries: () => heap.entries(),
      apply: (rows) => heap.apply(rows, heap.position!), // the changelog, which named them, was read before
    });
    this.#found.delete(name);
    const store = new FilesystemStore(heap, chain, () => {
      if (this.#stores.get(name) === store) this.#stores.delete(name);
    });
    return store;
  }

  async destroy(scope: StoreScope): Promise<void> {
    const name = storeName(scope);
    // A closed store is gone already, and its snapshots belong to the epoch records that name them.
    if (this.#stores.has(name)) throw errors.stillOpen({ path: name });
  }

  async dropSnapshots(scope: StoreScope): Promise<void> {
    const { names, unfinished } = await this.snapshots.list(snapshotDirectory(scope));
    for (const name of [...names, ...unfinished]) await this.snapshots.delete(name);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#stores.values()].map((store) => store.close()));
  }
}
