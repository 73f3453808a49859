import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { ByteWriter } from '../model/byte-writer.js';
import { keyGroupOf } from '../model/key-group.js';
import { FakeStore } from './fake-store.spec-d.js';
import { StateRig } from './state-rig.spec-d.js';
import { partsOfStoredKey, stateIdOf, writeStoredKey } from './stored-key.js';

/** A store that counts what it is asked. */
class CountingStore extends FakeStore {
  gets = 0;
  scans = 0;
  shown = 0;
  openScans = 0;

  override get(key: Uint8Array): Buffer | undefined {
    this.gets++;
    return super.get(key);
  }

  override getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    return keys.map((key) => super.get(key));
  }

  override *scan(prefix: Uint8Array): IterableIterator<{ key: Buffer; value: Buffer }> {
    this.scans++;
    this.openScans++;
    try {
      for (const entry of super.scan(prefix)) {
        this.shown++;
        yield entry;
      }
    } finally {
      this.openScans--;
    }
  }
}

const rowsOf = (rig: StateRig): [string, string | undefined][] =>
  Array.from({ length: rig.changes.count }, (_, i) => [rig.changes.columns.key(i)!.toString('hex'), rig.changes.columns.value(i)?.toString('hex')]);

const prefixOf = (state: string, key: string): string => {
  const out = new ByteWriter();
  const bytes = Buffer.from(key);
  writeStoredKey(out, keyGroupOf(bytes, 0, bytes.length, 4), stateIdOf('op', state), bytes);
  return out.copy().toString('hex');
};

describe('the entries of collections', () => {
  // These bytes are in changelogs and stores: none ever changes.
  it('have the stored keys that they always had: a sequence number for an element, the encoded user key for an entry of a map', async () => {
    const rig = new StateRig(new FakeStore(), { sequence: 2 ** 33 + 258 });
    rig.on('k', ({ list, map }) => {
      list.addAll([1, 2]);
      map.put('ü', 3);
    });
    await rig.commit();
    expect(rowsOf(rig)).toEqual([
      [`${prefixOf('list', 'k')}0000000200000102`, '003ff0000000000000'],
      [`${prefixOf('list', 'k')}0000000200000103`, '004000000000000000'],
      [`${prefixOf('map', 'k')}c3bc`, '004008000000000000'],
    ]);
    const parts = partsOfStoredKey(rig.changes.columns.key(2)!);
    expect(rig.changes.columns.key(2)!.subarray(parts.keyStart, parts.keyEnd).toString()).toBe('k');
    expect(rig.table.sequence.next).toBe(2 ** 33 + 260);
  });

  it('cost one row each for add and put, and nothing is read for them, however large the collection', async () => {
    const store = new CountingStore();
    const rig = new StateRig(store);
    rig.on('k', ({ list, map }) => {
      for (let i = 0; i < 500; i++) list.add(i);
      for (let i = 0; i < 500; i++) map.put(`u${i}`, i);
    });
    expect(await rig.commit()).toBe(1_000);
    rig.on('k', ({ list, map }) => {
      list.add(1);
      map.put('u7', 1);
      map.remove('nothing');
    });
    expect(await rig.commit()).toBe(3);
    expect([store.gets, store.scans]).toEqual([0, 0]);
  });

  it('are counted while they wait for their commit, a clear as one', () => {
    const rig = new StateRig(new FakeStore());
    const pending: number[] = [];
    rig.on('k', ({ list, map, value }) => {
      const note = (): unknown => pending.push(rig.table.pendingChanges);
      list.addAll([1, 2, 3]);
      note();
      map.put('a', 1);
      map.put('a', 2);
      value.update(1);
      value.update(2);
      note();
      list.clear();
      note();
      list.clear();
      list.add(1);
      note();
    });
    expect(pending).toEqual([3, 5, 3, 4]);
    rig.freeze();
    expect(rig.table.pendingChanges).toBe(0);
  });

  it('are removed by a clear with a tombstone each, but for those that were written again', async () => {
    const rig = new StateRig(new FakeStore());
    rig.on('k', ({ map }) => map.putAll([['a', 1], ['b', 2], ['c', 3]]));
    rig.on('other', ({ map }) => map.put('a', 1));
    await rig.commit();
    rig.on('k', ({ map }) => {
      map.clear();
      map.put('b', 9);
      map.put('d', 9);
      map.remove('d');
    });
    await rig.commit();
    const prefix = prefixOf('map', 'k');
    expect(rowsOf(rig)).toEqual([
      [`${prefix}61`, undefined],
      [`${prefix}63`, undefined],
      [`${prefix}62`, '004022000000000000'],
    ]);
    expect(rig.on('other', ({ map }) => [...map.entries()])).toEqual([['a', 1]]);
  });

  it('are found by their key alone, though another key begins like it', async () => {
    const rig = new StateRig(new FakeStore(), { limit: 1 });
    for (const key of ['a', 'ab', 'abc', '']) rig.on(key, ({ map, list }) => (map.put('bc', key.length), list.add(key.length)));
    await rig.commit();
    rig.on('x', () => undefined);
    for (const key of ['a', 'ab', 'abc', '']) expect(rig.on(key, ({ map, list }) => [[...map.entries()], list.get()])).toEqual([[['bc', key.length]], [key.length]]);
  });
});

