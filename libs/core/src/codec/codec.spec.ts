import { describe, expect, it } from '@jest/globals';
import { ByteWriter } from '../model/byte-writer.js';
import { codec, encodeToBuffer, textCodec } from './codec.js';

const scratch = new ByteWriter(0);

describe('codec', () => {
  const pair = codec<readonly [number, number]>({
    id: 'pair',
    encode: ([a, b]) => Uint8Array.from([a, b]),
    decode: (bytes) => [bytes[0]!, bytes[1]!],
  });

  it('makes a codec of version 1 from two plain functions, and never an identity', () => {
    expect([pair.id, pair.version, pair.identity]).toEqual(['pair', 1, undefined]);
    expect(codec({ id: 'x', version: 3, encode: () => new Uint8Array(0), decode: () => 0 }).version).toBe(3);
  });

  it('appends when it encodes, and decodes its range alone', () => {
    scratch.clear();
    scratch.writeUint8(9);
    pair.encode([1, 2], scratch);
    expect(scratch.copy()).toEqual(Buffer.from([9, 1, 2]));
    expect(pair.decode(Buffer.from([9, 1, 2, 9]), 1, 3)).toEqual([1, 2]);
  });

  it('hands decode a view, without a copy', () => {
    const buffer = Buffer.from([1, 2, 3]);
    const view = codec<Buffer>({ id: 'view', encode: (bytes) => bytes, decode: (bytes) => bytes }).decode(buffer, 1, 2);
    expect(view.buffer).toBe(buffer.buffer);
  });
});

describe('textCodec', () => {
  const line = textCodec<readonly string[]>({ id: 'line', version: 2, encode: (fields) => fields.join(','), decode: (text) => text.split(',') });

  it('makes a codec of lines from two plain functions', () => {
    expect([line.id, line.version]).toEqual(['line', 2]);
    expect(encodeToBuffer(line, ['ü', '1'], scratch).toString('utf8')).toBe('ü,1');
    expect(line.decode(Buffer.from('..ü,1.'), 2, 6)).toEqual(['ü', '1']);
  });

  it('refuses bytes that are not UTF-8, for two keys would become one', () => {
    expect(() => line.decode(Buffer.from([0x61, 0xff, 0x2c]), 0, 3)).toThrow(new RangeError('the bytes are not UTF-8'));
  });

  it('refuses to write text that has no UTF-8', () => {
    expect(() => encodeToBuffer(line, ['\ud800'], scratch)).toThrow(TypeError);
  });
});

describe('encodeToBuffer', () => {
  it('gives the bytes of one value, whatever the scratch held, in a buffer of their own', () => {
    const text = textCodec<string>({ id: 'text', encode: (value) => value, decode: (value) => value });
    const first = encodeToBuffer(text, 'first', scratch);
    const second = encodeToBuffer(text, 'se', scratch);
    expect([first.toString(), second.toString()]).toEqual(['first', 'se']);
  });
});
