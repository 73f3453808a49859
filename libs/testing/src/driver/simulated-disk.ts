import {
  type Clock,
  isWeirError,
  sleep,
  type StateBackend,
  type StateBackendFactory,
  type StateStore,
  type StorePosition,
  type StoreScope,
  type WeirError,
} from '@weir/core';
import { type StoreAct, errors } from '../errors.js';
import { SimulatedStore, StoreFile, type StoreOwner } from './simulated-disk-store.js';
import { never } from '../never.js';

/**
 * SimulatedDisk: the local disk of a simulated machine, as a state backend. What was applied survives a crash of the process, with its
 * position, as RocksDB's files do. `connect` gives a process its view of it, which dies with the process.
 *
 *   SimulatedDisk --1:n-- DiskConnection (a process) --1:n-- DiskBackend --1:n-- SimulatedStore --n:1-- StoreFile (on the disk)
 *
 *   apply:  the caller --> checks --> (planned failure) --> data and position, in one step (S1)
 *
 * It owns the files, their names, their locks and the plan of failures. What lies in a file, and how it is read and
 * written, is the store's (simulated-disk-store.ts).
 *
 * Invariants:
 * - D1. A dead process changes nothing: not the data, not a lock. None of its promises settles any more, those of calls from before its
 *       death included.
 * - D2. What a process had open is free once it is dead.
 * - D3. What is open goes on when its file is removed or replaced, without a place on the disk: as an unlinked file does on Unix.
 */
export class SimulatedDisk {
  readonly #files = new Map<string, StoreFile>();
  #failure: { readonly error: Error; writesBefore: number } | undefined;

