import { describe, expect, it } from '@jest/globals';
import type { MeasuredPhase } from '../replay/phase-meter.js';
import { memoryReport, staysWithin } from './memory-report.js';

const phase = (name: string, operations: number, peakBytes: number): MeasuredPhase => ({
  name, operations, elapsedMs: 2_000, cpuMs: 3_000, residentBytes: 400_000_000, peakBytes, heapBytes: 100_000_000, externalBytes: 50_000_000,
});

describe('the report of memory', () => {
  const figures = [
    { title: 'five keys', phases: [phase('restart', 0, 90_000_000), phase('fill', 1_000_000, 500_000_000)] },
    { title: 'one map', phases: [phase('iterate', 1_000_000, 300_000_000)] },
  ];

  it('gives each phase its rate and its memory', () => {
    const lines = memoryReport(figures, 700_000_000);
    expect(lines.find((line) => line.startsWith('fill'))?.split(/\s{2,}/)).toEqual(['fill', '1,000,000', '500,000', '3.00', '500', '400', '100', '50']);
  });

  it('gives a phase without operations its time', () => {
    expect(memoryReport(figures, 700_000_000).find((line) => line.startsWith('restart'))).toContain('in 2.00 s');
  });

  it('judges by the highest peak of all processes', () => {
    expect(memoryReport(figures, 500_000_000).at(-1)).toBe('peak 500 MB resident, within the limit of 500 MB');
    expect(memoryReport(figures, 499_000_000).at(-1)).toBe('peak 500 MB resident, ABOVE the limit of 499 MB');
    expect(staysWithin(figures, 500_000_000)).toBe(true);
    expect(staysWithin(figures, 499_000_000)).toBe(false);
  });
});
