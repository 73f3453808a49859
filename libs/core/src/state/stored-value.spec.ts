import { describe, expect, it } from '@jest/globals';
import { float64, utf8 } from '../codec/primitives.js';
import { ByteWriter } from '../model/byte-writer.js';
import { beginPlainValue, beginTimedValue, decodeStoredValue, STORED_VALUE_VERSION, storedValueTime } from './stored-value.js';

const stored = (begin: (out: ByteWriter) => void): Buffer => {
  const out = new ByteWriter(0);
  begin(out);
  float64.encode(1.5, out);
  return out.copy();
};

describe('a stored value', () => {
  // These bytes are in changelogs and stores: none ever changes.
  it('of version 1 has the bytes that it always had, and tells its time', () => {
    expect(STORED_VALUE_VERSION).toBe(1);
    const plain = stored(beginPlainValue);
    const timed = stored((out) => beginTimedValue(out, 1_700_000_000_123));
    expect([plain, timed].map((bytes) => bytes.toString('hex'))).toEqual(['00' + '3ff8000000000000', '01' + '4278bcfe5687b000' + '3ff8000000000000']);
    expect([plain, timed].map((bytes) => decodeStoredValue(float64, bytes))).toEqual([1.5, 1.5]);
    expect([plain, timed].map((bytes) => storedValueTime(bytes, 0))).toEqual([Number.NaN, 1_700_000_000_123]);
  });

  it('may be empty behind its header, and lies anywhere in a buffer', () => {
    expect(decodeStoredValue(utf8, Buffer.from('ff00ff', 'hex'), 1, 2)).toBe('');
  });

  it.each([
    ['', 'a stored value is never empty'],
    ['02', 'a stored value begins with 0, or with 1 and a time, and 2 came'],
    ['01', 'and 1 came'],
    ['014278bcfe56800b', 'and 1 came'],
  ])('is refused where it is none: %j', (hex, problem) => {
    expect(() => decodeStoredValue(utf8, Buffer.from(hex, 'hex'))).toThrow(problem);
  });
});