  /**
   * The disk as one process sees it.
   * @param clock by which an opener waits for a store that another has open, up to 300 ms; without one it is refused at once
   */
  connect(clock?: Clock): DiskConnection {
    return new DiskConnection(this.#files, clock, (store) => this.#beforeWrite(store));
  }

  /** Loses everything: the machine was replaced, or somebody deleted the directory. D3 holds for what is open. */
  wipe(): void {
    this.#files.clear();
  }

  /**
   * The next batch, after `skip` more, fails and is not written: a full disk. Its store has failed then, until it is opened anew (S7).
   * @param error comes out as it is if it is a WeirError, else as the cause of a `restart-task` STATE_WRITE_FAILED
   */
  failApply(error: Error, skip = 0): void {
    this.#failure = { error, writesBefore: skip };
  }

  /** Positions of all stores, by `sub-topology-task`; by `application/incarnation/sub-topology-task` where several share that name. */
  positions(): ReadonlyMap<string, StorePosition | undefined> {
    const names = [...this.#files.keys()].map(shortName);
    return new Map(
      [...this.#files].map(([name, { position }]) => {
        const short = shortName(name);
        return [names.filter((other) => other === short).length === 1 ? short : name, position];
      }),
    );
  }

  /**
   * Entries of a store, by their key's bytes as latin1. A copy; empty if there is no such store.
   * @param name as `positions` has it; the long form always does
   * @throws WeirError `invalid` DISK_NAME_AMBIGUOUS
   */
  entries(name: string): ReadonlyMap<string, Buffer> {
    const found = [...this.#files.values()].filter((file) => file.name === name || shortName(file.name) === name);
    if (found.length > 1) throw errors.diskNameAmbiguous({ name, stores: found.map((file) => file.name).join(', ') });
    return new Map(found.flatMap((file) => copyOf(file)));
  }

  /** A copy of what the disk holds now, to be put back with `restoreImage`: an unclean copy, a stale volume. */
  image(): DiskImage {
    return new Map([...this.#files].map(([name, file]) => [name, { entries: new Map(copyOf(file)), position: file.position }]));
  }

  /** Replaces all that the disk holds. D3 holds for what is open. */
  restoreImage(image: DiskImage): void {
    this.#files.clear();
    for (const [name, { entries, position }] of image) {
      const file = new StoreFile(name);
      for (const [key, value] of entries) file.entries.set(key, Buffer.from(value));
      file.position = position;
      this.#files.set(name, file);
    }
  }

  #beforeWrite(store: string): void {
    if (this.#failure === undefined || this.#failure.writesBefore-- > 0) return;
    const { error } = this.#failure;
    this.#failure = undefined;
    throw isWeirError(error) ? error : errors.stateWriteFailed({ store, found: error.message }, error);
  }
}

/** By `application/incarnation/sub-topology-task`. */
export type DiskImage = ReadonlyMap<string, StoreImage>;

export interface StoreImage {
  /** By their key's bytes as latin1. */
  readonly entries: ReadonlyMap<string, Buffer>;
  readonly position: StorePosition | undefined;
}

/** The disk as one process sees it, while it lives. */
export class DiskConnection implements StateBackendFactory {
  readonly kind = 'rocksdb';
  #alive = true;

  constructor(
    private readonly files: Map<string, StoreFile>,
    private readonly clock: Clock | undefined,
    readonly beforeWrite: (store: string) => void,
  ) {}

  /** The process died: nothing it does reaches the disk any more (D1), and what it had open is free (D2). */
  kill(): void {
    this.#alive = false;
    for (const file of this.files.values()) if (file.opener === this) file.opener = undefined;
  }

  open(maxStores: number): Promise<StateBackend> {
    return this.run(async () => new DiskBackend(this, this.files, maxStores));
  }

  /** Does `act`, unless the process is dead, and tells its outcome, if the process lives to hear of it (D1). */
  run<T>(act: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#alive) return;
      act().then(
        (value) => {
          if (this.#alive) resolve(value);
        },
        (cause: Error) => {
          if (this.#alive) reject(cause);
        },
      );
    });
  }

  /**
   * Calls `attempt` until it no longer answers undefined, which says that another opener holds the lock (S5). It is never called
   * for a dead process (D1).
   * @throws WeirError `retry` STATE_LOCKED after LOCK_WAIT_MS; what `attempt` throws
   */
  async whenUnlocked<T>(act: StoreAct, store: string, attempt: () => T | undefined): Promise<T> {
    const { clock } = this;
    const waitMs = clock === undefined ? 0 : LOCK_WAIT_MS;
    const began = clock?.monotonic() ?? 0;
    for (;;) {
      const got = attempt();
      if (got !== undefined) return got;
      const left = waitMs - ((clock?.monotonic() ?? 0) - began);
      if (clock === undefined || left <= 0) throw errors.stateLocked({ act, store, waitedMs: waitMs });
      await sleep(clock, Math.min(LOCK_PAUSE_MS, left));
      if (!this.#alive) await never();
    }
  }
}

class DiskBackend implements StateBackend, StoreOwner {
  readonly kind = 'rocksdb';
  readonly #stores = new Set<SimulatedStore>();
  #closed = false;

  constructor(
    private readonly process: DiskConnection,
    private readonly files: Map<string, StoreFile>,
    private readonly maxStores: number,
  ) {}

  open(scope: StoreScope): Promise<StateStore> {
    return this.run(async () => {
      const name = storeName(scope);
      return this.process.whenUnlocked('opening', name, () => this.#tryOpen(name));
    });
  }

  /** Undefined if it is open already. */
  #tryOpen(name: string): SimulatedStore | undefined {
    if (this.#closed) throw errors.stateClosed({ act: 'opening', store: name });
    const file = this.files.get(name) ?? new StoreFile(name);
    if (file.opener !== undefined) return undefined;
    if (this.#stores.size >= this.maxStores) throw errors.stateTooManyStores({ store: name, maxStores: this.maxStores });
    this.files.set(name, file);
    file.opener = this.process;
    const store = new SimulatedStore(file, this);
    this.#stores.add(store);
    return store;
  }

  destroy(scope: StoreScope): Promise<void> {
    return this.run(async () => {
      const name = storeName(scope);
      if (this.files.get(name)?.opener === this.process) throw errors.stateStillOpen({ store: name });
      await this.process.whenUnlocked('destroying', name, () => {
        if (this.files.get(name)?.opener !== undefined) return undefined;
        this.files.delete(name);
        return true;
      });
    });
  }

  close(): Promise<void> {
    return this.run(async () => {
      this.#closed = true;
      await Promise.all([...this.#stores].map((store) => store.close()));
    });
  }

  // ---- what the stores ask of their process ----

  run<T>(act: () => Promise<T>): Promise<T> {
    return this.process.run(act);
  }

  beforeWrite(store: string): void {
    this.process.beforeWrite(store);
  }

  closed(store: SimulatedStore): void {
    this.#stores.delete(store);
    store.file.opener = undefined;
  }
}

/** How long a second opener of a store waits for the first: a store closes within one turn here, but its task may still be at it. */
const LOCK_WAIT_MS = 300;
const LOCK_PAUSE_MS = 25;

const APPLICATION_ID = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/;

/**
 * `application/incarnation/sub-topology-task`
 * @throws WeirError `invalid` STATE_SCOPE_INVALID for what a real disk could not have as the name of a directory, or takes for another
 */
function storeName({ applicationId, incarnation, subTopology, task }: StoreScope): string {
  if (!APPLICATION_ID.test(applicationId)) {
    throw scopeInvalid('applicationId', '1 to 100 of A-Z a-z 0-9 . _ -, neither "." nor ".."', applicationId);
  }
  for (const [part, value] of Object.entries({ incarnation, subTopology, task })) {
    if (!Number.isSafeInteger(value) || value < 0) throw scopeInvalid(part, 'a whole number from 0', value);
  }
  return `${applicationId}/${incarnation}/${subTopology}-${task}`;
}

const scopeInvalid = (part: string, expected: string, actual: unknown): WeirError =>
  errors.stateScopeInvalid({ part, expected, actual: typeof actual === 'string' ? JSON.stringify(actual) : String(actual) });

const shortName = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

const copyOf = ({ entries }: StoreFile): [string, Buffer][] => [...entries.snapshot()].map(([key, value]) => [key, Buffer.from(value)]);
