import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../model/byte-writer.js';
import { type Codec, encodeToBuffer } from './codec.js';
import { boolean, bytes, float64, int64, json, utf8 } from './primitives.js';

const scratch = new ByteWriter(0);
const encode = <T>(codec: Codec<T>, value: T): Buffer => encodeToBuffer(codec, value, scratch);
const decode = <T>(codec: Codec<T>, hex: string): T => {
  const bare = Buffer.from(hex, 'hex');
  const buffer = Buffer.concat([Buffer.from([0xaa]), bare, Buffer.from([0xbb, 0xbb])]);
  return codec.decode(buffer, 1, 1 + bare.length);
};

const CASES = {
  utf8: { codec: utf8 as Codec<unknown>, values: fc.string({ unit: 'binary', maxLength: 30 }).filter((text) => text === Buffer.from(text).toString()) },
  float64: { codec: float64 as Codec<unknown>, values: fc.double() },
  int64: { codec: int64 as Codec<unknown>, values: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  boolean: { codec: boolean as Codec<unknown>, values: fc.boolean() },
  bytes: { codec: bytes as Codec<unknown>, values: fc.uint8Array({ maxLength: 60 }).map((value) => Buffer.from(value)) },
  json: { codec: json<unknown>(), values: fc.jsonValue({ maxDepth: 2 }) },
} as const;

describe.each(Object.entries(CASES))('%s', (name, { codec, values }) => {
  it('names its format, which state is kept with, as it always did', () => {
    expect([codec.id, codec.version]).toEqual([name, 1]);
  });

  it('gives back what went in, and the same bytes for it', () => {
    fc.assert(
      fc.property(values as fc.Arbitrary<unknown>, (value) => {
        const encoded = encode(codec, value);
        const decoded = decode(codec, encoded.toString('hex'));
        expect(decoded).toEqual(name === 'json' ? (JSON.parse(JSON.stringify(value)) as unknown) : value);
        expect(encode(codec, decoded)).toEqual(encoded);
      }),
      { numRuns: 25 },
    );
  });
});

describe('the bytes of the primitive codecs', () => {
  // As Kafka's own StringSerializer, DoubleSerializer, LongSerializer, BooleanSerializer and ByteArraySerializer write them.
  const golden: readonly (readonly [string, Codec<unknown>, unknown, string])[] = [
    ['utf8', utf8, 'aü€😀', '61c3bce282acf09f9880'],
    ['utf8', utf8, '', ''],
    ['utf8', utf8, '\0\0\0\0', '00000000'],
    ['utf8', utf8, '\uFEFFa', 'efbbbf61'],
    ['utf8', utf8, '\uFFFD', 'efbfbd'],
    ['float64', float64, 35.8, '4041e66666666666'],
    ['float64', float64, -0, '8000000000000000'],
    ['float64', float64, Number.NaN, '7ff8000000000000'],
    ['float64', float64, Number.NEGATIVE_INFINITY, 'fff0000000000000'],
    ['int64', int64, 1n, '0000000000000001'],
    ['int64', int64, -(2n ** 63n), '8000000000000000'],
    ['boolean', boolean, true, '01'],
    ['boolean', boolean, false, '00'],
    ['bytes', bytes, Buffer.from('fffe8001', 'hex'), 'fffe8001'],
    ['json', json<unknown>(), { a: [1, 'ü'], b: null }, Buffer.from('{"a":[1,"ü"],"b":null}').toString('hex')],
  ];
  it.each(golden)('%s: case %#', (_, codec, value, hex) => {
    expect(encode(codec, value).toString('hex')).toBe(hex);
    expect(Object.is(decode(codec, hex), value) || typeof value === 'object').toBe(true);
    expect(decode(codec, hex)).toEqual(value);
  });
});

describe('values of a wrong type', () => {
  const wrong: readonly (readonly [string, Codec<never>, readonly unknown[]])[] = [
    ['utf8', utf8 as Codec<never>, [1, null, undefined, Buffer.from('a')]],
    ['float64', float64 as Codec<never>, ['1', 1n, null, undefined]],
    ['int64', int64 as Codec<never>, [1, '1', null]],
    ['boolean', boolean as Codec<never>, [0, 'true', null]],
    ['bytes', bytes as Codec<never>, ['a', [1], null, undefined]],
    ['json', json<never>(), [undefined, () => 0, Symbol('s'), 1n]],
  ];
  it.each(wrong)('are refused by %s with a TypeError', (_, codec, values) => {
    for (const value of values) expect(() => encode(codec, value as never)).toThrow(TypeError);
  });

  it('are refused by json where they have no end', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => encode(json<unknown>(), cycle)).toThrow(TypeError);
  });

  it.each([-(2n ** 63n) - 1n, 2n ** 63n])('are refused by int64 out of its range: %s', (value) => {
    expect(() => encode(int64, value)).toThrow(/out of range/);
  });
});

