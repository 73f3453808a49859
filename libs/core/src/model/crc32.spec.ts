import { describe, expect, it } from '@jest/globals';
import { crc32 } from './crc32.js';

describe('crc32', () => {
  // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms; the others by Python's zlib.
  it.each([
    ['123456789', 0xcbf43926],
    ['', 0],
    ['a', 3904355907],
    ['sensor_1', 1244841127],
    ['\0\0\0\0', 558161692],
  ])('gives what zlib gives for %j, unsigned', (text, value) => {
    const bytes = Buffer.from(text, 'latin1');
    expect(crc32(bytes)).toBe(value);
    expect(crc32(Buffer.concat([Buffer.from('??'), bytes, Buffer.from('?')]), 2, 2 + bytes.length)).toBe(value);
  });

  it('takes bytes that are no UTF-8 as they are', () => {
    expect(crc32(Uint8Array.from([0xff, 0xfe, 0x80, 0x01]))).toBe(211759082);
  });
});
