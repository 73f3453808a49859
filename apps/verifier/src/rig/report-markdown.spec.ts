import { describe, expect, it } from '@jest/globals';
import { reportMarkdown } from './report-markdown.js';
import { rigArguments } from './run-options.js';
import type { RunReport } from './run-report.js';

const ARGS = ['--variant', 'brokers', '--kills', '1000', '--readings', '10000000', '--seed', '5'];
const [OPTIONS] = rigArguments(ARGS, {}, () => 1).runs;
const REPORT: RunReport = {
  job: 'temperature-alerts',
  variant: 'brokers',
  sabotage: undefined,
  seed: 5,
  kills: 1_000,
  faults: { 'SIGKILL of a replica': 500, 'SIGTERM of a broker': 51 },
  lives: 751,
  ok: true,
  unfinished: undefined,
  foundAfterKills: undefined,
  counts: {},
  samples: [],
  readings: 10_000_000,
  flowSeconds: 2_400,
  startMs: 2_345,
  restores: { count: 900, records: 12_000, tails: 0, tailsWithRecords: 0, largestTail: 0 },
  readers: [{ reader: 'java', topic: 'out', records: 3_000_000, longestGapMs: 5_432 }],
  deathsInspected: 0,
  tornTransactions: 0,
  verdict: {
    ok: true,
    readings: 10_000_000,
    sensors: 2_000,
    alerts: 3_000_000,
    expectedAlerts: 3_000_000,
    more: {},
    epochs: 60_000,
    largestEpoch: 517,
    storesAudited: 0,
  },
  seconds: 2_700,
  folder: undefined,
};
const when = new Date('2026-01-02T03:04:05Z');
const rows = (report: RunReport): string[] => reportMarkdown(OPTIONS!, report, when).split('\n').filter((line) => line.startsWith('| '));

describe('a report that is kept', () => {
  it('says what was done, what came of it, and how to run it again', () => {
    const text = reportMarkdown(OPTIONS!, REPORT, when);
    expect(text).toContain('**Nothing was lost, nothing came twice, and nothing out of order.**');
    expect(text).toContain('--variant brokers --kills 1000 --broker-restarts 100 --proxy-faults 100 --readings 10000000 --sensors 2000 --partitions 8 --seed 5');
    expect(rows(REPORT)).toEqual(
      expect.arrayContaining([
        '| readings, each with an id of its own | 10,000,000 |',
        '| SIGKILL of a replica | 500 |',
        '| outputs that the input calls for; committed | 3,000,000; 3,000,000 |',
        '| lost | 0 |',
        '| twice | 0 |',
        "| Kafka's own reader of out, running from beginning to end | 3,000,000 records, silent for 5.4 s at most |",
        '| minutes in all; of them readings flowed | 45.0; 40.0 |',
      ]),
    );
  });

  it('counts what was broken, and shows it', () => {
    const broken: RunReport = { ...REPORT, ok: false, counts: { 'alert-twice': 2 }, samples: [{ rule: 'alert-twice', detail: 'sensor_1 twice\nmore' }] };
    const text = reportMarkdown(OPTIONS!, broken, when);
    expect(text).toContain('**Violated.** no alert is in the output twice (`alert-twice`): broken 2 times.');
    expect(rows(broken)).toContain('| twice | 2 |');
    expect(text).toContain('- alert-twice: sensor_1 twice\n');
  });

  it('of a run that was cut has no outcome, and says so', () => {
    const { verdict: _verdict, ...rest } = REPORT;
    const text = reportMarkdown(OPTIONS!, { ...rest, verdict: undefined, ok: false, unfinished: 'interrupted by SIGTERM' }, when);
    expect(text).toContain('**Unfinished: interrupted by SIGTERM.**');
    expect(text).not.toContain('| lost |');
  });
});
