import {
  type RecordColumns,
  type StateBackend,
  type StateBackendFactory,
  type StateEntry,
  type StateStore,
  type StorePosition,
  type StoreScope,
} from '@weir/core';

/**
 * SimulatedDisk: the local disk of a simulated machine, as a state backend. What was applied survives a crash of the process, with its
 * position, as RocksDB's files do. `connect` gives a process its view of it, which dies with the process: a dead process writes nothing.
 *
 *   apply:  the caller --> (fault point) --> data and position, in one step (S1)
 */
export class SimulatedDisk {
  readonly #files = new Map<string, StoreFile>();
  #applies = 0;
  #failAt: { readonly apply: number; readonly error: Error } | undefined;

  /** The disk as one process sees it. */
  connect(): DiskConnection {
    return new DiskConnection(this.#files, () => this.#nextApply());
  }

  /** Loses everything: the machine was replaced, or somebody deleted the directory. */
  wipe(): void {
    this.#files.clear();
  }

  /** The next apply after `skip` more fails with `error`, and writes nothing: a full disk. */
  failApply(error: Error, skip = 0): void {
    this.#failAt = { apply: this.#applies + skip, error };
  }

  /** Positions of all stores, by `sub-topology-task`. */
  positions(): ReadonlyMap<string, StorePosition | undefined> {
    return new Map([...this.#files].map(([name, file]) => [name, file.position]));
  }

  /** A copy of what the disk holds now, to be put back with `restoreImage`: an unclean copy, a stale volume. */
  image(): DiskImage {
    return new Map([...this.#files].map(([name, { entries, position }]) => [name, { entries: new Map(entries), position }]));
  }

  restoreImage(image: DiskImage): void {
    this.#files.clear();
    for (const [name, { entries, position }] of image) this.#files.set(name, { entries: new Map(entries), position, opener: undefined });
  }

  /** Entries of a store, by their key's bytes as latin1. */
  entries(name: string): ReadonlyMap<string, Buffer> {
    return this.#files.get(name)?.entries ?? new Map<string, Buffer>();
  }

  #nextApply(): void {
    const failure = this.#failAt;
    if (failure !== undefined && this.#applies++ === failure.apply) {
      this.#failAt = undefined;
      throw failure.error;
    }
  }
}

export type DiskImage = ReadonlyMap<string, { readonly entries: ReadonlyMap<string, Buffer>; readonly position: StorePosition | undefined }>;

interface StoreFile {
  readonly entries: Map<string, Buffer>;
  position: StorePosition | undefined;
  /** Who has it open. */
  opener: DiskConnection | undefined;
}

export class DiskConnection implements StateBackendFactory, StateBackend {
  readonly kind = 'rocksdb';
  #alive = true;

  constructor(
    private readonly files: Map<string, StoreFile>,
    private readonly onApply: () => void,
  ) {}

  /** The process died: nothing it does reaches the disk any more, and what it had open is free. */
  kill(): void {
    this.#alive = false;
    for (const file of this.files.values()) if (file.opener === this) file.opener = undefined;
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  open(_maxStores: number): Promise<StateBackend>;
  open(scope: StoreScope): Promise<StateStore>;
  open(what: number | StoreScope): Promise<StateBackend | StateStore> {
    return Promise.resolve(typeof what === 'number' ? this : this.#openStore(what));
  }

  #openStore(scope: StoreScope): StateStore {
    const name = `${scope.subTopology}-${scope.task}`;
    let file = this.files.get(name);
    if (file === undefined) {
      file = { entries: new Map(), position: undefined, opener: undefined };
      this.files.set(name, file);
    }
    if (file.opener !== undefined) throw new Error(`Store ${name} is open already`);
    file.opener = this;
    return new SimulatedStore(file, this, this.onApply);
  }

  destroy(scope: StoreScope): Promise<void> {
    this.files.delete(`${scope.subTopology}-${scope.task}`);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class SimulatedStore implements StateStore {
  constructor(
    private readonly file: StoreFile,
    private readonly connection: DiskConnection,
    private readonly onApply: () => void,
  ) {}

  get position(): StorePosition | undefined {
    return this.file.position;
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.file.entries.get(nameOf(key));
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  *scan(prefix: Uint8Array): IterableIterator<StateEntry> {
    const start = nameOf(prefix);
    const found = [...this.file.entries].filter(([key]) => key.startsWith(start)).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of found) yield { key: Buffer.from(key, 'latin1'), value };
  }

  async apply(changes: RecordColumns, position: StorePosition): Promise<void> {
    if (!this.connection.isAlive) return new Promise(() => undefined);
    this.onApply();
    for (let row = 0; row < changes.count; row++) {
      const key = nameOf(changes.key(row)!);
      const value = changes.value(row);
      if (value === null) this.file.entries.delete(key);
      else this.file.entries.set(key, Buffer.from(value));
    }
    this.file.position = position;
    return Promise.resolve();
  }

  approximateSize(): number {
    let bytes = 0;
    for (const [key, value] of this.file.entries) bytes += key.length + value.length;
    return bytes;
  }

  close(): Promise<void> {
    if (this.file.opener === this.connection) this.file.opener = undefined;
    return Promise.resolve();
  }
}

/** Bytes as text of the same order, one character a byte. */
const nameOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
