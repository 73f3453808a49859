import { beforeAll, describe, expect, it } from '@jest/globals';
import { requireRig, runRig } from './rig-process.spec-d.js';

/**
 * Three replicas and three brokers, and the network between them, all struck at once: rig/siege.ts. Longer runs: `npm run chaos -- --tenth`.
 */
const LIMIT_MS = 240_000;

beforeAll(requireRig);

describe('three replicas on three brokers', () => {
  it(
    'lose and repeat nothing while replicas die, brokers restart and connections break',
    async () => {
      const extent = ['--kills', '8', '--broker-restarts', '2', '--proxy-faults', '4', '--readings', '40000', '--sensors', '500', '--flow-seconds', '5'];
      const { report } = await runRig(undefined, '--variant', 'brokers', ...extent, '--seed', '1');
      const { counts, samples, verdict, kills, faults, readers } = report;
      expect({ counts, samples }).toEqual({ counts: {}, samples: [] });
      expect(verdict!.alerts).toBe(verdict!.expectedAlerts);
      expect(verdict!.alerts).toBeGreaterThan(verdict!.readings / 10);
      expect(kills).toBe(8);
      expect(faults['SIGKILL of a broker']! + faults['SIGTERM of a broker']!).toBe(2);
      expect(faults).toMatchObject({ 'network: cut': 1, 'network: delay': 1, 'network: stall': 1, 'network: lost answers': 1 });
      expect(readers.map(({ records }) => records)).toEqual([verdict!.alerts, verdict!.alerts]);
    },
    LIMIT_MS,
  );
});
