import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalBroker, startBroker } from '../../../../scripts/local-broker.mjs';
import { requireRig, runRig } from './rig-process.spec-d.js';
import type { RollingReport } from './rolling.js';

/** Longer runs, and the figures of docs/jobs/rolling-restarts.md: `npm run chaos -- --variant rolling --kills 12 --checkpoint-ms 500`. */
const LIMIT_MS = 240_000;

let broker: LocalBroker;

beforeAll(async () => {
  requireRig();
  broker = await startBroker();
}, LIMIT_MS);

afterAll(() => broker?.stop(), LIMIT_MS);

describe('a rolling restart of three replicas', () => {
  it(
    'loses and repeats nothing, stops each in order, and says for how long partitions were silent',
    async () => {
      const options = ['--variant', 'rolling', '--kills', '3', '--readings', '40000', '--sensors', '500', '--flow-seconds', '5', '--seed', '1'];
      const { report } = await runRig(broker.brokers, ...options);
      const { counts, samples, alerts, expectedAlerts, restarts, silence, steady, lapsMs } = report as unknown as RollingReport;
      expect({ counts, samples }).toEqual({ counts: {}, samples: [] });
      expect(alerts).toBe(expectedAlerts);
      expect([restarts, lapsMs.length]).toEqual([3, 3]);
      expect([steady.maxMs, silence.medianMs, silence.maxMs].every((ms) => ms > 0)).toBe(true);
      expect(silence.maxMs).toBe(Math.max(...lapsMs));
    },
    LIMIT_MS,
  );

  it(
    'loses and repeats nothing where each is killed, and its tasks go to who has copies of their state',
    async () => {
      const options = ['--variant', 'rolling', '--sigkill', '--standbys', '1', '--kills', '2', '--readings', '40000', '--sensors', '500', '--flow-seconds', '5', '--seed', '3'];
      const { report } = await runRig(broker.brokers, ...options);
      const { counts, samples, alerts, expectedAlerts, restarts, standbys, returns, sessionMs } = report as unknown as RollingReport;
      expect({ counts, samples }).toEqual({ counts: {}, samples: [] });
      expect(alerts).toBe(expectedAlerts);
      expect([restarts, standbys, sessionMs]).toEqual([2, 1, 1_500]);
      expect(returns.maxMs).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});