describe('point reads of a map', () => {
  it('ask the store once for an entry, there or not, and are corrected by what is committed', async () => {
    const store = new CountingStore();
    const rig = new StateRig(store, { limit: 10 });
    rig.on('k', ({ map }) => map.put('a', 1));
    await rig.commit();
    const read = (): unknown => rig.on('k', ({ map }) => [map.get('a'), map.has('b')]);
    expect([read(), read(), store.gets]).toEqual([[1, false], [1, false], 2]);
    rig.on('k', ({ map }) => {
      map.remove('a');
      map.put('b', 1);
    });
    expect(read()).toEqual([undefined, true]);
    await rig.commit();
    expect([read(), store.gets]).toEqual([[undefined, true], 2]);
  });

  it('keep the cache within its bound, over all maps', async () => {
    const rig = new StateRig(new FakeStore(), { limit: 50 });
    for (let key = 0; key < 5; key++) {
      rig.on(`k${key}`, ({ map }) => {
        for (let i = 0; i < 300; i++) map.get(`u${i}`);
        expect(rig.table.cachedEntries).toBeLessThanOrEqual(100);
      });
      expect(rig.table.cachedEntries).toBeLessThanOrEqual(50);
    }
  });
});

describe('an iteration of a map', () => {
  const filled = async (store: FakeStore, entries: number): Promise<StateRig> => {
    const rig = new StateRig(store);
    rig.on('k', ({ map }) => map.putAll(Array.from({ length: entries }, (_, i) => [`u${String(i).padStart(4, '0')}`, i] as const)));
    await rig.commit();
    return rig;
  };

  it('reads no more of the store than it shows, caches nothing, and lets go of the store when it is left early', async () => {
    const store = new CountingStore();
    const rig = await filled(store, 1_000);
    rig.on('k', ({ map }) => {
      for (const key of map.keys()) if (key === 'u0002') break;
    });
    expect(store.shown).toBeLessThanOrEqual(4);
    expect(rig.on('k', ({ map }) => [...map.values()].length)).toBe(1_000);
    expect([rig.table.cachedEntries, store.openScans]).toEqual([0, 0]);
  });

  it('merges what is stored with what is not, in the order of bytes', async () => {
    const rig = await filled(new FakeStore(), 3);
    rig.on('k', ({ map }) => map.putAll([['u0000a', 7], ['u0001', 8]]));
    rig.freeze();
    rig.on('k', ({ map }) => {
      map.remove('u0002');
      map.put('ÿ', 9);
      map.put('', 6);
      expect([...map.entries()]).toEqual([['', 6], ['u0000', 0], ['u0000a', 7], ['u0001', 8], ['ÿ', 9]]);
    });
  });

  it.each([
    ['by the next record of another key', (rig: StateRig, next: () => unknown) => rig.on('other', next)],
    ['outside a record', (_: StateRig, next: () => unknown) => next()],
    ['after a freeze, by a record of the same key', (rig: StateRig, next: () => unknown) => (rig.freeze(), rig.on('k', next))],
  ])('is refused when it is used %s, begun or not', async (_, use) => {
    for (const begun of [true, false]) {
      const rig = await filled(new FakeStore(), 5);
      const entries = rig.on('k', ({ map }) => map.entries());
      if (begun) {
        const other = rig.on('k', ({ map }) => {
          const iterator = map.entries();
          iterator.next();
          return iterator;
        });
        expect(thrownBy(() => use(rig, () => other.next())).code).toBe('STATE_OUTSIDE_KEY');
      } else {
        expect(thrownBy(() => use(rig, () => entries.next())).message).toContain('map (an iteration kept beyond its record) of operator op');
      }
    }
  });
});

