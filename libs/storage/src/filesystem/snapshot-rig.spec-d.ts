import { type Clock, incarnation, offset, RecordWriter, type SnapshotReference, type StateBackend, type StateStore, taskIndex, type StoreScope } from '@weir/core';
import { type InMemorySnapshots, ManualClock } from '@weir/testing';
import { snapshotting } from './filesystem-backend.js';

export const SCOPE: StoreScope = { applicationId: 'app', incarnation: incarnation(0), subTopology: 0, task: taskIndex(1) };
export const DIRECTORY = 'app/0/0-1';

export type Changes = readonly (readonly [key: string, value: string | null])[];

/** What Kafka would hold of one task: the last committed epoch record's reference, and what its state is. */
export class CommittedTruth {
  reference: SnapshotReference | undefined;
  readonly state = new Map<string, string>();
  offset = 0;
}

/** An owner of a task's store, which commits by hand what a task would: take, (the transaction), apply. */
export class SnapshotOwner {
  private constructor(
    readonly truth: CommittedTruth,
    readonly store: StateStore,
    readonly backend: StateBackend,
  ) {}

  /** Claims, and restores what is committed. */
  static async start(place: InMemorySnapshots, truth: CommittedTruth, options: { readonly retained?: number; readonly clock?: Clock } = {}): Promise<SnapshotOwner> {
    const { retained, clock = CLOCK } = options;
    const backend = await snapshotting(place.connect({ clock }), { retained, clock }).open(1);
    await backend.beforeClaim!(SCOPE);
    const store = await backend.open(SCOPE);
    const owner = new SnapshotOwner(truth, store, backend);
    if (truth.reference === undefined) return owner;
    await owner.#apply([]); // the changelog, with its epoch record
    await store.snapshots!.load(truth.reference, () => true);
    return owner;
  }

  /** Up to the transaction: taken, and not committed. */
  take(changes: Changes): Promise<SnapshotReference> {
    return this.store.snapshots!.take(columnsOf(changes));
  }

  /** The transaction of a taken epoch has been committed; the owner may not know it. */
  commitTaken(changes: Changes, reference: SnapshotReference): void {
    this.truth.reference = reference;
    this.truth.offset++;
    for (const [key, value] of changes) {
      if (value === null) this.truth.state.delete(key);
      else this.truth.state.set(key, value);
    }
  }

  async commit(changes: Changes): Promise<SnapshotReference> {
    const reference = await this.take(changes);
    this.commitTaken(changes, reference);
    await this.#apply(changes);
    return reference;
  }

  #apply(changes: Changes): Promise<void> {
    return this.store.apply(columnsOf(changes), { offset: offset(this.truth.offset), topicId: 'log', leaderEpoch: 0, writtenAt: 0 });
  }

  /** Housekeeping has come to its end. */
  async settled(): Promise<void> {
    await CLOCK.advance(1_000);
  }

  get state(): Record<string, string> {
    return Object.fromEntries([...this.store.scan(Buffer.alloc(0))].map(({ key, value }) => [String(key), String(value)]));
  }

  async end(): Promise<void> {
    await this.backend.close();
  }
}

/** One for all owners of a spec: ids never repeat, as in the world. */
export const CLOCK = new ManualClock();

function columnsOf(changes: Changes): RecordWriter['columns'] {
  const writer = new RecordWriter();
  for (const [key, value] of changes) writer.add(0, Buffer.from(key), value === null ? null : Buffer.from(value));
  return writer.columns;
}

/** Files in the task's directory, without its name and the ids of writers: "0.base". */
export const filesOf = (place: InMemorySnapshots): string[] => place.names().map((name) => name.slice(DIRECTORY.length + 1)).sort();
export const shortNames = (names: readonly string[]): string[] => names.map((name) => name.slice(name.indexOf('-') + 1));
