import { beforeEach, describe, expect, it } from '@jest/globals';
import type { SeenRecord } from '../witness/seen-record.js';
import type { Alarm } from './alarm-ledger.js';
import { SoundSiteRun } from './sound-site-run.spec-d.js';

let run: SoundSiteRun;
/** The partition with the most alarms, and that with the most counts. */
let alarms: SeenRecord[];
let counts: SeenRecord[];

const fullest = (logs: readonly SeenRecord[][]): SeenRecord[] => logs.reduce((a, b) => (a.length >= b.length ? a : b));
const contentOf = (record: SeenRecord): Alarm => JSON.parse(String(record.value)) as Alarm;
const changed = (record: SeenRecord, by: object): SeenRecord => ({ ...record, value: Buffer.from(JSON.stringify({ ...contentOf(record), ...by })) });
const rules = (): string[] => Object.keys(run.judge().counts).sort();

beforeEach(() => {
  run = new SoundSiteRun(3, 1_500);
  alarms = fullest(run.alarms);
  counts = fullest(run.counts);
});

describe('the judge of site-alarms', () => {
  it.each([1, 2, 3, 4])('finds nothing in what a correct service leaves behind, in whatever order it read limits and readings: %d', (seed) => {
    const verdict = new SoundSiteRun(seed, 1_500).judge();
    expect({ counts: verdict.counts, samples: verdict.samples }).toEqual({ counts: {}, samples: [] });
    expect(verdict.alerts).toBe(verdict.expectedAlerts);
    expect(verdict.alerts).toBeGreaterThan(400);
    expect(verdict.more['alarms counted']).toBe(verdict.alerts);
    const open = verdict.readings - verdict.more['readings with one outcome']!;
    expect(open).toBeLessThan(verdict.readings / 50);
  });

  it('finds an alarm that is missing, and a count without its alarm', () => {
    alarms.splice(7, 1);
    expect(run.judge().counts).toMatchObject({ 'alert-missing': 1, 'count-alien': 1 });
  });

  it('finds an alarm that is there twice', () => {
    alarms.push(alarms[4]!);
    expect(run.judge().counts).toEqual({ 'alert-twice': 1 });
  });

  it('finds two alarms of a sensor that changed places', () => {
    const next = alarms.findIndex((record, i) => i > 5 && record.key!.equals(alarms[5]!.key!));
    [alarms[5], alarms[next]] = [alarms[next]!, alarms[5]!];
    expect(rules()).toEqual(['alert-order']);
  });

  it('finds a row that was counted on from a lost reading', () => {
    const at = alarms.findIndex((record) => contentOf(record).inARow > 2);
    alarms[at] = changed(alarms[at]!, { inARow: contentOf(alarms[at]!).inARow + 1 });
    expect(run.judge().counts).toEqual({ 'alert-altered': 1 });
  });

  it('finds a limit that the sensor never had, and an alarm that its limit does not call for', () => {
    alarms[3] = changed(alarms[3]!, { upper: 12.345 });
    alarms[4] = changed(alarms[4]!, { temperature: contentOf(alarms[4]!).upper });
    expect(run.judge().counts).toMatchObject({ 'limit-wrong': 1, 'alert-alien': 1 });
  });

  it('finds an alarm by a limit that was no longer in force in the epoch of its reading', () => {
    run = new SoundSiteRun(3, 4_000);
    const { log, at, old } = outdated();
    log[at] = changed(log[at]!, old);
    expect(rules()).toContain('limit-wrong');
  });

  it('finds an alarm of a reading that never was', () => {
    alarms.push(changed(alarms[0]!, { timestamp: 9_999_999_999 }));
    expect(run.judge().counts).toMatchObject({ 'alert-alien': 1, 'count-missing': 1 });
  });

  it('finds an alarm in other words, or in a partition where its key does not belong', () => {
    alarms[1] = { ...alarms[1]!, value: Buffer.from(String(alarms[1]!.value).replace(',', ', ')) };
    alarms[2] = { ...alarms[2]!, home: alarms[2]!.partition + 1 };
    expect(run.judge().counts).toMatchObject({ 'alert-format': 1, 'alert-partition': 1 });
  });

  it('finds a count that is there twice, as a replayed shuffle leaves it', () => {
    const again = contentOf(counts.at(-1)!) as unknown as { readonly alarms: number };
    counts.push(changed(counts.at(-1)!, { alarms: again.alarms + 1 }));
    expect(run.judge().counts).toEqual({ 'count-twice': 1, 'state-wrong': 1 });
  });

  it('finds a count that is missing, and the gap that it leaves', () => {
    counts.splice(3, 1);
    expect(run.judge().counts).toEqual({ 'count-gap': 1, 'count-missing': 1 });
  });

  it('finds an alarm that was counted at another site', () => {
    const other = counts.find((record) => !record.key!.equals(counts[0]!.key!))!;
    const { lastSensor, lastTimestamp } = contentOf(counts[0]!) as unknown as { lastSensor: string; lastTimestamp: number };
    const at = counts.indexOf(other);
    counts[at] = changed(other, { lastSensor, lastTimestamp });
    expect(run.judge().counts).toMatchObject({ 'count-twice': 1, 'count-missing': 2, 'count-alien': 1 });
  });

  it('finds a task that holds an older limit than the newest, and one that holds a limit that was removed', () => {
    const isLimit = ({ key }: SeenRecord): boolean => key!.toString('hex').startsWith('8000');
    const log = run.checks[1]!;
    const last = log.findLastIndex(isLimit);
    const key = log[last]!.key!;
    log[last] = { ...log[last]!, value: log[last]!.value === null ? Buffer.from('{"site":"x"}') : null };
    expect(run.judge().counts).toEqual({ 'state-wrong': 1 });
    expect(run.judge().samples[0]!.detail).toContain(`of ${key.toString('utf8', 6)}`);
  });

  it('finds limits that the last epoch does not cover', () => {
    run.limits[0]!.push({ ...run.limits[0]![0]!, offset: run.limits[0]!.length });
    expect(run.judge().counts['epoch-behind']).toBe(2); // both tasks
  });
});

/** A late alarm whose sensor had another limit at the beginning, which its temperature would have left, too. */
function outdated(): { readonly log: SeenRecord[]; readonly at: number; readonly old: object } {
  for (const log of run.alarms) {
    for (let at = log.length - 1; at > 0; at--) {
      const { id, temperature, upper } = contentOf(log[at]!);
      const first = contentOf(run.limits.flat().find(({ key }) => String(key) === id)!);
      if (first.upper !== upper && (temperature > first.upper || temperature < first.lower)) {
        const { site, lower } = first;
        return { log, at, old: { site, lower, upper: first.upper } };
      }
    }
  }
  throw new Error('no such alarm: choose another seed');
}
