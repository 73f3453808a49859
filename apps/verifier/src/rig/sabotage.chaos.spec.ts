import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalBroker, startBroker } from '../../../../scripts/local-broker.mjs';
import { LineProcess } from '../witness/line-process.js';
import { PROJECT_ROOT } from '../witness/project-root.js';
import type { SabotageName } from '../sabotaged/sabotage-names.js';
import type { RunReport } from './run.js';

/** The rig must be able to fail: a service that is broken on purpose is found out. All sabotages: `npm run chaos -- --sabotage all`. */
const RIG = join(PROJECT_ROOT, 'dist', 'apps', 'verifier', 'main.js');
const LIMIT_MS = 120_000;

let broker: LocalBroker;

beforeAll(async () => {
  if (!existsSync(RIG)) throw new Error(`${RIG} is not built: run npm run build`);
  broker = await startBroker();
}, LIMIT_MS);

afterAll(() => broker?.stop(), LIMIT_MS);

async function sabotaged(name: SabotageName): Promise<{ readonly report: RunReport; readonly code: number | null }> {
  const lines: string[] = [];
  const rig = new LineProcess({
    command: [process.execPath, RIG, '--json', '--brokers', broker.brokers, '--sabotage', name, '--seed', '1'],
    env: { ...process.env, NODE_OPTIONS: undefined },
    onLine: (line) => lines.push(line),
  });
  try {
    const { code } = await rig.ended;
    if (lines.length === 0) throw new Error(`the rig has no report: ${rig.lastWords}`);
    return { report: JSON.parse(lines.at(-1)!) as RunReport, code };
  } finally {
    await rig.kill();
  }
}

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
});
