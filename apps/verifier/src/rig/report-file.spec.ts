import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { ReportFile } from './report-file.js';
import { rigArguments } from './run-options.js';
import type { RunReport } from './run-report.js';

const [RUN] = rigArguments(['--variant', 'brokers'], {}, () => 1).runs;
const report = (kills: number): RunReport => ({
  job: 'temperature-alerts',
  variant: 'brokers',
  sabotage: undefined,
  seed: 1,
  kills,
  faults: {},
  lives: 1,
  ok: false,
  unfinished: 'it is under way',
  foundAfterKills: undefined,
  counts: {},
  samples: [],
  readings: 0,
  flowSeconds: 0,
  startMs: undefined,
  restores: { count: 0, records: 0, tails: 0, tailsWithRecords: 0, largestTail: 0 },
  readers: [],
  deathsInspected: 0,
  tornTransactions: 0,
  verdict: undefined,
  seconds: 60,
  folder: undefined,
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-report-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the file of a report', () => {
  it('is replaced as a whole, in a folder that is made', async () => {
    const path = join(folder, 'new', 'report.md');
    const file = new ReportFile(path, new ManualClock());
    file.write(RUN!, report(1));
    file.write(RUN!, report(22));
    expect(await readFile(path, 'utf8')).toContain('| blows at replicas; lives | 22; 1 |');
    expect(await readdir(join(folder, 'new'))).toEqual(['report.md']);
  });

  it('keeps what was known last where the run cannot go on, and says why', async () => {
    const path = join(folder, 'report.md');
    const file = new ReportFile(path, new ManualClock());
    file.write(RUN!, report(7));
    file.failed(new Error('the feeder ended'));
    const text = await readFile(path, 'utf8');
    expect(text).toContain('the rig could not go on: the feeder ended');
    expect(text).toContain('| blows at replicas; lives | 7; 1 |');
  });

  it('is not there if nobody asked for it', async () => {
    new ReportFile(undefined, new ManualClock()).write(RUN!, report(1));
    expect(await readdir(folder)).toEqual([]);
  });
});
