import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DAMAGED, DAMAGED_LONG, readInt, readLong, sizeOfInt, sizeOfLong, varint, writeInt, writeLong } from './varint.js';

const bytes = Buffer.alloc(16);

describe('varints of records', () => {
  it('come back as they were written, and take as many bytes as said: int32', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        fc.pre(value !== DAMAGED);
        const end = writeInt(bytes, 0, value);
        expect(end).toBe(sizeOfInt(value));
        expect(readInt(bytes, 0, end)).toBe(value);
        expect(varint.end).toBe(end);
        expect(readInt(bytes, 0, end - 1)).toBe(DAMAGED);
      }),
    );
  });

  it('come back as they were written, and take as many bytes as said: int64', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }), (value) => {
        const end = writeLong(bytes, 0, value);
        expect(end).toBe(sizeOfLong(value));
        expect(readLong(bytes, 0, end)).toBe(value);
        expect(varint.end).toBe(end);
        expect(readLong(bytes, 0, end - 1)).toBe(DAMAGED_LONG);
      }),
    );
  });

  it('are damaged when they are longer than their type, or beyond exact numbers', () => {
    expect(readInt(Buffer.alloc(16, 0xff), 0, 16)).toBe(DAMAGED);
    expect(readLong(Buffer.alloc(16, 0xff), 0, 16)).toBe(DAMAGED_LONG);
    // Long.MAX_VALUE, zigzag
    expect(readLong(Buffer.from('feffffffffffffffff01', 'hex'), 0, 10)).toBe(DAMAGED_LONG);
  });
});
