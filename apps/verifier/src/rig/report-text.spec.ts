import { describe, expect, it } from '@jest/globals';
import { progressLine, reportText } from './report-text.js';
import { rigArguments } from './run-options.js';
import type { RunReport } from './run-report.js';

const REPORT: RunReport = {
  job: 'temperature-alerts',
  variant: 'kill',
  sabotage: undefined,
  seed: 5,
  kills: 10,
  faults: {},
  lives: 11,
  ok: true,
  unfinished: undefined,
  foundAfterKills: undefined,
  counts: {},
  samples: [],
  readings: 200_000,
  flowSeconds: 40,
  startMs: 900,
  restores: { count: 36, records: 240, tails: 32, tailsWithRecords: 3, largestTail: 185 },
  readers: [{ reader: 'java', topic: 'out', records: 59_000, longestGapMs: 1_250 }],
  deathsInspected: 7,
  tornTransactions: 2,
  verdict: {
    ok: true,
    readings: 200_000,
    sensors: 2_000,
    alerts: 59_000,
    expectedAlerts: 59_000,
    more: { 'things counted': 12 },
    epochs: 300,
    largestEpoch: 517,
    storesAudited: 28,
  },
  seconds: 48,
  folder: undefined,
};

const lastLine = (report: RunReport): string => reportText(report).split('\n').at(-1)!.trim();

describe('the text of a report', () => {
  it('says what was done, and that nothing was found', () => {
    const text = reportText(REPORT);
    expect(text).toContain('kill, seed 5: 10 blows, 11 lives, 200000 readings in 40 s');
    expect(text).toContain('59000 alerts of 59000 expected');
    expect(text).toContain('12 things counted');
    expect(text).not.toMatch(/undefined|BROKEN|kept/);
    expect(lastLine(REPORT)).toBe('OK');
  });

  it('names each broken rule by its sentence, with samples and where the logs are', () => {
    const text = reportText({
      ...REPORT,
      ok: false,
      counts: { 'alert-twice': 3 },
      samples: [{ rule: 'alert-twice', detail: 'sensor_1: 1 -> 20 at 5' }],
      folder: '/x',
    });
    expect(text).toContain('BROKEN 3 times: no alert is in the output twice (alert-twice)');
    expect(text).toContain('alert-twice: sensor_1: 1 -> 20 at 5');
    expect(text).toContain('/x');
    expect(text.endsWith('VIOLATED')).toBe(true);
  });

  it('says of a sabotage after how many blows it was found, by whom, or that it was not', () => {
    const found = { ...REPORT, sabotage: 'store-early', ok: false, verdict: undefined, startMs: undefined };
    expect(lastLine({ ...found, foundAfterKills: 3 })).toBe('FOUND after 3 blows');
    expect(lastLine(found)).toBe('FOUND by the judge, after 10 blows');
    expect(lastLine({ ...found, ok: true })).toBe('NOT FOUND in 10 blows');
    expect(reportText(found)).toContain('none came to RUNNING');
  });

  it('says what was struck besides, and how long a reader waited', () => {
    const text = reportText({ ...REPORT, faults: { 'SIGKILL of a broker': 3, 'network: cut': 2 } });
    expect(text).toContain('3 SIGKILL of a broker, 2 network: cut');
    expect(text).toContain('java saw 59000 records of out, silent for 1250 ms at most');
  });

  it('does not call a run good that was not judged', () => {
    const text = reportText({ ...REPORT, unfinished: 'interrupted by SIGTERM', verdict: undefined });
    expect(text).toContain('UNFINISHED: interrupted by SIGTERM');
    expect(text.endsWith('NOT JUDGED')).toBe(true);
  });

  it('says in one line how far a run is, and what was found', () => {
    const [run] = rigArguments(['--variant', 'brokers', '--kills', '100'], {}, () => 1).runs;
    const soFar = { ...REPORT, kills: 40, faults: { 'SIGKILL of a broker': 3, 'SIGTERM of a broker': 1 }, seconds: 90 };
    expect(progressLine(run!, soFar)).toContain('1.5 min: 40 of 100 blows, 4 of 10 broker restarts, 200000 of 200000 readings');
    expect(progressLine(run!, soFar)).toContain('nothing was found');
    expect(progressLine(run!, { ...soFar, counts: { 'service-ended': 2 } })).toContain('FOUND 2 times service-ended');
  });
});
