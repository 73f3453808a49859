import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalBroker, startBroker } from '../../../../scripts/local-broker.mjs';
import type { SabotageName } from '../sabotaged/sabotage-names.js';
import { requireRig, runRig } from './rig-process.spec-d.js';

/** The rig must be able to fail: a service that is broken on purpose is found out. All sabotages: `npm run chaos -- --sabotage all`. */
const LIMIT_MS = 120_000;

let broker: LocalBroker;

beforeAll(async () => {
  requireRig();
  broker = await startBroker();
}, LIMIT_MS);

afterAll(() => broker?.stop(), LIMIT_MS);

const sabotaged = (name: SabotageName, ...args: readonly string[]) => runRig(broker.brokers, '--sabotage', name, '--seed', '1', ...args);

describe('the rig', () => {
  it(
    'finds at the first kill that the epoch record is left out',
    async () => {
      const { report, code } = await sabotaged('epoch-dropped');
      expect(code).toBe(0);
      expect(report).toMatchObject({ ok: false, counts: { 'cut-torn': 1 } });
    },
    LIMIT_MS,
  );

  it(
    'finds that positions of stores run ahead of their data, in the stores of the dead and in the alerts',
    async () => {
      const { report, code } = await sabotaged('store-hollow');
      expect(code).toBe(0);
      expect(report.ok).toBe(false);
      expect(report.counts['store-ahead']).toBeGreaterThan(0);
      expect(report.samples.some(({ rule }) => rule.startsWith('alert-'))).toBe(true);
    },
    LIMIT_MS,
  );

  it(
    'finds alarms that were raised and counted twice',
    async () => {
      const { report, code } = await sabotaged('count-doubled', '--kills', '2', '--readings', '10000');
      expect(code).toBe(0);
      expect(report).toMatchObject({ job: 'site-alarms', ok: false });
      expect(Object.keys(report.counts)).toEqual(expect.arrayContaining(['alert-twice', 'count-twice']));
    },
    LIMIT_MS,
  );
});
