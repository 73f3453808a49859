import { incarnation, type RecordColumns, type StateBackend, type StateBackendFactory, type StateSnapshots, type StateStore, type StorePosition, type StoreScope, taskIndex } from '@weir/core';
import type { ManualClock } from '../manual-clock.js';

/**
 * A backend whose stores were opened beforehand: opening takes real time, which a job on a simulated clock does not have. It dies with the
 * simulated process: `crash` lets go of the stores, and what a dead process still writes never reaches them.
 *
 *   prepare (a new process) --> the job opens and uses stores --> crash
 */
export class PreparedBackend {
  #current: { readonly backend: StateBackend; readonly stores: readonly PreparedStore[] } | undefined;

  constructor(
    private readonly factory: StateBackendFactory,
    private readonly tasks: number,
    /** Stands still while a snapshot is taken or loaded. */
    private readonly clock: ManualClock,
  ) {}

  /** @param applicationId of the one sub-topology's tasks */
  async prepare(applicationId: string): Promise<void> {
    const backend = await this.factory.open(this.tasks);
    const stores: PreparedStore[] = [];
    for (let task = 0; task < this.tasks; task++) {
      const scope = { applicationId, incarnation: incarnation(0), subTopology: 0, task: taskIndex(task) };
      await backend.beforeClaim?.(scope);
      stores.push(new PreparedStore(await backend.open(scope), this.clock));
    }
    this.#current = { backend, stores };
  }

  /** What the job is given. */
  forJob(): StateBackendFactory {
    const { stores } = this.#current!;
    const { kind } = this.factory;
    const open = async ({ task }: StoreScope): Promise<StateStore> => stores[task]!;
    const destroy = async (): Promise<void> => {
      throw new Error('A prepared store is not rebuilt: the suite does not damage any.');
    };
    return { kind, open: async () => ({ kind, open, destroy, close: async () => undefined }) };
  }

  /** What each store holds now, by the bytes of keys as latin1. */
  contents(): Map<string, Buffer>[] {
    return this.#current!.stores.map((store) => new Map([...store.scan(Buffer.alloc(0))].map(({ key, value }) => [key.toString('latin1'), value])));
  }

  async crash(): Promise<void> {
    if (this.#current === undefined) return;
    for (const store of this.#current.stores) await store.die();
    await this.#current.backend.close();
    this.#current = undefined;
  }
}

class PreparedStore implements StateStore {
  #alive = true;

  readonly snapshots?: StateSnapshots;

  constructor(
    private readonly store: StateStore,
    clock: ManualClock,
  ) {
    const { snapshots } = store;
    if (snapshots === undefined) return;
    const whileAlive = <T>(act: () => Promise<T>): Promise<T> => (this.#alive ? clock.during(act()) : new Promise(() => undefined));
    this.snapshots = {
      take: (changes) => whileAlive(() => snapshots.take(changes)),
      load: (reference, goOn) => whileAlive(() => snapshots.load(reference, goOn)),
    };
  }

  get position(): StorePosition | undefined {
    return this.store.position;
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.store.get(key);
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    return this.store.getMany(keys);
  }

  scan(prefix: Uint8Array): ReturnType<StateStore['scan']> {
    return this.store.scan(prefix);
  }

  apply(changes: RecordColumns, position: StorePosition): Promise<void> {
    return this.#alive ? this.store.apply(changes, position) : new Promise(() => undefined);
  }

  approximateSize(): number {
    return this.#alive ? this.store.approximateSize() : 0;
  }

  /** Left open for `die`: closing takes real time too. */
  async close(): Promise<void> {
    return Promise.resolve();
  }

  async die(): Promise<void> {
    this.#alive = false;
    await this.store.close();
  }
}
