import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Codec } from '../codec/codec.js';
import { bytes, float64, int64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { epoch } from '../model/brands.js';
import { ByteWriter } from '../model/byte-writer.js';
import { keyGroupOf } from '../model/key-group.js';
import { RecordWriter } from '../model/record-columns.js';
import { FakeStore } from './fake-store.spec-d.js';
import { type KeyEntry, KeyTable } from './key-table.js';
import { writeStoredKey } from './stored-key.js';

const STATE_IDS = [7, 3, 5];

/** A table with states `a`, `b`, `c` of float64 by default, its store, and what a task does with both. */
class Rig<K = string> {
  readonly store = new FakeStore();
  readonly table: KeyTable<K>;
  readonly changes = new RecordWriter();
  #epoch = 0;

  constructor(
    limit: number,
    keys: Codec<K>,
    readonly codecs: readonly Codec<unknown>[] = [float64],
  ) {
    this.table = new KeyTable<K>({ codec: keys, maxParallelism: 128, limit });
    codecs.forEach((codec, i) => this.table.declare({ stateId: STATE_IDS[i]!, operator: 'jump', name: 'abc'[i]!, codec }));
  }

  /** What keyBy does with a chunk: all keys first, one read, then each record. */
  batch(keys: readonly K[], run: (entry: KeyEntry<K>, i: number) => void = () => undefined): void {
    const entries = keys.map((key) => this.table.resolve(key));
    this.table.loadMissing(this.store);
    entries.forEach(run);
    this.table.evict();
  }

  freeze(): number {
    this.table.freeze(epoch(++this.#epoch), this.changes, 77);
    return this.#epoch;
  }

  /** The frozen changes reach the store. */
  apply(): void {
    this.store.applyNow(this.changes.columns);
    this.changes.clear();
    this.table.applied(epoch(this.#epoch));
  }

  write(key: K, value: unknown, ordinal = 0): void {
    this.batch([key], (entry) => this.table.write(entry, ordinal, value));
  }

  read(key: K, ordinal = 0): unknown {
    let value: unknown;
    this.batch([key], (entry) => (value = entry.values[ordinal]));
    return value;
  }
}

const storedKey = (key: Buffer, stateId: number): string => {
  const out = new ByteWriter(0);
  writeStoredKey(out, keyGroupOf(key, 0, key.length, 128), stateId, key);
  return out.copy().toString('hex');
};

describe('a batch', () => {
  it('reads all states of all its new keys in one multi-get, in the order of their bytes', () => {
    const rig = new Rig(100, utf8, [float64, int64]);
    rig.batch(['s1', 's2', 's1', 's3']);
    expect(rig.store.reads).toHaveLength(1);
    expect(rig.store.reads[0]).toEqual([...rig.store.reads[0]!].sort());
    expect(rig.store.reads[0]).toEqual(['s1', 's2', 's3'].flatMap((key) => [3, 7].map((id) => storedKey(Buffer.from(key), id))).sort());
  });

  it('reads nothing where it has all keys, and only those it lacks otherwise', () => {
    const rig = new Rig(100, utf8);
    rig.batch(['s1', 's2']);
    rig.batch(['s2', 's1']);
    expect(rig.store.reads).toHaveLength(1);
    rig.batch(['s1', 's3']);
    expect(rig.store.reads[1]).toEqual([storedKey(Buffer.from('s3'), 7)]);
  });

  it('gives each state the value of its own, whatever the order of their ids', () => {
    const rig = new Rig(100, utf8, [float64, utf8, json()] as Codec<unknown>[]);
    rig.write('s1', 1.5, 0);
    rig.write('s1', 'text', 1);
    rig.write('s2', { a: 1 }, 2);
    rig.freeze();
    rig.apply();
    const fresh = new Rig(100, utf8, rig.codecs);
    for (const [key, value] of rig.store.entries) fresh.store.entries.set(key, value);
    const seen: unknown[] = [];
    fresh.batch(['s2', 's1'], (entry) => seen.push([...entry.values]));
    expect(seen).toEqual([
      [undefined, undefined, { a: 1 }],
      [1.5, 'text', undefined],
    ]);
  });

  it('names state, operator and codec when a stored value cannot be decoded', () => {
    const rig = new Rig(100, utf8);
    rig.store.entries.set(storedKey(Buffer.from('s1'), 7), Buffer.from([0, 1, 2]));
    const thrown = thrownBy(() => rig.batch(['s1']));
    expect([thrown.code, thrown.kind]).toEqual(['STATE_UNDECODABLE', 'invalid']);
    expect(thrown.message).toContain('state a of operator jump as float64: float64 takes 8 bytes, and 2 came');
    expect(thrown.message).toContain('hex 000102 (3 bytes)');
  });
});

describe('keys', () => {
  it.each<readonly [string, Codec<never>, readonly unknown[]]>([
    ['utf8', utf8 as Codec<never>, ['', '\0\0\0\0', '\0', 'a', '1', 'ü']],
    ['int64', int64 as Codec<never>, [0n, 1n, -1n, 256n]],
    ['float64, 0 and -0 apart', float64 as Codec<never>, [0, -0, 1, Number.NaN]],
    ['bytes', bytes as Codec<never>, ['', '00000000', '00', 'fffe8001', '61', 'c3bc'].map((hex) => Buffer.from(hex, 'hex'))],
    ['json', json<never>(), [null, '', 0, [], {}, 'null', { a: 1 }, [1, 2]]],
  ])('of %s are kept apart, and found again by equal bytes, through the store too', (_, codec, keys) => {
    const rig = new Rig<unknown>(1, codec);
    keys.forEach((key, i) => rig.write(key, i));
    rig.freeze();
    rig.apply();
    const again = keys.map((key) => (Buffer.isBuffer(key) ? Buffer.from(key) : typeof key === 'object' && key !== null ? structuredClone(key) : key));
    expect(again.map((key) => rig.read(key))).toEqual(keys.map((_key, i) => i));
    expect(rig.store.entries.size).toBe(keys.length);
  });

  it('that are equal by their bytes are one, whatever they are as values', () => {
    const rig = new Rig<{ id: number }>(10, json<{ id: number }>());
    rig.write({ id: 1 }, 5);
    expect(rig.read({ id: 1 })).toBe(5);
    expect(rig.table.size).toBe(1);
  });

  it('that their codec refuses are its error, and no entry', () => {
    const rig = new Rig<unknown>(10, utf8);
    expect(() => rig.table.resolve(5)).toThrow(new TypeError('utf8 takes a string, and number came'));
    expect(rig.table.size).toBe(0);
  });
});

describe('K1: an entry that is dirty or frozen is never evicted', () => {
  it('while its change is only in the table', () => {
    const rig = new Rig(1, utf8);
    for (let i = 0; i < 20; i++) rig.write(`s${i}`, i);
    expect(rig.table.size).toBe(20);
    expect(Array.from({ length: 20 }, (_, i) => rig.read(`s${i}`))).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(rig.store.reads.flat()).toHaveLength(20);
  });

  it('while clean ones around it are', () => {
    const rig = new Rig(1, utf8);
    rig.write('s1', 1);
    for (let i = 0; i < 20; i++) rig.batch([`other-${i}`]);
    expect(rig.read('s1')).toBe(1);
    expect(rig.table.size).toBe(1);
  });

  it('while its change is in a commit under way', () => {
    const rig = new Rig(1, utf8);
    rig.write('s1', 1);
    rig.freeze();
    for (let i = 0; i < 20; i++) rig.batch([`other-${i}`]);
    expect(rig.read('s1')).toBe(1);
  });

  it('while it changed again after it was frozen, although the frozen change was applied', () => {
    const rig = new Rig(1, utf8);
    rig.write('s1', 1);
    rig.freeze();
    rig.write('s1', 2);
    rig.apply();
    for (let i = 0; i < 20; i++) rig.batch([`other-${i}`]);
    expect(rig.read('s1')).toBe(2);
  });

  it('and is evicted once the store has its change, and read from there again', () => {
    const rig = new Rig(1, utf8);
    rig.write('s1', 1);
    rig.freeze();
    rig.apply();
    for (let i = 0; i < 5; i++) rig.batch([`other-${i}`]);
    const before = rig.store.reads.length;
    expect(rig.read('s1')).toBe(1);
    expect(rig.store.reads).toHaveLength(before + 1);
  });
});

describe('K2: what the table holds is the newest', () => {
  it('so a key in the table is not read again, although the store has an older value', () => {
    const rig = new Rig(10, utf8);
    rig.store.entries.set(storedKey(Buffer.from('s1'), 7), Buffer.from('003ff0000000000000', 'hex'));
    rig.write('s1', 2);
    expect(rig.read('s1')).toBe(2);
    rig.freeze();
    expect(rig.read('s1')).toBe(2);
  });
});

describe('K3: freeze', () => {
  it('writes each changed state of a key once, with its last value, and nothing that did not change', () => {
    const rig = new Rig(10, utf8, [float64, utf8, json()] as Codec<unknown>[]);
    for (let i = 0; i < 5; i++) rig.write('s1', i, 0);
    rig.write('s1', [1], 2);
    rig.batch(['s2']);
    rig.freeze();
    const { columns } = rig.changes;
    const rows = Array.from({ length: columns.count }, (_, i) => [columns.key(i)!.toString('hex'), columns.value(i)!.toString('hex'), columns.timestamp[i]]);
    expect(rows).toEqual([
      [storedKey(Buffer.from('s1'), 7), '004010000000000000', 77],
      [storedKey(Buffer.from('s1'), 5), `00${Buffer.from('[1]').toString('hex')}`, 77],
    ]);
  });

  it('writes a tombstone for what was cleared, and a value that was set again instead', () => {
    const rig = new Rig(10, utf8);
    rig.write('gone', 1);
    rig.write('gone', undefined);
    rig.write('back', undefined);
    rig.write('back', 3);
    rig.freeze();
    expect([rig.changes.columns.value(0), rig.changes.columns.value(1)?.toString('hex')]).toEqual([null, '004008000000000000']);
  });

  it('begins a new epoch: what does not change again is not written again', () => {
    const rig = new Rig(10, utf8);
    rig.write('s1', 1);
    rig.write('s2', 1);
    expect(rig.table.dirtyCount).toBe(2);
    rig.freeze();
    expect(rig.table.dirtyCount).toBe(0);
    rig.apply();
    rig.write('s2', 2);
    rig.freeze();
    expect(rig.changes.count).toBe(1);
  });

  it('takes the value as it is at the freeze, though it changes right after', () => {
    const rig = new Rig(10, utf8);
    rig.write('s1', 1);
    rig.freeze();
    rig.write('s1', 2);
    expect(rig.changes.columns.value(0)!.toString('hex')).toBe('003ff0000000000000');
    rig.apply();
    rig.freeze();
    expect(rig.changes.columns.value(0)!.toString('hex')).toBe('004000000000000000');
  });

  it('names state, operator and codec when a value cannot be encoded, and leaves no half row', () => {
    const rig = new Rig(10, utf8);
    rig.write('s1', 'not a number');
    const thrown = thrownBy(() => rig.freeze());
    expect([thrown.code, thrown.kind]).toEqual(['STATE_UNENCODABLE', 'data']);
    expect(thrown.message).toContain('state a of operator jump as float64: float64 takes a number, and string came');
    expect(rig.changes.count).toBe(0);
  });
});

describe('K4: the number of entries', () => {
  it('goes down by keys of long ago, not by those that came since the hand of the clock set out', () => {
    const rig = new Rig(3, utf8);
    rig.batch(['a', 'b', 'c']);
    rig.batch(['a', 'b', 'c']);
    rig.batch(['seen once']);
    rig.batch(['new']);
    rig.store.reads.length = 0;
    rig.batch(['new', 'b', 'c']);
    expect(rig.store.reads).toEqual([]);
    rig.batch(['a']);
    expect(rig.store.reads).toHaveLength(1);
  });

  it('stays within the limit where everything is clean', () => {
    const rig = new Rig(3, utf8);
    for (let i = 0; i < 50; i++) {
      rig.batch([`s${i}`, `s${i + 1}`]);
      expect(rig.table.size).toBeLessThanOrEqual(3);
    }
  });

  it('falls back to the limit once what was dirty or frozen is in the store', () => {
    const rig = new Rig(3, utf8);
    for (let i = 0; i < 20; i++) rig.write(`s${i}`, i);
    rig.freeze();
    expect(rig.table.size).toBe(20);
    rig.apply();
    rig.batch([]);
    expect(rig.table.size).toBe(3);
  });

  it('exceeds it by a batch while that runs, and by nothing afterwards', () => {
    const rig = new Rig(2, utf8);
    const sizes: number[] = [];
    rig.batch(['a', 'b', 'c', 'd', 'e'], () => sizes.push(rig.table.size));
    expect([...sizes, rig.table.size]).toEqual([5, 5, 5, 5, 5, 2]);
  });

  it('keeps what is used again and again, for the hand passes it once more', () => {
    const rig = new Rig(10, utf8);
    for (let i = 0; i < 100; i++) rig.batch(['hot', `cold-${i}`]);
    const before = rig.store.reads.flat().length;
    rig.batch(['hot']);
    expect(rig.store.reads.flat()).toHaveLength(before);
  });

  it('costs nothing while everything is protected: the hand stands still', () => {
    const rig = new Rig(10, utf8);
    for (let i = 0; i < 100; i++) rig.table.write(rig.table.resolve(`s${i}`), 0, i);
    rig.table.loadMissing(rig.store);
    let looks = 0;
    const entry = rig.table.resolve('s0');
    Object.defineProperty(entry, 'used', { get: () => (looks++, false), set: () => undefined });
    for (let i = 0; i < 100; i++) rig.table.evict();
    expect(looks).toBeLessThanOrEqual(2);
  });
});

// ---- any history, against a model ----

type Step =
  | { readonly type: 'batch'; readonly records: readonly (readonly [key: string, act: 'read' | 'write' | 'clear'])[] }
  | { readonly type: 'freeze' | 'apply' };

const key = fc.constantFrom('', 'a', 'b', 'c', 'd', 'e', '\0\0\0\0', 'ü');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('batch' as const), records: fc.array(fc.tuple(key, fc.constantFrom('read', 'write', 'clear')), { maxLength: 6 }) }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ type: 'freeze' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ type: 'apply' }) },
);

