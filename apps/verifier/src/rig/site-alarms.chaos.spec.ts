import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalBroker, startBroker } from '../../../../scripts/local-broker.mjs';
import { requireRig, runRig } from './rig-process.spec-d.js';
import type { RunReport } from './run-report.js';

/**
 * apps/site-alarms as it is built, killed while readings flow and limits change: broadcast state, a shuffle and two outputs. What is judged
 * says judge/site-judge.ts. Longer runs: `npm run chaos -- --job site-alarms --help`.
 */
const LIMIT_MS = 180_000;

let broker: LocalBroker;

beforeAll(async () => {
  requireRig();
  broker = await startBroker();
}, LIMIT_MS);

afterAll(() => broker?.stop(), LIMIT_MS);

const chaos = async (...args: readonly string[]): Promise<RunReport> => (await runRig(broker.brokers, '--job', 'site-alarms', ...args)).report;

/** Nothing was found, and there was something to find. */
function expectExactlyOnce({ counts, samples, verdict }: RunReport): void {
  expect({ counts, samples }).toEqual({ counts: {}, samples: [] });
  const { readings, alerts, expectedAlerts, more } = verdict!;
  expect(alerts).toBe(expectedAlerts);
  expect(alerts).toBeGreaterThan(readings / 4);
  expect(more['alarms counted']).toBe(alerts);
  expect(more['limits and tombstones']).toBeGreaterThan(readings / 200);
  expect(more['readings with one outcome']).toBeGreaterThan(readings * 0.9);
}

describe('the alarms of sites', () => {
  it(
    'are raised and counted exactly once through ten kills',
    async () => {
      const report = await chaos('--kills', '10', '--readings', '60000', '--sensors', '1000', '--flow-seconds', '5', '--seed', '1');
      expectExactlyOnce(report);
      expect(report).toMatchObject({ kills: 10, lives: 11 });
    },
    LIMIT_MS,
  );

  it.each([
    ['wipe', 'its state directory deleted between two kills', '5'],
    ['memory', 'its state on the heap', '3'],
  ])(
    'are so (%s) with %s',
    async (variant, _how, seed) => {
      const report = await chaos('--variant', variant, '--kills', '6', '--readings', '20000', '--sensors', '400', '--flow-seconds', '3', '--seed', seed);
      expectExactlyOnce(report);
      expect(report.restores.records).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});
