import { describe, expect, it } from '@jest/globals';
import { float64, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { mapState, type Ttl, valueState } from './descriptors.js';
import { FakeStore } from './fake-store.spec-d.js';
import { KeyTable } from './key-table.js';
import { KeyedStateRegistry } from './keyed-state-registry.js';
import { StateRig, type StateRigOptions } from './state-rig.spec-d.js';
import { storedValueTime } from './stored-value.js';

const TTL: Ttl = { ms: 1_000 };
const ON_READ: Ttl = { ms: 1_000, update: 'onReadAndWrite' };

const rigOf = (store: FakeStore, options: StateRigOptions = {}): StateRig => new StateRig(store, { ttl: TTL, ...options });
const fill = (rig: StateRig, key: string): void =>
  rig.on(key, ({ value, list, map, reducing, aggregating }) => {
    value.update(1);
    list.add(1);
    map.put('u', 1);
    reducing.add(1);
    aggregating.add(1);
  });
const read = (rig: StateRig, key: string): unknown =>
  rig.on(key, ({ value, list, map, reducing, aggregating }) => [value.value(), list.get(), map.get('u'), map.has('u'), map.isEmpty(), reducing.get(), aggregating.get()]);
const THERE = [1, [1], 1, true, false, 1, 1];
const GONE = [undefined, [], undefined, false, true, undefined, undefined];
const times = (store: FakeStore): number[] => [...store.entries.values()].map((value) => storedValueTime(value, 0));

describe('a time to live', () => {
  it.each([
    ['in the table', async (_: StateRig) => undefined],
    ['in the store', async (rig: StateRig) => void (await rig.commit())],
  ])('ends what was not updated for so long, in every kind of state: %s', async (_, settle) => {
    const rig = rigOf(new FakeStore());
    fill(rig, 'k');
    await settle(rig);
    rig.now += 999;
    expect(read(rig, 'k')).toEqual(THERE);
    rig.now += 1;
    expect(read(rig, 'k')).toEqual(GONE);
  });

  it('is prolonged by writing, and by reading only where that counts as an update', async () => {
    for (const [ttl, after] of [
      [TTL, GONE],
      [ON_READ, THERE],
    ] as const) {
      const rig = rigOf(new FakeStore(), { ttl });
      fill(rig, 'k');
      await rig.commit();
      rig.now += 900;
      read(rig, 'k');
      await rig.commit();
      rig.now += 900;
      expect(read(rig, 'k')).toEqual(after);
    }
  });

  it('holds for each element and entry by itself', async () => {
    const rig = rigOf(new FakeStore());
    rig.on('k', ({ list, map }) => (list.add(1), map.put('a', 1)));
    rig.now += 600;
    rig.on('k', ({ list, map }) => (list.add(2), map.put('b', 2)));
    await rig.commit();
    rig.now += 600;
    expect(rig.on('k', ({ list, map }) => [list.get(), [...map.keys()]])).toEqual([[2], ['b']]);
  });

  it('does not begin again when the wall clock is set back', () => {
    const rig = rigOf(new FakeStore());
    fill(rig, 'k');
    rig.now += 1_000;
    expect(read(rig, 'k')).toEqual(GONE);
    fill(rig, 'other');
    rig.now -= 500;
    expect(read(rig, 'k')).toEqual(GONE);
  });

  it('gives the default for a value that has expired', () => {
    let now = 0;
    const table = new KeyTable<string>({ codec: utf8, maxParallelism: 4, limit: 9, wallTime: () => now });
    const state = new KeyedStateRegistry('op', table, new Map()).state(valueState('v', float64, { default: 7, ttl: TTL }));
    table.current = table.resolve('k');
    state.update(1);
    expect(state.value()).toBe(1);
    now += 1_000;
    expect(state.value()).toBe(7);
  });

  it.each([0, -1, Number.NaN, Infinity, '5'])('of %p milliseconds is refused', (ms) => {
    const table = new KeyTable<string>({ codec: utf8, maxParallelism: 4, limit: 9 });
    const registry = new KeyedStateRegistry('op', table, new Map());
    const thrown = thrownBy(() => registry.state(mapState('m', utf8, float64, { ttl: { ms: ms as number } })));
    expect([thrown.code, thrown.kind]).toEqual(['STATE_REGISTRATION', 'invalid']);
  });
});

describe('the sweep', () => {
  it('removes what nobody reads any more, with tombstones', async () => {
    const store = new FakeStore();
    const rig = rigOf(store);
    for (let i = 0; i < 20; i++) fill(rig, `k${i}`);
    await rig.commit();
    expect(store.entries.size).toBe(100);
    rig.now += 1_000;
    expect(await rig.commit()).toBe(100);
    expect(rig.changes.columns.value(0)).toBeNull();
    expect(store.entries.size).toBe(0);
    rig.now += 1_000;
    expect(await rig.commit()).toBe(0);
  });

  it('looks at a bounded number with each commit, and goes on where it was', async () => {
    const store = new FakeStore();
    const rig = rigOf(store);
    for (let i = 0; i < 3_000; i++) rig.on(`k${i}`, ({ map }) => map.put('u', 1));
    await rig.commit();
    rig.now += 1_000;
    const removed: number[] = [];
    for (let i = 0; i < 5; i++) removed.push(await rig.commit());
    expect(Math.max(...removed)).toBeLessThanOrEqual(1_000);
    expect([removed.reduce((sum, n) => sum + n), store.entries.size]).toEqual([3_000, 0]);
  });

  it('rests between two rounds for a part of the time to live', async () => {
    const store = new FakeStore();
    const rig = rigOf(store);
    rig.now += 10_000;
    let scans = 0;
    const scan = store.scan.bind(store);
    store.scan = (prefix) => (scans++, scan(prefix));
    fill(rig, 'k');
    await rig.commit();
    const first = scans;
    for (let i = 0; i < 10; i++) {
      rig.now += 20;
      await rig.commit();
    }
    expect([first, scans]).toEqual([20, 20]); // five states in four key groups
    rig.now += 50;
    await rig.commit();
    expect(scans).toBe(40);
  });

  it('leaves alone what was refreshed in the same flush, and writes no row twice (trap 9)', async () => {
    for (const cached of [true, false]) {
      const store = new FakeStore();
      let rig = rigOf(store);
      fill(rig, 'k');
      await rig.commit();
      if (!cached) rig = rigOf(store, { sequence: 1, now: rig.now });
      rig.now += 1_000;
      rig.on('k', ({ value, map, reducing, aggregating }) => {
        value.update(1);
        map.put('u', 1);
        reducing.add(1);
        aggregating.add(1);
      });
      await rig.commit();
      const keys = Array.from({ length: rig.changes.count }, (_, i) => rig.changes.columns.key(i)!.toString('hex'));
      expect(keys).toHaveLength(5); // four updates, and the list's element is gone
      expect(new Set(keys).size).toBe(5);
      expect(store.entries.size).toBe(4);
      expect(read(rigOf(store, { now: rig.now }), 'k')).toEqual([1, [], 1, true, false, 1, 1]);
    }
  });

  it('leaves alone what was refreshed while its scan was under way (T2)', async () => {
    const store = new FakeStore();
    const rig = rigOf(store);
    const userKeys = Array.from({ length: 3_500 }, (_, i) => `u${i + 1_000}`);
    rig.on('k', ({ map }) => map.putAll(userKeys.map((key) => [key, 1] as const)));
    await rig.commit();
    const scan = store.scan.bind(store);
    store.scan = (prefix) => [...scan(prefix)][Symbol.iterator](); // shows what was there when it began
    rig.now += 1_000;
    await rig.commit();
    rig.on('k', ({ map }) => map.put(userKeys.at(-1)!, 2));
    for (let i = 0; i < 6; i++) await rig.commit();
    expect(store.entries.size).toBe(1);
    expect(rig.on('k', ({ map }) => [...map.entries()])).toEqual([[userKeys.at(-1), 2]]);
  });

  it('drops for good: a restore of what is left shows nothing', async () => {
    const store = new FakeStore();
    const rig = rigOf(store);
    fill(rig, 'k');
    await rig.commit();
    rig.now += 1_000;
    expect(read(rigOf(store, { now: rig.now }), 'k')).toEqual(GONE); // expired, and not swept yet
    await rig.commit();
    expect(store.entries.size).toBe(0);
  });
});

describe('switched on over existing state (trap 9)', () => {
  const existing = async (store: FakeStore): Promise<StateRig> => {
    const rig = new StateRig(store);
    for (const key of ['k', 'never-read']) fill(rig, key);
    await rig.commit();
    return rig;
  };

  it('a time to live begins when the state is first seen, and is written then', async () => {
    const store = new FakeStore();
    const before = await existing(store);
    const rig = rigOf(store, { sequence: 9, now: before.now + 1_000_000 });
    expect(read(rig, 'k')).toEqual(THERE);
    expect(rig.table.pendingChanges).toBe(5);
    await rig.commit();
    expect(new Set(times(store))).toEqual(new Set([rig.now]));
    // Without the written time it would be new at every start.
    const again = rigOf(store, { sequence: 9, now: rig.now + 999 });
    expect(read(again, 'k')).toEqual(THERE);
    expect(read(rigOf(store, { now: rig.now + 1_000 }), 'k')).toEqual(GONE);
  });

  it('and what nobody reads begins when the sweep comes by, and goes with it', async () => {
    const store = new FakeStore();
    const before = await existing(store);
    const rig = rigOf(store, { now: before.now + 1_000_000 });
    rig.on('other', () => undefined);
    await rig.commit();
    expect(new Set(times(store))).toEqual(new Set([rig.now]));
    rig.now += 1_000;
    await rig.commit();
    expect(store.entries.size).toBe(0);
  });

  it('and switched off again it ends nothing', async () => {
    const store = new FakeStore();
    const rig = rigOf(store);
    fill(rig, 'k');
    await rig.commit();
    expect(read(new StateRig(store, { now: rig.now + 1_000_000 }), 'k')).toEqual(THERE);
  });
});
