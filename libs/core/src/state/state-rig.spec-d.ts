import { float64, json, utf8 } from '../codec/primitives.js';
import { epoch, offset } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import type { StateStore } from '../ports/state-backend.js';
import { aggregatingState, listState, mapState, reducingState, type Ttl, valueState } from './descriptors.js';
import { KeyTable } from './key-table.js';
import { KeyedStateRegistry } from './keyed-state-registry.js';

export const average = {
  createAccumulator: () => ({ sum: 0, count: 0 }),
  add: (value: number, { sum, count }: { sum: number; count: number }) => ({ sum: sum + value, count: count + 1 }),
  getResult: ({ sum, count }: { sum: number; count: number }) => sum / count,
  merge: (a: { sum: number; count: number }, b: { sum: number; count: number }) => ({ sum: a.sum + b.sum, count: a.count + b.count }),
};

export interface StateRigOptions {
  readonly limit?: number;
  readonly ttl?: Ttl | undefined;
  readonly sequence?: number;
  readonly now?: number;
}

/** A table with one state of each kind over a store, and what a task does with them. One key group in four, so that sweeps are short. */
export class StateRig {
  readonly table: KeyTable<string>;
  readonly handles;
  readonly registry: KeyedStateRegistry;
  readonly changes = new RecordWriter();
  now: number;
  #epoch = 0;

  constructor(
    readonly store: StateStore,
    { limit = 100, ttl, sequence = 0, now = 1_000_000 }: StateRigOptions = {},
  ) {
    this.now = now;
    this.table = new KeyTable<string>({ codec: utf8, maxParallelism: 4, limit, wallTime: () => this.now });
    this.table.sequence.next = sequence;
    this.registry = new KeyedStateRegistry('op', this.table, new Map());
    const options = ttl === undefined ? {} : { ttl };
    this.handles = {
      value: this.registry.state(valueState('value', float64, options)),
      list: this.registry.state(listState('list', float64, options)),
      map: this.registry.state(mapState('map', utf8, float64, options)),
      reducing: this.registry.state(reducingState('reducing', float64, (a, b) => a + b, options)),
      aggregating: this.registry.state(aggregatingState('aggregating', json<{ sum: number; count: number }>(), average, options)),
    };
    this.registry.seal();
  }

  /** One record of a key. */
  on<R>(key: string, run: (handles: StateRig['handles']) => R): R {
    const entry = this.table.resolve(key);
    this.table.loadMissing(this.store);
    this.table.current = entry;
    try {
      return run(this.handles);
    } finally {
      this.table.current = undefined;
      this.table.evict();
    }
  }

  freeze(): void {
    this.changes.clear();
    this.table.freeze(epoch(++this.#epoch), this.changes, this.now);
  }

  /** The frozen changes reach the store; the table has yet to be told. */
  async storeFrozen(at: number): Promise<void> {
    await this.store.apply(this.changes.columns, { offset: offset(at), topicId: 't', leaderEpoch: 0, writtenAt: this.now });
  }

  applied(): void {
    this.table.applied(epoch(this.#epoch));
  }

  #commits = 0;
  /** A whole commit. @returns its rows */
  async commit(): Promise<number> {
    this.freeze();
    await this.storeFrozen((this.store.position?.offset ?? 0) + 1 + this.#commits++);
    this.applied();
    return this.changes.count;
  }
}
