import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { POSITION_KEY, prefixRange, storedKey, storedKeys, userKey } from './stored-key.js';

const hex = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : Buffer.from(bytes).toString('hex'));
const of = (text: string): Buffer => Buffer.from(text, 'hex');

/** Bytes from a small alphabet, so that keys share prefixes and meet the exceptions often. */
const keys = fc.array(fc.constantFrom(0x00, 0x01, 0x02, 0xfd, 0xfe, 0xff), { maxLength: 5 }).map((values) => Buffer.from(values));

describe('the layout of stored keys', () => {
  it('is, byte for byte, that which older stores have', () => {
    expect(hex(POSITION_KEY)).toBe('fffe00');
    expect(['', '00', '0001', 'ff', 'fffd', 'ffff', 'fffe', 'fffe00', 'fffe01', 'fffeff'].map((key) => hex(storedKey(of(key))))).toEqual(
      ['', '00', '0001', 'ff', 'fffd', 'ffff', 'fffe01', 'fffe0100', 'fffe0101', 'fffe01ff'],
    );
  });

  it('copies no key but those that begin with ff fe', () => {
    const key = of('0001fffe');
    expect(storedKey(key)).toBe(key);
    const many = [key, of('ffff')];
    expect(storedKeys(many)).toBe(many);
    expect(storedKeys([key, of('fffe')]).map(hex)).toEqual(['0001fffe', 'fffe01']);
  });

  it('brings every key back, keeps their order, and meets the position with none', () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        expect(hex(userKey(Buffer.from(storedKey(a))))).toBe(hex(a));
        expect(Math.sign(Buffer.compare(storedKey(a), storedKey(b)))).toBe(Math.sign(Buffer.compare(a, b)));
        expect(hex(storedKey(a))).not.toBe(hex(POSITION_KEY));
      }),
    );
    expect(userKey(POSITION_KEY)).toBeUndefined();
  });

  it('turns a prefix into a range that holds its keys and no others', () => {
    fc.assert(
      fc.property(keys, keys, (prefix, key) => {
        const { from, below } = prefixRange(prefix);
        const stored = storedKey(key);
        const notBefore = from === undefined || Buffer.compare(stored, from) >= 0;
        const notBehind = below === undefined || Buffer.compare(stored, below) < 0;
        expect(notBefore && notBehind).toBe(key.subarray(0, prefix.length).equals(prefix));
      }),
    );
  });
});
