import type { Incarnation, Offset, TaskIndex } from '../model/brands.js';
import type { RecordColumns } from '../model/record-columns.js';

/**
 * StateBackend: where the state of tasks lives between checkpoints. RocksDB in production, the heap for small state and
 * tests; both pass the conformance suite in @weir/testing.
 *
 * Guarantees:
 * - S1. A batch and its position become durable in one write: after a crash either both are there or neither.
 * - S2. The position never runs ahead of the data: the store holds exactly what the changelog holds below `position.offset` (I6).
 * - S3. Reads are synchronous and see every batch whose `apply` was called.
 * - S4. Keys are equal when their bytes are equal; a scan runs in the order of unsigned bytes.
 * - S5. A store has one opener at a time, across processes; a second one waits a bounded time, then fails with `STATE_LOCKED`.
 * - S6. A position never goes back and never changes its topic (`internal` errors): another log needs `destroy` first.
 * - S7. A store that failed once stays failed: each later call throws the same error until it is closed, and opened anew.
 */
export interface StateBackend {
  readonly kind: StateBackendKind;
  /**
   * Opens the store of a task, or creates it empty.
   * @throws WeirError `retry` STATE_LOCKED; `rebuild-state` STATE_DAMAGED if the files cannot be read: `destroy` it, then open anew
   */
  open(scope: StoreScope): Promise<StateStore>;
  /** Removes a closed store and all that it holds. Idempotent. @throws WeirError `retry` STATE_LOCKED if somebody has it open */
  destroy(scope: StoreScope): Promise<void>;
  close(): Promise<void>;
}

export type StateBackendKind = 'memory' | 'filesystem' | 'rocksdb';

/** Makes a StateBackend; adapters export one each, e.g. `rocksdb({ dir })`. */
export interface StateBackendFactory {
  readonly kind: StateBackendKind;
  /** @param maxStores how many stores will be open at once: the memory budget is divided by it */
  open(maxStores: number): Promise<StateBackend>;
}

export interface StoreScope {
  readonly applicationId: string;
  readonly incarnation: Incarnation;
  readonly subTopology: number;
  readonly task: TaskIndex;
}

/** Up to where in the changelog a store holds everything (I6), and which log that was. */
export interface StorePosition {
  readonly offset: Offset;
  readonly topicId: string;
  readonly leaderEpoch: number;
  /** Wall-clock time of the write, in milliseconds: older than `delete.retention.ms`, tombstones behind it may be gone. */
  readonly writtenAt: number;
}

export interface StateEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface StateStore {
  /** Undefined for a store that holds nothing yet. */
  readonly position: StorePosition | undefined;
  /** Value of a key, or undefined. The buffer is the caller's. */
  get(key: Uint8Array): Buffer | undefined;
  /** Values of keys in their order; fastest with the keys sorted. */
  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[];
  /** Entries whose key begins with `prefix`, ordered, read lazily. A store that is changed meanwhile keeps showing what it held. */
  scan(prefix: Uint8Array): IterableIterator<StateEntry>;
  /**
   * Writes rows (a null value deletes) and the position in one write. Later rows win over earlier ones with the same key. The rows have
   * been read when the call returns, before its promise settles.
   */
  apply(changes: RecordColumns, position: StorePosition): Promise<void>;
  /** Bytes that the store takes, roughly: for metrics. */
  approximateSize(): number;
  /** Idempotent. */
  close(): Promise<void>;
}
