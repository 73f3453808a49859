import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalBroker, startBroker } from '../../../../scripts/local-broker.mjs';
import { requireRig, runRig } from './rig-process.spec-d.js';

/**
 * Three processes of the main job in one group, each killed, stopped or paused beyond its session while readings flow: killer/companion.ts.
 * Longer runs: `npm run chaos -- --variant replicas --kills 100`.
 */
const LIMIT_MS = 180_000;

let broker: LocalBroker;

beforeAll(async () => {
  requireRig();
  broker = await startBroker();
}, LIMIT_MS);

afterAll(() => broker?.stop(), LIMIT_MS);

describe('three replicas', () => {
  it(
    'lose and repeat nothing, whichever of them dies or hangs',
    async () => {
      const options = ['--variant', 'replicas', '--kills', '5', '--readings', '40000', '--sensors', '500', '--flow-seconds', '5', '--seed', '2'];
      const { report } = await runRig(broker.brokers, ...options);
      const { counts, samples, verdict, kills } = report;
      expect({ counts, samples }).toEqual({ counts: {}, samples: [] });
      expect(verdict!.alerts).toBe(verdict!.expectedAlerts);
      expect(verdict!.alerts).toBeGreaterThan(verdict!.readings / 10);
      expect(kills).toBeGreaterThan(5); // those of the companions count, too
    },
    LIMIT_MS,
  );
});
