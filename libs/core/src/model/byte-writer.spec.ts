import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from './byte-writer.js';

const written = (write: (out: ByteWriter) => void, capacity?: number): Buffer => {
  const out = new ByteWriter(capacity);
  write(out);
  return out.copy();
};

describe('ByteWriter', () => {
  it('writes numbers big-endian', () => {
    const bytes = written((out) => {
      out.writeUint8(0xab);
      out.writeUint16(0x0102);
      out.writeUint32(0xfffefdfc);
      out.writeFloat64(1.5);
      out.writeInt64(-2n);
    });
    expect(bytes.toString('hex')).toBe('ab' + '0102' + 'fffefdfc' + '3ff8000000000000' + 'fffffffffffffffe');
  });

  it('refuses to grow beyond what columns can point into', () => {
    const out = new ByteWriter(16);
    expect(() => out.reserve(2 ** 31)).toThrow(new RangeError('2147483648 bytes would be written at once, and the most is 2147483647'));
    expect(out.buffer.length).toBe(16);
  });

  it('grows from any capacity, even none, and keeps what it has', () => {
    fc.assert(
      fc.property(fc.nat(8), fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }), (capacity, parts) => {
        const bytes = written((out) => parts.forEach((part) => out.writeBytes(part)), capacity);
        expect(bytes).toEqual(Buffer.concat(parts));
      }),
      { numRuns: 30 },
    );
  });

  it.each(['writeUint8', 'writeUint16', 'writeUint32', 'writeFloat64'] as const)('%s makes its own room at the end of a full buffer', (write) => {
    const out = new ByteWriter(1);
    out.writeUint8(7);
    out[write](1);
    expect(out.buffer.length).toBeGreaterThanOrEqual(out.length);
    expect(out.copy()[0]).toBe(7);
  });

  it('at least doubles when it grows, so that many small writes copy little', () => {
    const out = new ByteWriter(16);
    let grown = 0;
    for (let i = 0; i < 10_000; i++) {
      const before = out.buffer;
      out.writeUint8(i & 0xff);
      if (out.buffer !== before) grown++;
    }
    expect(grown).toBeLessThanOrEqual(10);
    expect(out.length).toBe(10_000);
  });

  it('reserve changes the room and never the contents', () => {
    const out = new ByteWriter(2);
    out.writeUint16(0x0a0b);
    out.reserve(1_000);
    const { buffer } = out;
    out.writeBytes(new Uint8Array(1_000));
    expect(out.buffer).toBe(buffer);
    expect(out.copy().subarray(0, 2).toString('hex')).toBe('0a0b');
  });

  it.each([0, 1, 47, 48, 49, 200])('writes a range of %i bytes from within a source', (length) => {
    const source = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);
    expect(written((out) => out.writeBytes(source, 3, 3 + length), 0)).toEqual(Buffer.from(source.subarray(3, 3 + length)));
  });

  it('writes text as UTF-8 of any width, and only the bytes that it takes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const out = new ByteWriter(0);
        out.writeUtf8(text);
        expect(out.copy().toString('utf8')).toBe(text);
        expect(out.length).toBe(Buffer.byteLength(text, 'utf8'));
      }),
      { numRuns: 25 },
    );
  });

  it.each([
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [16_383, 'ff7f'],
    [16_384, '808001'],
    [2 ** 31 - 1, 'ffffffff07'],
    [2 ** 32, '8080808010'],
    [Number.MAX_SAFE_INTEGER, 'ffffffffffffff0f'],
  ])('writes the unsigned varint of %i', (value, hex) => {
    expect(written((out) => out.writeUnsignedVarint(value), 0).toString('hex')).toBe(hex);
  });

  it('writes unsigned varints that read back by the definition of LEB128', () => {
    const read = (bytes: Buffer): bigint => bytes.reduce((value, byte, i) => value | (BigInt(byte & 0x7f) << BigInt(7 * i)), 0n);
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = written((out) => out.writeUnsignedVarint(value), 0);
        expect(read(bytes)).toBe(BigInt(value));
        expect([...bytes].map((byte) => byte >= 0x80)).toEqual([...bytes].map((_, i) => i < bytes.length - 1));
      }),
      { numRuns: 40 },
    );
  });

  it('refuses an int64 that does not fit, and keeps what it has', () => {
    const out = new ByteWriter();
    out.writeUint8(1);
    expect(() => out.writeInt64(2n ** 63n)).toThrow(/out of range/);
    expect(out.copy()).toEqual(Buffer.from([1]));
  });

  it('starts over after clear in the buffer that it has', () => {
    const out = new ByteWriter(4);
    out.writeUint32(0xffffffff);
    const { buffer } = out;
    out.clear();
    out.writeUint8(1);
    expect(out.copy()).toEqual(Buffer.from([1]));
    expect(out.buffer).toBe(buffer);
  });

  it('hands out copies that later writes do not change', () => {
    const out = new ByteWriter();
    out.writeUint16(0x0102);
    const copy = out.copy(1);
    out.clear();
    out.writeUint16(0xffff);
    expect(copy).toEqual(Buffer.from([2]));
  });
});
