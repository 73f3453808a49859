import { RecordColumns } from '../model/record-columns.js';
import type { SnapshotReference, StateBackend, StateBackendKind, StateEntry, StateSnapshots, StateStore, StorePosition, StoreScope } from '../ports/state-backend.js';

/** A StateStore in a Map, which writes down how it was asked. */
export class FakeStore implements StateStore {
  readonly entries = new Map<string, Buffer>();
  position: StorePosition | undefined;
  /** Keys of each `getMany`, in hexadecimal. */
  readonly reads: string[][] = [];
  readonly applied: { readonly rows: number; readonly position: StorePosition }[] = [];
  closed = false;
  /** Set by `keepSnapshots`. */
  snapshots?: FakeSnapshots;

  keepSnapshots(): FakeSnapshots {
    return (this.snapshots = new FakeSnapshots(this));
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.entries.get(hex(key));
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    this.reads.push(keys.map(hex));
    return keys.map((key) => this.get(key));
  }

  *scan(prefix: Uint8Array): IterableIterator<StateEntry> {
    for (const [key, value] of [...this.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (key.startsWith(hex(prefix))) yield { key: Buffer.from(key, 'hex'), value };
    }
  }

  async apply(changes: RecordColumns, position: StorePosition): Promise<void> {
    this.applyNow(changes);
    this.position = position;
    this.applied.push({ rows: changes.count, position });
  }

  /** The rows alone: for specs that have no position. */
  applyNow(changes: RecordColumns): void {
    for (let row = 0; row < changes.count; row++) {
      const value = changes.value(row);
      if (value === null) this.entries.delete(hex(changes.key(row)!));
      else this.entries.set(hex(changes.key(row)!), Buffer.from(value));
    }
  }

  approximateSize(): number {
    return [...this.entries.values()].reduce((sum, value) => sum + value.length, 0);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Snapshots of a FakeStore: one file each, named by their number, with the rows taken. */
export class FakeSnapshots implements StateSnapshots {
  readonly taken: { readonly key: string; readonly value: string | null }[][] = [];
  /** Rows that `load` gives. */
  rows = new RecordColumns();
  /** Awaited by `take` before it is done. */
  before: () => Promise<void> | void = () => undefined;

  constructor(private readonly store: FakeStore) {}

  async take(changes: RecordColumns): Promise<SnapshotReference> {
    await this.before();
    this.taken.push(Array.from({ length: changes.count }, (_, row) => ({ key: String(changes.key(row)), value: changes.value(row)?.toString() ?? null })));
    return { backend: 'filesystem', files: this.taken.map((_, n) => `file-${n}`), kept: [], rows: this.taken.flat().length };
  }

  async load(_: SnapshotReference, goOn: (rows: number) => boolean): Promise<boolean> {
    this.store.applyNow(this.rows);
    return goOn(this.rows.count);
  }
}

/** A store per task, of which a spec may damage the first; writes down what becomes of them. */
export class FakeBackend implements StateBackend {
  kind: StateBackendKind = 'rocksdb';
  store = new FakeStore();
  readonly acts: string[] = [];
  /** Thrown by the next opens, one each. */
  readonly openFailures: Error[] = [];

  readonly #others = new Map<number, FakeStore>();
  #first: number | undefined;

  async open({ task }: Pick<StoreScope, 'task'>): Promise<FakeStore> {
    this.acts.push('open');
    const failure = this.openFailures.shift();
    if (failure !== undefined) throw failure;
    this.#first ??= task;
    const store = task === this.#first ? this.store : (this.#others.get(task) ?? new FakeStore());
    if (task !== this.#first) this.#others.set(task, store);
    store.closed = false;
    return store;
  }

  async destroy(): Promise<void> {
    this.acts.push('destroy');
    this.store = new FakeStore();
  }

  async close(): Promise<void> {
    this.acts.push('close');
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
