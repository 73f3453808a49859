import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../model/byte-writer.js';
import { EPOCH_RECORD_KEY, isReservedKey, STATE_CATALOGUE_KEY, stateIdOf, STORED_KEY_VERSION, writeStoredKey } from './stored-key.js';

function storedKey(keyGroup: number, stateId: number, key: Uint8Array): Buffer {
  const out = new ByteWriter(0);
  writeStoredKey(out, keyGroup, stateId, key);
  return out.copy();
}
const reserved = (key: Buffer): boolean => isReservedKey(key, 0, key.length);

const anyKey = fc.record({
  group: fc.integer({ min: 0, max: 0x7fff }),
  id: fc.oneof(fc.constantFrom(0, 1, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff })),
  key: fc.oneof(fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ minLength: 120, maxLength: 140 })),
});

describe('stored keys', () => {
  // These bytes are in changelogs and stores: none ever changes.
  it.each([
    [0, 0, '', '0000' + '00000000' + '00'],
    [26, 0x24bab2ae, 'sensor_1', '001a' + '24bab2ae' + '08' + '73656e736f725f31'],
    [64, 1, '\0\0\0\0', '0040' + '00000001' + '04' + '00000000'],
    [0x7fff, 0xffffffff, '\xff\xfe\x80\x01', '7fff' + 'ffffffff' + '04' + 'fffe8001'],
  ])('of version 1 have the bytes that they always had: group %i, state %i, key %j', (group, id, key, hex) => {
    expect(STORED_KEY_VERSION).toBe(1);
    expect(storedKey(group, id, Buffer.from(key, 'latin1')).toString('hex')).toBe(hex);
  });

  it('take two bytes for the length of a key from 128 bytes on', () => {
    expect(storedKey(0, 0, Buffer.alloc(127, 1)).subarray(6, 8).toString('hex')).toBe('7f01');
    expect(storedKey(0, 0, Buffer.alloc(128, 1)).subarray(6, 9).toString('hex')).toBe('800101');
  });

  it('are written from a range, behind what the writer holds', () => {
    const out = new ByteWriter(0);
    out.writeUint8(0xee);
    writeStoredKey(out, 1, 2, Buffer.from('<key>'), 1, 4);
    expect(out.copy().toString('hex')).toBe('ee' + '0001' + '00000002' + '03' + '6b6579');
  });

  it('are equal only if group, state and key are, and none is the beginning of another', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        const [first, second] = [storedKey(a.group, a.id, a.key), storedKey(b.group, b.id, b.key)];
        const same = a.group === b.group && a.id === b.id && Buffer.compare(a.key, b.key) === 0;
        expect(first.equals(second)).toBe(same);
        expect(second.subarray(0, first.length).equals(first)).toBe(same);
      }),
      { numRuns: 30 },
    );
  });

  it('of a key that begins like another stay apart under a scan for the entries of one key', () => {
    const prefix = storedKey(5, 9, Buffer.from('ab'));
    const entry = (key: string, userKey: string): Buffer => Buffer.concat([storedKey(5, 9, Buffer.from(key)), Buffer.from(userKey)]);
    const found = ['ab', 'abc', 'a', 'b'].map((key) => entry(key, 'c').subarray(0, prefix.length).equals(prefix));
    expect(found).toEqual([true, false, false, false]);
  });

  it('are ordered by key group, then by state, so that a group is one range', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        const order = Buffer.compare(storedKey(a.group, a.id, a.key), storedKey(b.group, b.id, b.key));
        if (a.group !== b.group) expect(order).toBe(a.group < b.group ? -1 : 1);
        else if (a.id !== b.id) expect(order).toBe(a.id < b.id ? -1 : 1);
      }),
      { numRuns: 30 },
    );
  });
});

describe("Weir's own keys", () => {
  it('have the bytes that they always had', () => {
    expect([EPOCH_RECORD_KEY.toString('hex'), STATE_CATALOGUE_KEY.toString('hex')]).toEqual(['ffff01', 'ffff02']);
  });

  it('are told from stored keys, which never begin like them', () => {
    expect([EPOCH_RECORD_KEY, STATE_CATALOGUE_KEY, Buffer.from('fffe00', 'hex')].map(reserved)).toEqual([true, true, true]);
    expect(['', 'ff', 'fffd01', 'feff01', '00ffff'].map((hex) => reserved(Buffer.from(hex, 'hex')))).toEqual([false, false, false, false, false]);
    fc.assert(
      fc.property(anyKey, ({ group, id, key }) => {
        expect(reserved(storedKey(group, id, key))).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  it('are found in a range of a larger buffer', () => {
    const buffer = Buffer.from('00ffff0100', 'hex');
    expect([isReservedKey(buffer, 1, 4), isReservedKey(buffer, 0, 4), isReservedKey(buffer, 1, 2)]).toEqual([true, false, false]);
  });
});

describe('stateIdOf', () => {
  it('never changes, for state is found again by it', () => {
    expect(stateIdOf('jump', 'last')).toBe(0x24bab2ae);
  });

  it('keeps operators and states apart whose names run together, and is unsigned', () => {
    expect(stateIdOf('ab', 'c')).not.toBe(stateIdOf('a', 'bc'));
    const ids = Array.from({ length: 200 }, (_, i) => stateIdOf('operator', `state-${i}`));
    expect(ids.filter((id) => !Number.isInteger(id) || id < 0 || id > 0xffffffff)).toEqual([]);
    expect(new Set(ids).size).toBe(200);
  });
});
