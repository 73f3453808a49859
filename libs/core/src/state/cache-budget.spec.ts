import { describe, expect, it } from '@jest/globals';
import { float64, utf8 } from '../codec/primitives.js';
import { epoch } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import { CacheBudget } from './cache-budget.js';
import { FakeStore } from './fake-store.spec-d.js';
import { KeyTable } from './key-table.js';

const LIMIT = 100_000;

/** A table whose values are texts of a length, on a share of a budget. */
class Table {
  readonly #store = new FakeStore();
  readonly #share;
  readonly table: KeyTable<string>;
  #epoch = 0;

  constructor(budget: CacheBudget, states = 1) {
    this.#share = budget.join();
    this.table = new KeyTable<string>({ codec: utf8, maxParallelism: 128, limit: LIMIT, share: this.#share });
    this.table.declare({ stateId: 1, operator: 'op', name: 'text', codec: utf8 });
    if (states > 1) this.table.declare({ stateId: 2, operator: 'op', name: 'number', codec: float64 });
  }

  /** Each key gets a value, and the epoch is committed. */
  write(keys: number, bytes: number, prefix = 'k'): void {
    this.touch(keys, prefix, (entry) => this.table.write(entry, 0, 'v'.repeat(bytes)));
    this.commit();
  }

  touch(keys: number, prefix: string, run: (entry: ReturnType<KeyTable<string>['resolve']>) => void = () => undefined): void {
    const entries = Array.from({ length: keys }, (_, i) => this.table.resolve(`${prefix}${i}`));
    this.table.loadMissing(this.#store);
    entries.forEach(run);
    this.table.evict();
  }

  commit(): void {
    const changes = new RecordWriter();
    this.table.freeze(epoch(++this.#epoch), changes, 0);
    this.#store.applyNow(changes.columns);
    this.table.applied(epoch(this.#epoch));
    this.table.evict();
  }

  leave(): void {
    this.#share.leave();
    this.#share.leave();
  }
}

describe('the budget of heap', () => {
  it('is shared evenly among the tables that are there', () => {
    const budget = new CacheBudget(3_000);
    const [one, two] = [budget.join(), budget.join()];
    expect([one.bytes(), two.bytes()]).toEqual([1_500, 1_500]);
    two.leave();
    two.leave();
    expect(one.bytes()).toBe(3_000);
  });

  it('is kept whatever the size of values: large ones leave room for fewer keys', () => {
    const sizes = [10, 1_000, 10_000].map((bytes) => {
      const one = new Table(new CacheBudget(1_000_000));
      for (let round = 0; round < 4; round++) one.write(1_000, bytes, `${round}-`);
      expect(one.table.weight).toBeLessThanOrEqual(1_000_000);
      return one.table.size;
    });
    expect(sizes[0]).toBeGreaterThan(2_000);
    expect([sizes[1]! < 500, sizes[1]! > 300]).toEqual([true, true]);
    expect([sizes[2]! < 50, sizes[2]! > 30]).toEqual([true, true]);
  });

  it('counts values that come from the store, too', () => {
    const one = new Table(new CacheBudget(1_000_000));
    one.write(1_000, 1_000);
    one.touch(1_000, 'k');
    expect(one.table.weight).toBeLessThanOrEqual(1_000_000);
    expect(one.table.size).toBeGreaterThan(300);
  });

  it('never drops what is not in the store yet', () => {
    const one = new Table(new CacheBudget(100_000));
    one.touch(1_000, 'k', (entry) => one.table.write(entry, 0, 'v'.repeat(1_000)));
    expect(one.table.size).toBe(1_000);
    one.commit();
    expect(one.table.weight).toBeLessThanOrEqual(100_000);
  });

  it('makes room for a table that comes', () => {
    const budget = new CacheBudget(1_000_000);
    const one = new Table(budget);
    one.write(1_000, 1_000);
    const alone = one.table.size;
    const other = new Table(budget);
    one.touch(0, 'k');
    expect(one.table.size).toBeLessThanOrEqual(Math.ceil(alone / 2));
    other.leave();
    expect(one.table.affordable).toBeGreaterThan(alone - 2);
  });

  it('weighs a key by all its states, also where one of them has changed', () => {
    const one = new Table(new CacheBudget(1_000_000), 2);
    one.write(1, 1_000);
    const heavy = one.table.weight;
    one.touch(1, 'k', (entry) => one.table.write(entry, 1, 7));
    one.commit();
    expect(one.table.weight).toBe(heavy);
  });

  it('weighs nothing once every entry is gone', () => {
    const one = new Table(new CacheBudget(1));
    one.write(10, 100);
    expect([one.table.size, one.table.weight]).toEqual([0, 0]);
  });
});