describe('a list', () => {
  it('is replaced by an update that is made of itself', async () => {
    const rig = new StateRig(new FakeStore());
    rig.on('k', ({ list }) => list.addAll([3, 1, 2]));
    await rig.commit();
    rig.on('k', ({ list }) =>
      list.update(
        (function* () {
          for (const n of list.get()) if (n > 1) yield n;
        })(),
      ),
    );
    await rig.commit();
    expect(rig.on('k', ({ list }) => list.get())).toEqual([3, 2]);
    expect([...rig.store.scan(Buffer.alloc(0))]).toHaveLength(2);
  });

  it('shows each element once while its commit is in the store already and the task has yet to learn of it', async () => {
    const rig = new StateRig(new FakeStore());
    rig.on('k', ({ list }) => list.addAll([1, 2]));
    rig.freeze();
    await rig.storeFrozen(1);
    rig.on('k', ({ list }) => list.add(3));
    expect(rig.on('k', ({ list }) => list.get())).toEqual([1, 2, 3]);
    rig.applied();
    expect(rig.on('k', ({ list }) => list.get())).toEqual([1, 2, 3]);
  });
});

describe('handles', () => {
  it.each<readonly [string, (handles: StateRig['handles']) => unknown]>([
    ['list.add', ({ list }) => list.add(1)],
    ['list.get', ({ list }) => list.get()],
    ['list.clear', ({ list }) => list.clear()],
    ['map.get', ({ map }) => map.get('a')],
    ['map.put', ({ map }) => map.put('a', 1)],
    ['map.remove', ({ map }) => map.remove('a')],
    ['map.entries', ({ map }) => map.entries()],
    ['map.isEmpty', ({ map }) => map.isEmpty()],
    ['map.clear', ({ map }) => map.clear()],
    ['reducing.add', ({ reducing }) => reducing.add(1)],
    ['aggregating.get', ({ aggregating }) => aggregating.get()],
  ])('refuse %s while no record is processed', (_, use) => {
    expect(thrownBy(() => use(new StateRig(new FakeStore()).handles)).code).toBe('STATE_OUTSIDE_KEY');
  });

  it('refuse undefined in a collection, and leave what a codec refuses to the commit, by name', () => {
    const rig = new StateRig(new FakeStore());
    expect(thrownBy(() => rig.on('k', ({ list }) => list.add(undefined as never))).message).toContain('State list of operator op: it was given undefined');
    rig.on('k', ({ map }) => map.put('a', 'text' as never));
    const thrown = thrownBy(() => rig.freeze());
    expect([thrown.code, thrown.message]).toEqual(['STATE_UNENCODABLE', expect.stringContaining('state map of operator op as float64')]);
  });
});
