import { describe, expect, it } from '@jest/globals';
import { murmur2 } from './murmur2.js';

describe('murmur2', () => {
  // From UtilsTest.testMurmur2 of Kafka's Java client.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])("gives what Kafka's Java client gives for %j", (text, hash) => {
    const key = Buffer.from(text, 'utf8');
    expect(murmur2(key)).toBe(hash);
    expect(murmur2(Buffer.concat([Buffer.from('??'), key, Buffer.from('?')]), 2, 2 + key.length)).toBe(hash);
  });

  // Expected values by a second implementation, in Python's unbounded integers.
  it.each([
    [0, 275646681],
    [1, -311467685],
    [2, -1642832928],
    [3, 1548199422],
    [4, 644171429],
    [5, -363838622],
  ])('takes high bytes as unsigned in a tail of any length: %i bytes 0xff', (length, hash) => {
    expect(murmur2(new Uint8Array(length).fill(0xff))).toBe(hash);
  });
});
