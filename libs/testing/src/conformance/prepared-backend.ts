import { incarnation, type RecordColumns, type StateBackend, type StateBackendFactory, type StateStore, type StorePosition, type StoreScope, taskIndex } from '@weir/core';

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
  ) {}

  /** @param applicationId of the one sub-topology's tasks */
  async prepare(applicationId: string): Promise<void> {
    const backend = await this.factory.open(this.tasks);
    const stores: PreparedStore[] = [];
    for (let task = 0; task < this.tasks; task++) {
      stores.push(new PreparedStore(await backend.open({ applicationId, incarnation: incarnation(0), subTopology: 0, task: taskIndex(task) })));
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

  async crash(): Promise<void> {
    if (this.#current === undefined) return;
    for (const store of this.#current.stores) await store.die();
    await this.#current.backend.close();
    this.#current = undefined;
  }
}

class PreparedStore implements StateStore {
  #alive = true;

  constructor(private readonly store: StateStore) {}

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
