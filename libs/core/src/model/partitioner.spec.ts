import { describe, expect, it } from '@jest/globals';
import { PARTITIONER_NAMES, PARTITIONERS } from './partitioner.js';

describe('PARTITIONERS', () => {
  // 7 partitions; hashes as in the specs of murmur2 and crc32. The Java client drops the sign bit, librdkafka has none.
  it.each([
    ['', 275646681 % 7, 0],
    ['a', (-1563381124 & 0x7fffffff) % 7, 3904355907 % 7],
    ['sensor_1', (-496263398 & 0x7fffffff) % 7, 1244841127 % 7],
    ['\0\0\0\0', 850957120 % 7, 558161692 % 7],
  ])('put %j where its producers put it', (key, murmur2, crc32) => {
    const bytes = Buffer.from(`<${key}>`, 'latin1');
    const place = (name: 'murmur2' | 'crc32'): number => PARTITIONERS[name](bytes, 1, bytes.length - 1, 7);
    expect([place('murmur2'), place('crc32')]).toEqual([murmur2, crc32]);
  });

  it('stay within the partitions, and differ for most keys, so that one is not taken for the other', () => {
    let elsewhere = 0;
    let outside = 0;
    for (let i = 0; i < 1_000; i++) {
      const key = Buffer.from(`key-${i}`);
      const places = PARTITIONER_NAMES.map((name) => PARTITIONERS[name](key, 0, key.length, 4));
      if (!places.every((place) => [0, 1, 2, 3].includes(place))) outside++;
      if (places[0] !== places[1]) elsewhere++;
    }
    expect(outside).toBe(0);
    expect(elsewhere).toBeGreaterThan(700);
    expect(elsewhere).toBeLessThan(800);
  });

  it('are named in the order in which auto tries them', () => {
    expect(PARTITIONER_NAMES).toEqual(['murmur2', 'crc32']);
  });
});
