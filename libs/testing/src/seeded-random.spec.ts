import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from './seeded-random.js';

const take = (random: SeededRandom, count: number): number[] => Array.from({ length: count }, () => random.uint32());

describe('SeededRandom', () => {
  it('gives the same numbers for the same seed, and these for ever, so that a printed seed replays', () => {
    expect(take(new SeededRandom(7), 5)).toEqual(take(new SeededRandom(7), 5));
    expect(take(new SeededRandom(1), 3)).toEqual([792534090, 3215351813, 160231488]);
  });

  it('gives unrelated numbers for neighbouring seeds', () => {
    const all = new Set([1, 2, 3, 4].flatMap((seed) => take(new SeededRandom(seed), 100)));
    expect(all.size).toBe(400);
  });

  it('spreads evenly over its range', () => {
    const random = new SeededRandom(3);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) counts[Math.floor(random.next() * 10)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  it('keeps between() within its bounds and reaches both', () => {
    const random = new SeededRandom(4);
    const seen = new Set(Array.from({ length: 200 }, () => random.between(2, 4)));
    expect([...seen].sort()).toEqual([2, 3, 4]);
  });

  it('forks streams that do not shift it', () => {
    const one = new SeededRandom(5);
    const fork = one.fork(1);
    take(fork, 50);
    expect(take(one, 5)).toEqual(take(new SeededRandom(5), 5));
    expect(take(new SeededRandom(5).fork(1), 5)).not.toEqual(take(new SeededRandom(5).fork(2), 5));
  });
});
