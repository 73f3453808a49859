import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../model/byte-writer.js';
import { codec, type Codec, encodeToBuffer } from './codec.js';
import { list, optional, struct, tuple } from './composite.js';
import { boolean, float64, int32, json, utf8 } from './primitives.js';

const scratch = new ByteWriter(0);
const encode = <T>(of: Codec<T>, value: T): Buffer => encodeToBuffer(of, value, scratch);
const decode = <T>(of: Codec<T>, bytes: Buffer): T => {
  const inside = Buffer.concat([Buffer.from([0xaa]), bytes, Buffer.from([0xbb])]);
  return of.decode(inside, 1, 1 + bytes.length);
};

const reading = struct({ id: utf8, at: int32, tags: list(utf8), note: optional(json<{ readonly a: number }>()) });

describe('a composite codec', () => {
  it('has the bytes that it always had', () => {
    const golden: readonly (readonly [Buffer, string])[] = [
      [encode(tuple(utf8, int32), ['ab', -1]), '02' + '6162' + '04' + 'ffffffff'],
      [encode(struct({ on: boolean, name: utf8 }), { on: true, name: '' }), '01' + '01' + '00'],
      [encode(list(utf8), ['a', '', 'bc']), '03' + '01' + '61' + '00' + '02' + '6263'],
      [encode(list(int32), []), '00'],
      [encode(optional(utf8), undefined), '00'],
      [encode(optional(utf8), ''), '01'],
      [encode(optional(optional(utf8)), undefined), '00'],
      [encode(tuple(), []), ''],
    ];
    for (const [bytes, hex] of golden) expect(bytes.toString('hex')).toBe(hex);
  });

  it('names its parts and their versions, so that a changed part is another format', () => {
    const time = codec<number>({ id: 'time', version: 2, encode: () => Buffer.alloc(0), decode: () => 0 });
    expect(reading.id).toBe('struct<id:utf8,at:int32,tags:list<utf8>,note:optional<json>>');
    expect(tuple(time, optional(time)).id).toBe('tuple<time@2,optional<time@2>>');
    expect([reading, tuple(time), list(time), optional(time)].map(({ version, identity }) => [version, identity])).toEqual(Array(4).fill([1, undefined]));
  });

  it('gives back any value, nested as it may be', () => {
    const value = fc.record({
      id: fc.string(),
      at: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((n) => n | 0),
      tags: fc.array(fc.string({ maxLength: 200 })),
      note: fc.option(fc.record({ a: fc.integer() }), { nil: undefined }),
    });
    const pair = tuple(reading, list(tuple(float64, reading)));
    fc.assert(
      fc.property(value, fc.array(fc.tuple(fc.double(), value), { maxLength: 3 }), (first, more) => {
        expect(decode(pair, encode(pair, [first, more]))).toEqual([first, more]);
      }),
      { numRuns: 40 },
    );
  });

  it('refuses every cut and every longer form of its bytes', () => {
    const bytes = encode(tuple(utf8, list(int32)), ['abc', [1, 2]]);
    for (let end = 0; end < bytes.length; end++) expect(() => decode(tuple(utf8, list(int32)), bytes.subarray(0, end))).toThrow(RangeError);
    expect(() => decode(tuple(utf8, list(int32)), Buffer.concat([bytes, Buffer.from([0])]))).toThrow(/lengths and end do not fit/);
    expect(() => decode(optional(utf8), Buffer.from([2]))).toThrow(RangeError);
    expect(() => decode(list(utf8), Buffer.from('ffffffffffffffff7f', 'hex'))).toThrow(RangeError);
  });

  it('refuses values of another shape with a TypeError', () => {
    const wrong: readonly (readonly [Codec<unknown>, unknown])[] = [
      [tuple(utf8), ['a', 'b']],
      [tuple(utf8), 'a'],
      [struct({ a: utf8 }), null],
      [struct({ a: utf8 }), {}],
      [list(utf8), 'abc'],
      [list(utf8), [1]],
    ];
    for (const [of, value] of wrong) expect(() => encode(of, value)).toThrow(TypeError);
  });

  it('keeps a field called __proto__ a field', () => {
    const odd = struct({ ['__proto__']: utf8 });
    const decoded = decode(odd, encode(odd, JSON.parse('{"__proto__":"x"}') as never));
    expect(Object.getOwnPropertyNames(decoded)).toEqual(['__proto__']);
  });

  it('prepares its parts, and has nothing to prepare where they have not', async () => {
    const prepared: string[] = [];
    const schema = (id: string): Codec<number> => ({ ...float64, id, prepare: async () => void prepared.push(id) });
    await tuple(schema('a'), list(schema('b')), struct({ c: optional(schema('c')) }), utf8).prepare!();
    expect(prepared).toEqual(['a', 'b', 'c']);
    expect([reading, tuple(utf8)].filter((composite) => 'prepare' in composite)).toEqual([]);
  });
});

describe('int32', () => {
  it.each([
    [0, '00000000'],
    [-1, 'ffffffff'],
    [2 ** 31 - 1, '7fffffff'],
    [-(2 ** 31), '80000000'],
  ])('of %i has the bytes that it always had', (value, hex) => {
    expect(encode(int32, value).toString('hex')).toBe(hex);
    expect(decode(int32, Buffer.from(hex, 'hex'))).toBe(value);
  });

  it('refuses what is no 32-bit integer', () => {
    for (const value of [2 ** 31, -(2 ** 31) - 1, 1.5, Number.NaN]) expect(() => encode(int32, value)).toThrow(RangeError);
    expect(() => encode(int32, '1' as never)).toThrow(TypeError);
    expect(() => decode(int32, Buffer.alloc(3))).toThrow('int32 takes 4 bytes, and 3 came');
  });
});
