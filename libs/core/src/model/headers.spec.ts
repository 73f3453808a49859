import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from './byte-writer.js';
import { countHeaders, decodeHeaders, encodeHeaders, type RecordHeader } from './headers.js';

const blockOf = (headers: readonly RecordHeader[]): Buffer => {
  const out = new ByteWriter(0);
  encodeHeaders(headers, out);
  return out.copy();
};

const header: fc.Arbitrary<RecordHeader> = fc.record({
  key: fc.string({ unit: 'grapheme', maxLength: 20 }),
  value: fc.option(fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes))),
});

describe('header blocks', () => {
  it('have the layout of a Kafka record: zigzag varint lengths, -1 for null', () => {
    const block = blockOf([
      { key: 'k', value: Buffer.from('vw') },
      { key: '', value: null },
      { key: 'ü', value: Buffer.alloc(0) },
    ]);
    expect(block.toString('hex')).toBe('026b' + '047677' + '00' + '01' + '04c3bc' + '00');
    expect(blockOf([{ key: 'k'.repeat(64), value: Buffer.alloc(100) }]).subarray(0, 2).toString('hex')).toBe('8001');
  });

  it('give back the headers that went in, from within a larger buffer', () => {
    fc.assert(
      fc.property(fc.array(header, { maxLength: 5 }), fc.uint8Array({ maxLength: 9 }), (headers, around) => {
        const block = blockOf(headers);
        const buffer = Buffer.concat([around, block, around]);
        expect(decodeHeaders(buffer, around.length, around.length + block.length)).toEqual(headers);
        expect(countHeaders(buffer, around.length, around.length + block.length)).toBe(headers.length);
      }),
      { numRuns: 25 },
    );
  });

  it('are empty for no headers', () => {
    expect(blockOf([])).toHaveLength(0);
    expect(countHeaders(Buffer.from('whatever'), 3, 3)).toBe(0);
  });

  it('refuse a block that is cut anywhere inside its last header', () => {
    const whole = blockOf([{ key: 'trace', value: Buffer.from('0123456789') }]);
    for (let end = 1; end < whole.length; end++) expect(() => decodeHeaders(whole, 0, end)).toThrow(RangeError);
  });

  it.each([
    ['a negative length of the key', '01'],
    ['a length below -1 of the value', '026b03'],
    ['a varint without an end', 'ffffffffffffffffffff'],
    ['a key beyond the block', '7e6b'],
  ])('refuse %s', (_, hex) => {
    const block = Buffer.concat([Buffer.from(hex, 'hex')]);
    expect(() => decodeHeaders(block, 0, block.length)).toThrow(/damaged at byte \d+/);
  });

  it('never loop or crash on any bytes: they are headers or a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          decodeHeaders(Buffer.from(bytes), 0, bytes.length);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 40 },
    );
  });
});
