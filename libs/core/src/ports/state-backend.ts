import type { Incarnation, Offset, TaskIndex } from '../model/brands.js';
import type { RecordColumns } from '../model/record-columns.js';
import type { InstanceIds } from './instance-ids.js';

/**
 * StateBackend: where the state of tasks lives between checkpoints. RocksDB in production, the heap for small state and
 * tests; all pass the conformance suite in @weir/testing.
 *
 * How state comes back is of two sorts. `memory` and `rocksdb` recover from the changelog, and may be exchanged for each other. A store that
 * has `snapshots` (`filesystem`) recovers from what it wrote before each commit, and its changelog holds no state; a job cannot change
 * between the two sorts (STATE_BACKEND_CHANGED).
 *
 * Guarantees:
 * - S1. A batch and its position become durable in one write: after a crash either both are there or neither.
 * - S2. The position never runs ahead of the data: the store holds exactly what the changelog holds below `position.offset` (I6).
 * - S3. Reads are synchronous and see every batch whose `apply` was called.
 * - S4. Keys are equal when their bytes are equal; a scan runs in the order of unsigned bytes.
 * - S5. A store has one opener at a time, across processes; a second one waits a bounded time, then fails with `STATE_LOCKED`.
 * - S6. A position never goes back and never changes its topic (`internal` errors): another log needs `destroy` first.
 * - S7. A store that failed once stays failed: each later call throws the same error until it is closed, and opened anew.
 *
 * What is on the heap (`memory`, `filesystem`) is gone when its store is closed, position and all: S1, S2 and S6 bind it while it is open. S5
 * then holds within a process: nothing of such a store could be damaged by another one (P3 below).
 */
export interface StateBackend {
  readonly kind: StateBackendKind;
  /**
   * Called before each claim of the task's transactional id. What a backend sees now was written by owners that the claim will fence; so
   * what of it the epoch record behind the claim does not name is never going to be needed (P4).
   */
  beforeClaim?(scope: StoreScope): Promise<void>;
  /**
   * Opens the store of a task, or creates it empty.
   * @throws WeirError `retry` STATE_LOCKED; `rebuild-state` STATE_DAMAGED if the files cannot be read: `destroy` it, then open anew
   */
  open(scope: StoreScope): Promise<StateStore>;
  /** Removes a closed store and all that it holds, but no snapshot: those belong to epoch records. Idempotent. @throws WeirError `retry` STATE_LOCKED if somebody has it open */
  destroy(scope: StoreScope): Promise<void>;
  /**
   * Removes every snapshot of the task, by whichever process, unfinished ones too: the changelog whose epoch records named them is given up.
   * Idempotent. Missing where there are none.
   */
  dropSnapshots?(scope: StoreScope): Promise<void>;
  close(): Promise<void>;
}

export type StateBackendKind = 'memory' | 'filesystem' | 'rocksdb';

/** Makes a StateBackend; adapters export one each, e.g. `rocksdb({ dir })`. */
export interface StateBackendFactory {
  readonly kind: StateBackendKind;
  /** @param maxStores how many stores will be open at once: the memory budget is divided by it */
  open(maxStores: number): Promise<StateBackend>;
  /** The same with a part of the memory budget, for each of so many jobs of a process. Missing where there is no budget. */
  sharedAmong?(jobs: number): StateBackendFactory;
  /** Names of replicas that are kept beside the state. Missing where nothing outlives the process. */
  readonly instances?: InstanceIds;
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
  /** Of stores whose state does not recover from the changelog. */
  readonly snapshots?: StateSnapshots;
  /** Bytes that the store takes, roughly: for metrics. */
  approximateSize(): number;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * How a store recovers whose state is not in the changelog. Before an epoch's transaction, `take` makes its changes durable, beside all that
 * was before; the epoch record names what was written, and `load` brings it back. So a restore gets exactly the state of the epoch record
 * that it finds, whatever was written besides.
 *
 * Guarantees:
 * - P1. Once `take` resolved, the state with these changes can be loaded in any process, also after the machine died.
 * - P2. An epoch is settled by the `apply` that follows its `take`, and it alone: until then what the epoch before named stays.
 * - P3. What others wrote is never overwritten, whoever they are: a writer that was fenced and does not know it harms no successor.
 * - P4. Deleted is only what no epoch record to come can name: what a committed one has dropped, and what lay there before the claim and is
 *       not in the record behind it.
 */
export interface StateSnapshots {
  /** @param changes rows of state, without reserved ones. They stay as they are until the promise settles */
  take(changes: RecordColumns): Promise<SnapshotReference>;
  /**
   * Brings the state back, into a store that holds no state yet.
   * @param goOn told of rows as they are read; false ends it
   * @returns false if it was ended
   * @throws WeirError `invalid` SNAPSHOT_MISSING, SNAPSHOT_DAMAGED: the changelog cannot replace it; `restart-task` if it could not be read
   */
  load(reference: SnapshotReference, goOn: (rows: number) => boolean): Promise<boolean>;
}

/** What an epoch record says of the state that its changelog does not hold. Kept as JSON. */
export interface SnapshotReference {
  readonly backend: StateBackendKind;
  /** Files in the task's directory, in the order in which they are read: later rows win over earlier ones. */
  readonly files: readonly string[];
  /** Files that only earlier snapshots need, which are retained. */
  readonly kept: readonly string[];
  /** Rows in `files`. */
  readonly rows: number;
}
