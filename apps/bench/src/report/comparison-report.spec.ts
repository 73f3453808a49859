import { describe, expect, it } from '@jest/globals';
import { comparisonReport } from './comparison-report.js';
import { type CheckedRun, median, summarize } from './figures.js';

const run = (elapsedMs: number, cpuMs: number, isCorrect = true): CheckedRun => ({
  records: 2_000_000, elapsedMs, cpuMs, peakRssBytes: 200_000_000, alerts: isCorrect ? 100 : 99, isCorrect,
});

describe('the figures of a peer', () => {
  it('are medians over its runs, with the extremes beside them', () => {
    const summary = summarize({ peer: 'weir', runs: [run(4_000, 3_000), run(1_000, 1_000), run(2_000, 2_000)] });
    expect(summary).toMatchObject({ recordsPerSecond: 1_000_000, leastRecordsPerSecond: 500_000, mostRecordsPerSecond: 2_000_000, cpuPerMillion: 1 });
  });

  it('are wrong when one run of many was wrong', () => {
    const summary = summarize({ peer: 'weir', runs: [run(1_000, 1_000), run(1_000, 1_000, false)] });
    expect(summary).toMatchObject({ isCorrect: false, alerts: 99 });
  });

  it('take the mean of the middle two of an even number', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});

describe('the report of a scenario', () => {
  const lines = comparisonReport('1,000 keys', 100, 150, [
    { peer: 'bare', runs: [run(1_000, 1_000)] },
    { peer: 'weir', runs: [run(2_000, 1_500)] },
    { peer: 'other', runs: [run(2_000, 1_500, false)] },
  ]);

  it('compares weir with every other peer', () => {
    expect(lines).toContain('weir / bare: 0.50 of its records/s, 1.50 of its CPU');
    expect(lines).toContain('weir / other: 1.00 of its records/s, 1.00 of its CPU');
  });

  it('says whose runs were too short for their records/s to mean much', () => {
    expect(lines.find((line) => line.startsWith('note:'))).toContain('runs of bare took less than 10 checkpoints');
  });

  it('says loudly whose alerts are not the model\'s', () => {
    expect(lines.find((line) => line.startsWith('other'))).toContain('99, WRONG: the model has 100');
    expect(lines.find((line) => line.startsWith('weir '))).not.toContain('WRONG');
  });
});
