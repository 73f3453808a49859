import { describe, expect, it } from '@jest/globals';
import { SilenceMeter, silenceOf } from './silence-meter.js';

describe('the silence of partitions', () => {
  it('is the longest time between two records, of each partition by itself', () => {
    const meter = new SilenceMeter(2, 0);
    for (const at of [10, 20, 90, 100]) meter.see(0, at);
    for (const at of [30, 60, 100]) meter.see(1, at);
    expect(meter.lap(100)).toEqual([70, 40]);
  });

  it('counts a partition that says nothing, and goes on over the end of a lap', () => {
    const meter = new SilenceMeter(1, 0);
    expect(meter.lap(500)).toEqual([500]);
    meter.see(0, 800);
    meter.see(0, 900);
    expect(meter.lap(950)).toEqual([800]);
    expect(meter.lap(1_000)).toEqual([100]);
  });

  it('is told as median and maximum', () => {
    expect(silenceOf([[100, 300], [200, 900]])).toEqual({ medianMs: 300, maxMs: 900 });
    expect(silenceOf([])).toEqual({ medianMs: 0, maxMs: 0 });
  });
});
