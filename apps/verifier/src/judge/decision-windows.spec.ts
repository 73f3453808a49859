import { beforeEach, describe, expect, it } from '@jest/globals';
import { type Decision, DecisionWindows } from './decision-windows.js';
import type { LimitVersion } from './limit-log.js';

/** Versions of one sensor: none, then one from position 1, then one from position 6 on. */
const LIMIT = { site: 's', lower: 0, upper: 1 };
const NONE: LimitVersion = { limit: null, from: 0, until: 0 };
const FIRST: LimitVersion = { limit: LIMIT, from: 1, until: 5 };
const SECOND: LimitVersion = { limit: LIMIT, from: 6, until: Infinity };

let windows: DecisionWindows;
const epoch = (readings: number, limits: number): void =>
  windows.epoch([
    { topic: 'readings', partition: 0, offset: readings },
    { topic: 'limits', partition: 0, offset: limits },
  ]);
const decide = (...versions: readonly (LimitVersion | undefined)[]) =>
  windows.of(0, versions.map((version, offset): Decision => ({ offset, limits: 0, version })));
const bounds = (...versions: readonly (LimitVersion | undefined)[]) => decide(...versions).map(({ low, high }) => [low, high]);

beforeEach(() => {
  windows = new DecisionWindows({ input: 'readings', limits: 'limits' });
});

describe('what a task had read of the limits when it checked a reading', () => {
  it('lies between what the epoch records before and behind it tell', () => {
    epoch(2, 0);
    epoch(3, 4);
    epoch(5, 10);
    expect(bounds(undefined, undefined, undefined, undefined, undefined)).toEqual([[0, 0], [0, 0], [0, 4], [4, 10], [4, 10]]);
  });

  it('is narrowed by what alarms name, for the readings before and behind them', () => {
    epoch(5, 10);
    expect(bounds(undefined, FIRST, undefined, SECOND, undefined)).toEqual([[0, 5], [1, 5], [1, 10], [6, 10], [6, 10]]);
  });

  it('never goes back', () => {
    epoch(5, 10);
    expect(decide(SECOND, FIRST).map(({ broken }) => broken)).toEqual([undefined, 'limit-went-back']);
  });

  it('is wrong where the limit came only after the epoch, or was over before it', () => {
    epoch(1, 4);
    epoch(2, 8);
    epoch(3, 8);
    expect(decide(SECOND, undefined, FIRST).map(({ broken }) => broken)).toEqual(['limit-wrong', undefined, 'limit-wrong']);
    expect(decide(FIRST, FIRST, SECOND).map(({ broken }) => broken)).toEqual([undefined, undefined, undefined]);
    expect(decide(NONE).map(({ broken }) => broken)).toEqual([undefined]);
  });

  it('has no bound behind the last epoch, and none for a sensor without limits', () => {
    epoch(1, 4);
    expect(bounds(undefined, undefined)).toEqual([[0, 4], [4, Infinity]]);
    expect(windows.of(0, [{ offset: 0, limits: undefined, version: undefined }])).toMatchObject([{ low: 0, high: Infinity }]);
  });
});
