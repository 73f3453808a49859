import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bytes, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { RecordWriter } from '../model/record-columns.js';
import { FakeStore } from './fake-store.spec-d.js';
import { KeyTable } from './key-table.js';
import { KeyedTimers } from './timer-service.js';

const MAX_PARALLELISM = 8;

/** The timers of an operator, on a store that outlives them. */
class Rig {
  readonly store: FakeStore;
  readonly table = new KeyTable<string>({ codec: utf8, maxParallelism: MAX_PARALLELISM, limit: 10 });
  readonly timers: KeyedTimers;

  constructor(store = new FakeStore(), operator = 'alarm') {
    this.store = store;
    this.timers = new KeyedTimers(operator, this.table, MAX_PARALLELISM, () => 1_000);
    this.timers.load(store);
  }

  as(key: string, act: (timers: KeyedTimers) => void): this {
    this.table.current = this.table.resolve(key);
    act(this.timers);
    this.table.current = undefined;
    return this;
  }

  set(key: string, ...times: readonly number[]): this {
    return this.as(key, (timers) => times.forEach((at) => timers.registerProcessingTimeTimer(at)));
  }

  /** Rows written: a commit. */
  freeze(): number {
    const changes = new RecordWriter();
    this.timers.freeze(changes, 0);
    this.store.applyNow(changes.columns);
    return changes.count;
  }

  due(now: number, limit = 100): string[] {
    return this.timers.takeDue(now, limit).map(({ at, key }) => `${key.toString()}@${at}`);
  }
}

describe('timers', () => {
  it('are due in the order of their times, once their time has come, up to a limit', () => {
    const rig = new Rig().set('a', 30, 10).set('b', 20);
    expect(rig.timers.nextAt).toBe(10);
    expect(rig.due(9)).toEqual([]);
    expect(rig.due(30, 2)).toEqual(['a@10', 'b@20']);
    expect(rig.due(30)).toEqual(['a@30']);
    expect(rig.timers.nextAt).toBeUndefined();
  });

  it('are one per key and time (T1): setting again changes nothing, and may be done again once it fired', () => {
    const rig = new Rig().set('a', 10, 10).set('b', 10);
    expect(rig.timers.changes).toBe(2);
    expect(rig.due(10).sort()).toEqual(['a@10', 'b@10']);
    expect(rig.set('a', 10).due(10)).toEqual(['a@10']);
  });

  it('may be taken back, by their key alone', () => {
    const rig = new Rig().set('a', 10).set('b', 10);
    rig.as('a', (timers) => timers.deleteProcessingTimeTimer(10)).as('c', (timers) => timers.deleteProcessingTimeTimer(10));
    expect(rig.due(10)).toEqual(['b@10']);
  });

  it('tell the time, and refuse what is none', () => {
    const rig = new Rig();
    expect(rig.timers.currentProcessingTime()).toBe(1_000);
    for (const at of [Number.NaN, Infinity, -1]) expect(() => rig.set('a', at)).toThrow(RangeError);
  });

  it.each([
    ['registerProcessingTimeTimer', (timers: KeyedTimers) => timers.registerProcessingTimeTimer(1)],
    ['deleteProcessingTimeTimer', (timers: KeyedTimers) => timers.deleteProcessingTimeTimer(1)],
  ])('refuse %s while there is no key', (_, act) => {
    const thrown = thrownBy(() => act(new Rig().timers));
    expect([thrown.code, thrown.kind]).toEqual(['STATE_OUTSIDE_KEY', 'invalid']);
    expect(thrown.message).toContain('State timers of operator alarm');
  });

  it('come back from the store; what fired or was taken back before the commit does not (T2)', () => {
    const rig = new Rig().set('a', 10, 20, 30);
    expect(rig.freeze()).toBe(3);
    rig.due(10);
    rig.as('a', (timers) => timers.deleteProcessingTimeTimer(20));
    expect(new Rig(rig.store).due(100)).toEqual(['a@10', 'a@20', 'a@30']); // not committed yet
    expect(rig.freeze()).toBe(2);
    expect(new Rig(rig.store).due(100)).toEqual(['a@30']);
    expect(rig.freeze()).toBe(0);
  });

  it('that were set and fired within one epoch leave nothing in the store', () => {
    const rig = new Rig().set('a', 10);
    rig.due(10);
    rig.freeze();
    expect(rig.store.entries.size).toBe(0);
  });

  it('are those of their operator', () => {
    const rig = new Rig().set('a', 10);
    rig.freeze();
    expect(new Rig(rig.store, 'other').timers.nextAt).toBeUndefined();
  });

  it('keep keys of every sort and length apart', () => {
    const store = new FakeStore();
    const make = (): { table: KeyTable<Uint8Array>; timers: KeyedTimers } => {
      const table = new KeyTable<Uint8Array>({ codec: bytes, maxParallelism: MAX_PARALLELISM, limit: 10 });
      const timers = new KeyedTimers('alarm', table, MAX_PARALLELISM, () => 0);
      timers.load(store);
      return { table, timers };
    };
    const keys = ['', '00', '00000000', 'fffe8001', 'ff'.repeat(200), '80'.repeat(20_000)].map((hex) => Buffer.from(hex, 'hex'));
    const { table, timers } = make();
    keys.forEach((key, i) => {
      table.current = table.resolve(key);
      timers.registerProcessingTimeTimer(i);
    });
    const changes = new RecordWriter();
    timers.freeze(changes, 0);
    store.applyNow(changes.columns);
    expect(make().timers.takeDue(100, 100).map(({ at, key }) => [at, key.toString('hex')])).toEqual(keys.map((key, i) => [i, key.toString('hex')]));
  });

  it('are those of a plain set of key and time, whatever is set, taken back, fired, committed and restored', () => {
    const step = fc.oneof(
      fc.record({ act: fc.constantFrom('set' as const, 'delete' as const), key: fc.constantFrom('a', 'b', 'cc'), at: fc.nat(20) }),
      fc.record({ act: fc.constant('fire' as const), at: fc.nat(20) }),
      fc.record({ act: fc.constantFrom('commit' as const, 'crash' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let rig = new Rig();
        let live = new Set<string>();
        let committed = new Set<string>();
        for (const each of steps) {
          if (each.act === 'set') live.add(`${each.key}@${(rig.set(each.key, each.at), each.at)}`);
          else if (each.act === 'delete') live.delete(`${each.key}@${(rig.as(each.key, (timers) => timers.deleteProcessingTimeTimer(each.at)), each.at)}`);
          else if (each.act === 'fire') {
            const due = [...live].filter((name) => Number(name.split('@')[1]) <= each.at).sort();
            expect(rig.due(each.at).sort()).toEqual(due);
            for (const name of due) live.delete(name);
          } else if (each.act === 'commit') {
            rig.freeze();
            committed = new Set(live);
          } else {
            rig = new Rig(rig.store);
            live = new Set(committed);
          }
        }
        expect(rig.due(100).sort()).toEqual([...live].sort());
      }),
    );
  });
});
