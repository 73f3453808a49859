import { describe, expect, it } from '@jest/globals';
import { parseReading } from '../judge/reading-line.js';
import { sensorId } from './sensor-walk.js';
import { SiteWalk } from './site-walk.js';

const walk = (seed: number) => {
  const of = new SiteWalk({ seed, sensors: 40 }, 'limits');
  return { before: of.before, rest: Array.from({ length: 20_000 }, () => of.next()) };
};

describe('readings and limits of sites', () => {
  const { before, rest } = walk(5);
  const limits = rest.filter(({ topic }) => topic === 'limits');

  it('are the same for the same seed, and others for another', () => {
    expect(walk(5)).toEqual({ before, rest });
    expect(walk(6).rest).not.toEqual(rest);
  });

  it('begin with a limit for three of four sensors', () => {
    const ids = Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 4 !== 3).map(sensorId);
    expect(before.map(({ key }) => key)).toEqual(ids);
    expect(before.every(({ topic, value }) => topic === 'limits' && value !== null)).toBe(true);
  });

  it('go on with readings, and now and then a limit or a tombstone of those sensors whose limits change', () => {
    for (const { topic, key, value } of rest) if (topic === undefined) expect(parseReading(value!).id).toBe(key);
    const changing = new Set(limits.map(({ key }) => key));
    expect([...changing].sort()).toEqual(Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 4 === 1 || i % 4 === 2).map(sensorId).sort());
    expect(limits.length).toBeGreaterThan(50);
    expect(limits.filter(({ value }) => value === null).length).toBeGreaterThan(10);
  });

  it('never have the same limit twice for one sensor, by which the judge knows the version', () => {
    const all = [...before, ...limits].filter(({ value }) => value !== null).map(({ key, value }) => `${key} ${(JSON.parse(value!) as { upper: number }).upper}`);
    expect(new Set(all).size).toBe(all.length);
  });
});
