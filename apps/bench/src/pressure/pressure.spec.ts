import { describe, expect, it } from '@jest/globals';
import { report } from './pressure.js';

const alone = { elapsedMs: 10_000, peakRssBytes: 100_000_000, rounds: 20, failedRounds: 0, longestRoundMs: 40, mostBehind: 0 };

describe('the report of a slow stage', () => {
  it('says what part of its pace alone it keeps behind a shuffle, and what lay before it', () => {
    const shuffled = { ...alone, elapsedMs: 12_500, rounds: 9, longestRoundMs: 3_456, mostBehind: 70_000 };
    const lines = report([{ isShuffled: false, result: alone }, { isShuffled: true, result: shuffled }], 100_000);
    expect(lines.slice(2).map((line) => line.split(/ {2,}/))).toEqual([
      ['alone', '10,000', '0', '20', '0', '40 ms', '100'],
      ['behind a shuffle', '8,000', '0.80', '70,000', '9', '0', '3,456 ms', '100'],
    ]);
  });
});
