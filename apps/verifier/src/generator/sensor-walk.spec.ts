import { describe, expect, it } from '@jest/globals';
import { parseReading } from '../judge/reading-line.js';
import { sensorId, SensorWalk } from './sensor-walk.js';

const walk = (seed: number, count: number, sensors = 50) => {
  const of = new SensorWalk({ seed, sensors });
  return Array.from({ length: count }, () => of.next());
};

describe('the walk of the sensors', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(walk(7, 500)).toEqual(walk(7, 500));
    expect(walk(7, 500)).not.toEqual(walk(8, 500));
  });

  it('gives readings whose key is their id, each with a time of its own', () => {
    const readings = walk(1, 2_000);
    const parsed = readings.map(({ value }) => parseReading(value));
    expect(parsed.map(({ id }) => id)).toEqual(readings.map(({ key }) => key));
    expect(new Set(parsed.map(({ timestamp }) => timestamp)).size).toBe(2_000);
    expect(new Set(readings.map(({ key }) => key)).size).toBe(50);
  });

  it('leaps by 10 degrees or more in about three of ten readings, and stays on this planet', () => {
    const last = new Map<string, number>();
    let leaps = 0;
    for (const { value } of walk(3, 20_000)) {
      const { id, temperature } = parseReading(value);
      if (Math.abs(temperature - (last.get(id) ?? temperature)) >= 10) leaps++;
      expect(Math.abs(temperature)).toBeLessThan(100);
      last.set(id, temperature);
    }
    expect(leaps / 20_000).toBeGreaterThan(0.25);
    expect(leaps / 20_000).toBeLessThan(0.35);
  });

  it('has ids that are not ASCII among the others, and none with a space or a comma, for they travel in lines', () => {
    const ids = Array.from({ length: 100 }, (_, i) => sensorId(i));
    expect(ids.filter((id) => Buffer.byteLength(id) > id.length)).toEqual(['fühler_7', 'fühler_57']);
    expect(ids.filter((id) => /[\s,]/.test(id))).toEqual([]);
  });
});