describe('any history of batches and commits', () => {
  it('shows each record the newest value of its key, and leaves in the store what the model has (K1 to K4)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), fc.boolean(), (steps, limit, identity) => {
        const rig = new Rig<string>(limit, identity ? utf8 : { ...utf8, identity: false });
        const model = new Map<string, number>();
        let frozen = false;
        let writes = 0;
        const failures: string[] = [];
        for (const what of steps) {
          if (what.type === 'batch') {
            rig.batch(what.records.map(([k]) => k), (entry, i) => {
              const [k, act] = what.records[i]!;
              if (entry.values[0] !== model.get(k)) failures.push(`${k} is ${String(entry.values[0])} and not ${model.get(k)}`);
              if (act === 'read') return;
              rig.table.write(entry, 0, act === 'write' ? ++writes : undefined);
              if (act === 'write') model.set(k, writes);
              else model.delete(k);
            });
          } else if (what.type === 'freeze' && !frozen) {
            const dirty = rig.table.dirtyCount;
            rig.freeze();
            if (rig.changes.count !== dirty) failures.push(`${rig.changes.count} rows of ${dirty} dirty keys`);
            frozen = true;
          } else if (what.type === 'apply' && frozen) {
            rig.apply();
            frozen = false;
          }
        }
        if (frozen) rig.apply();
        rig.freeze();
        rig.apply();
        rig.batch([]);
        expect(failures).toEqual([]);
        expect(rig.table.size).toBeLessThanOrEqual(limit);
        const stored = [...model].map(([k, value]) => [storedKey(Buffer.from(k), 7), value]);
        expect(new Map([...rig.store.entries].map(([k, value]) => [k, value.readDoubleBE(1)]))).toEqual(new Map(stored as [string, number][]));
      }),
      { numRuns: 50 },
    );
  });
});
