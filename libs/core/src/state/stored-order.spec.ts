import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../model/byte-writer.js';
import { inStoredOrder, type OrderedKey } from './stored-order.js';
import { writeStoredKey } from './stored-key.js';

const storedKey = ({ keyGroup, bytes }: OrderedKey): Buffer => {
  const out = new ByteWriter();
  writeStoredKey(out, keyGroup, 7, bytes);
  return out.copy();
};
const names = (keys: readonly OrderedKey[]): string[] => keys.map((key) => storedKey(key).toString('hex'));
const expected = (keys: readonly OrderedKey[]): string[] => keys.map(storedKey).sort((a, b) => Buffer.compare(a, b)).map((key) => key.toString('hex'));

describe('the order in which keys are read', () => {
  it('is that of the stored keys, whatever the keys have in common', () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.array(fc.constantFrom(0, 1, 255), { maxLength: 6 }).map((all) => Uint8Array.from(all)));
    const key = fc.record({ keyGroup: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 32_767 })), bytes });
    const prefix = fc.constantFrom('', 'sensor_', 'a'.repeat(100));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), prefix, (keys, start) => {
        const all = keys.map(({ keyGroup, bytes: rest }) => ({ keyGroup, bytes: Buffer.concat([Buffer.from(start), rest]) }));
        expect(names(inStoredOrder(all))).toEqual(expected(all));
      }),
      { numRuns: 300 },
    );
  });

  it('is the same for more keys than are packed', () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => ({ keyGroup: (i * 7_919) % 128, bytes: Buffer.from(`sensor_${(i * 104_729) % 20_011}`) }));
    expect(names(inStoredOrder(keys))).toEqual(expected(keys));
    expect(names(inStoredOrder(keys.slice(0, 16_384)))).toEqual(expected(keys.slice(0, 16_384)));
  });

  it('holds every key once, also those that are too long to be packed', () => {
    const keys = [300, 127, 128, 126, 300, 0].map((length, i) => ({ keyGroup: 5, bytes: Buffer.alloc(length, i) }));
    expect(names(inStoredOrder(keys)).sort()).toEqual(names(keys).sort());
    expect(inStoredOrder(keys).map(({ bytes: { length } }) => length)).toEqual([0, 126, 127, 128, 300, 300]);
  });
});
