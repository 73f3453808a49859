import { describe, expect, it } from '@jest/globals';
import { keyGroupOf, MAX_KEY_GROUPS } from './key-group.js';

const groupOf = (key: Uint8Array, maxParallelism: number): number => keyGroupOf(key, 0, key.length, maxParallelism);

describe('keyGroupOf', () => {
  // State is found again by these: none ever changes.
  it.each([
    ['', 89],
    ['a', 124],
    ['sensor_1', 26],
    ['\0\0\0\0', 64],
    ['\xff\xfe\x80\x01', 121],
  ])('puts %j into the key group that it always was in', (key, group) => {
    expect(groupOf(Buffer.from(key, 'latin1'), 128)).toBe(group);
  });

  it('reads its range alone', () => {
    const inside = Buffer.from('<<sensor_1>');
    expect(keyGroupOf(inside, 2, 10, 128)).toBe(26);
  });

  it('stays below maxParallelism, and spreads keys over all groups', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 2_000; i++) seen.add(groupOf(Buffer.from(`sensor_${i}`), 128));
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 128 }, (_, group) => group));
    expect(groupOf(Buffer.from('sensor_1'), 1)).toBe(0);
  });

  it('never reaches the first two bytes of keys that are kept for Weir itself', () => {
    const groups = Array.from({ length: 1_000 }, (_, i) => groupOf(Buffer.from([i >> 8, i]), MAX_KEY_GROUPS));
    expect(Math.max(...groups)).toBeLessThan(0x8000);
  });
});
