import type { RecordColumns, StateEntry, StateSnapshots, StateStore, StorePosition, SnapshotReference } from '@weir/core';
import type { MemoryStore } from '../memory/memory-store.js';
import type { SnapshotChain } from './snapshot-chain.js';

type StoreState = { readonly status: 'open' } | { readonly status: 'failed'; readonly error: unknown };

/**
 * A StateStore on the heap whose state is made durable by snapshots (snapshot-chain.ts), not by the changelog.
 *
 *   open --a snapshot could not be taken--> failed     every later call but `close` throws the same error (S7)
 *
 * The heap holds what is committed (I1): a snapshot is taken of an epoch's changes before they are applied.
 */
export class FilesystemStore implements StateStore {
  #state: StoreState = { status: 'open' };

  constructor(
    private readonly heap: MemoryStore,
    private readonly chain: SnapshotChain,
    /** Called when nothing of the store is under way any more. */
    private readonly released: () => void,
  ) {}

  readonly snapshots: StateSnapshots = {
    take: async (changes) => this.#take(changes),
    load: async (reference, goOn) => this.chain.load(reference, goOn),
  };

  get position(): StorePosition | undefined {
    return this.heap.position;
  }

  get(key: Uint8Array): Buffer | undefined {
    this.#check();
    return this.heap.get(key);
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    this.#check();
    return this.heap.getMany(keys);
  }

  scan(prefix: Uint8Array): IterableIterator<StateEntry> {
    this.#check();
    return this.heap.scan(prefix);
  }

  /** Settles the snapshot that was taken before, if one was. */
  async apply(changes: RecordColumns, position: StorePosition): Promise<void> {
    this.#check();
    const applied = this.heap.apply(changes, position); // S3: before anything is awaited
    await applied;
    this.chain.settle();
  }

  approximateSize(): number {
    return this.heap.approximateSize();
  }

  async close(): Promise<void> {
    await Promise.all([this.heap.close(), this.chain.close()]);
    this.released();
  }

  async #take(changes: RecordColumns): Promise<SnapshotReference> {
    this.#check();
    try {
      return await this.chain.take(changes);
    } catch (error) {
      this.#state = { status: 'failed', error };
      throw error;
    }
  }

  #check(): void {
    if (this.#state.status === 'failed') throw this.#state.error;
  }
}