describe('bytes of a wrong length or form', () => {
  it.each([
    ['float64', float64 as Codec<unknown>, '', 'float64 takes 8 bytes, and 0 came'],
    ['float64', float64 as Codec<unknown>, '0000000000000000ff', 'float64 takes 8 bytes, and 9 came'],
    ['int64', int64 as Codec<unknown>, '00000000000000', 'int64 takes 8 bytes, and 7 came'],
    ['boolean', boolean as Codec<unknown>, '', 'boolean takes 1 bytes, and 0 came'],
    ['boolean', boolean as Codec<unknown>, '02', 'boolean is the byte 0 or 1, and 2 came'],
  ])('are refused by %s: case %#', (_, codec, hex, message) => {
    expect(() => decode(codec, hex)).toThrow(new RangeError(message));
  });

  it('are refused by json: what is no JSON is an error, never undefined', () => {
    for (const text of ['', '{', '{"a":1}}', 'undefined', '\uFEFF1']) {
      expect(() => decode(json<unknown>(), Buffer.from(text).toString('hex'))).toThrow(SyntaxError);
    }
  });

  it.each([
    ['a lone continuation', '80'],
    ['a sequence cut short', 'e282'],
    ['an overlong form', 'c0af'],
    ['a surrogate in UTF-8', 'eda080'],
    ['beyond U+10FFFF', 'f4908080'],
    ["a key that Nest's parser turns into other bytes", 'fffe8001'],
    ['text with a replacement character beside it', 'efbfbd80'],
  ])('are refused by utf8: %s', (_, hex) => {
    expect(() => decode(utf8, hex)).toThrow(new RangeError('the bytes are not UTF-8'));
  });

  it('are refused by json where a text in it is not UTF-8, for two values would become one', () => {
    expect(() => decode(json<unknown>(), '22ff22')).toThrow(new RangeError('the bytes are not UTF-8'));
    expect(decode(json<unknown>(), '22efbfbd22')).toBe('\uFFFD');
  });
});

describe('text with lone surrogates', () => {
  it.each(['\ud800', 'a\udfff', '\udc00\ud800'])('is refused by utf8, for it has no UTF-8: %j', (text) => {
    expect(() => encode(utf8, text)).toThrow(/utf8 takes well-formed text, and "[^\n]*\\u[^\n]*" has a lone surrogate/);
  });

  it('is kept by json, which escapes it', () => {
    expect(decode(json<string>(), encode(json<string>(), '\ud800').toString('hex'))).toBe('\ud800');
  });
});

describe('identity', () => {
  it('is claimed only by codecs whose equal bytes are equal keys of a Map', () => {
    expect([utf8, int64, boolean].map((codec) => codec.identity)).toEqual([true, true, true]);
    expect([float64, bytes, json()].map((codec) => codec.identity ?? false)).toEqual([false, false, false]);
  });

  it.each([
    ['utf8', utf8 as Codec<unknown>, CASES.utf8.values as fc.Arbitrary<unknown>],
    ['int64', int64 as Codec<unknown>, CASES.int64.values as fc.Arbitrary<unknown>],
    ['boolean', boolean as Codec<unknown>, CASES.boolean.values as fc.Arbitrary<unknown>],
  ])('holds for %s', (_, codec, values) => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(encode(codec, a).equals(encode(codec, b))).toBe(new Set([a, b]).size === 1);
      }),
      { numRuns: 25 },
    );
  });
});

describe('bytes', () => {
  it('decodes to a view of the buffer', () => {
    const buffer = Buffer.from('abc');
    expect(bytes.decode(buffer, 1, 3)).toEqual(Buffer.from('bc'));
    expect((bytes.decode(buffer, 1, 3) as Buffer).buffer).toBe(buffer.buffer);
  });
});
