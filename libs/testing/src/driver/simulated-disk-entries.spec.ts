import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '../seeded-random.js';
import { SortedEntries } from './simulated-disk-entries.js';

const BYTES = [0, 1, 0x41, 0x80, 0xff];
const keyOf = (random: SeededRandom): string =>
  String.fromCharCode(...Array.from({ length: random.between(0, 3) }, () => random.pick(BYTES)));
const sorted = (map: ReadonlyMap<string, string>, prefix = ''): [string, string][] =>
  [...map].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
const shown = (entries: Iterable<[string, Buffer]>): [string, string][] =>
  [...entries].map(([key, value]) => [key, value.toString('latin1')]);

describe('sorted entries', () => {
  it.each([1, 2, 3])('equal a plain map over a random history, point by point, by prefix and in bytes (seed %i)', (seed) => {
    const random = new SeededRandom(seed);
    const entries = new SortedEntries();
    const model = new Map<string, string>();
    for (let step = 0; step < 3_000; step++) {
      // Numbered keys fill many chunks; the short ones share prefixes.
      const key = random.chance(0.5) ? `n${random.between(0, 2_000)}` : keyOf(random);
      if (random.chance(0.3)) {
        entries.delete(key);
        model.delete(key);
      } else {
        const value = 'v'.repeat(random.between(0, 5));
        entries.set(key, Buffer.from(value, 'latin1'));
        model.set(key, value);
      }
      expect(entries.get(key)?.toString('latin1')).toBe(model.get(key));
      if (step % 100 === 0) {
        const prefix = random.pick(['n1', 'n19', keyOf(random)]);
        expect(shown(entries.snapshot(prefix))).toEqual(sorted(model, prefix));
      }
    }
    expect(shown(entries.snapshot())).toEqual(sorted(model));
    expect(entries.byteLength).toBe([...model].reduce((sum, [key, value]) => sum + key.length + value.length, 0));
    for (const key of model.keys()) entries.delete(key);
    expect(entries.byteLength).toBe(0);
    expect(shown(entries.snapshot())).toEqual([]);
  });

  it('show in every snapshot what was there when it was taken, read or not, whatever is written meanwhile', () => {
    const random = new SeededRandom(4);
    const entries = new SortedEntries();
    const model = new Map<string, string>();
    type Shown = [key: string, value: string][];
    const taken: { readonly snapshot: Iterable<[string, Buffer]>; readonly first: Shown; readonly expected: Shown }[] = [];
    for (let round = 0; round < 50; round++) {
      for (let write = 0; write < 40; write++) {
        const key = `n${random.between(0, 600)}`;
        if (random.chance(0.3)) {
          entries.delete(key);
          model.delete(key);
        } else {
          entries.set(key, Buffer.from(String(round)));
          model.set(key, String(round));
        }
      }
      const snapshot = entries.snapshot();
      const first = round % 2 === 0 ? [] : shown([snapshot.next().value as [string, Buffer]]);
      taken.push({ snapshot, first, expected: sorted(model) });
    }
    for (const { snapshot, first, expected } of taken) expect([...first, ...shown(snapshot)]).toEqual(expected);
  });

  it('read no more than what is asked of a scan', () => {
    const entries = new SortedEntries();
    for (let i = 0; i < 10_000; i++) entries.set(`k${String(i).padStart(5, '0')}`, Buffer.alloc(1));
    const scan = entries.snapshot('k05');
    expect((scan.next().value as [string, Buffer])[0]).toBe('k05000');
    expect([...scan]).toHaveLength(999);
    expect([...entries.snapshot('k1')]).toEqual([]);
  });
});
