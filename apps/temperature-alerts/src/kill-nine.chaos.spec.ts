import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalBroker, startBroker } from '../../../scripts/local-broker.mjs';

/**
 * The built service, killed while readings flow, and judged by the chaos rig (apps/verifier), which runs as a program of its own. Longer
 * runs, and more ways to hit a process, by command: `npm run chaos -- --help`.
 */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const RIG = join(ROOT, 'dist', 'apps', 'verifier', 'main.js');
const SERVICE = join(ROOT, 'dist', 'apps', 'temperature-alerts', 'main.js');
const LIMIT_MS = 150_000;

interface Report {
  readonly ok: boolean;
  readonly kills: number;
  readonly lives: number;
  readonly readings: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly samples: readonly { readonly rule: string; readonly detail: string }[];
  readonly restores: { readonly count: number; readonly records: number };
  readonly deathsInspected: number;
  readonly verdict:
    { readonly readings: number; readonly sensors: number; readonly alerts: number; readonly expectedAlerts: number } | undefined;
}

const rigs = new Set<ChildProcess>();
let broker: LocalBroker | undefined;

/** Runs the rig in a process group of its own, so that whatever it has started ends with it. */
async function chaos(...args: string[]): Promise<Report> {
  const command = [RIG, '--json', '--brokers', broker!.brokers, ...args];
  const rig = spawn(process.execPath, command, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  rigs.add(rig);
  let said = '';
  let complaint = '';
  rig.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  rig.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  try {
    await new Promise((resolve) => rig.once('close', resolve));
    const line = said.trim().split('\n').at(-1) ?? '';
    if (!line.startsWith('{')) throw new Error(`the rig has no report (exit code ${rig.exitCode}): ${complaint || said}`);
    return JSON.parse(line) as Report;
  } finally {
    endGroup(rig);
  }
}

function endGroup(rig: ChildProcess): void {
  rigs.delete(rig);
  try {
    if (rig.pid !== undefined) process.kill(-rig.pid, 'SIGKILL');
  } catch {
    // The whole group has ended.
  }
}

/** Nothing was found, and there was something to find. */
function expectExactlyOnce(report: Report, readings: number): void {
  expect({ counts: report.counts, samples: report.samples }).toEqual({ counts: {}, samples: [] });
  expect(report.verdict).toMatchObject({ readings, alerts: report.verdict?.expectedAlerts });
  expect(report.verdict!.alerts).toBeGreaterThan(readings / 5);
}

const READINGS = 200_000;
const KILLS = 10;
const FLOW = ['--kills', String(KILLS), '--readings', String(READINGS), '--sensors', '2000', '--seed'];

beforeAll(async () => {
  for (const program of [RIG, SERVICE]) if (!existsSync(program)) throw new Error(`${program} is not built: run npm run build`);
  broker = await startBroker();
}, 120_000);

afterAll(async () => {
  for (const rig of rigs) endGroup(rig);
  await broker?.stop();
}, 60_000);

describe('the service, killed ten times while 200,000 readings of 2,000 sensors flow', () => {
  it(
    'sends every alert once and in order, keeps its stores, and restores their tail alone',
    async () => {
      const report = await chaos('--variant', 'kill', ...FLOW, '1');
      expectExactlyOnce(report, READINGS);
      expect(report).toMatchObject({ kills: KILLS, lives: KILLS + 1 });
      expect(report.deathsInspected).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );

  it(
    'does so when its state directory is deleted between two kills',
    async () => {
      const report = await chaos('--variant', 'wipe', ...FLOW, '5');
      expectExactlyOnce(report, READINGS);
      expect(report.kills).toBe(KILLS);
      expect(report.restores.records).toBeGreaterThan(1_000); // seed 5 deletes after the 5th, 7th and 8th kill, when there is much to restore
    },
    LIMIT_MS,
  );

  it(
    'does so with its state on the heap, restored from the changelog each time',
    async () => {
      const report = await chaos('--variant', 'memory', ...FLOW, '3');
      expectExactlyOnce(report, READINGS);
      expect(report.restores.records).toBeGreaterThan(1_000);
    },
    LIMIT_MS,
  );
});

describe('the service with its state in snapshots, killed five times while 100,000 readings flow', () => {
  it(
    'sends every alert once and in order, and has in the files that its last commits name the state that the readings give',
    async () => {
      const readings = 100_000;
      const report = await chaos('--variant', 'filesystem', '--kills', '5', '--readings', String(readings), '--sensors', '2000', '--seed', '6');
      expectExactlyOnce(report, readings);
      expect(report).toMatchObject({ kills: 5, lives: 6 });
      expect(report.restores.records).toBeGreaterThan(1_000);
    },
    LIMIT_MS,
  );
});

describe('the service, told to stop by SIGTERM while readings flow', () => {
  it(
    'exits with 0 within ten seconds, its final checkpoint taken, and has nothing to restore',
    async () => {
      const readings = 40_000;
      const report = await chaos('--variant', 'term', '--kills', '4', '--readings', String(readings), '--sensors', '2000', '--seed', '4');
      expectExactlyOnce(report, readings);
      expect(report).toMatchObject({ kills: 4, lives: 5, restores: { records: 0 } });
    },
    LIMIT_MS,
  );
});
