import { beforeEach, describe, expect, it } from '@jest/globals';
import type { SeenRecord } from '../witness/seen-record.js';
import { leapingReadings, SoundRun, storedKey } from './sound-run.spec-d.js';

const text = (record: SeenRecord): string => record.value!.toString('utf8');
const withValue = (record: SeenRecord, value: string | Buffer): SeenRecord => ({ ...record, value: Buffer.from(value as string) });

let run: SoundRun;
/** The output partition with the most alerts. */
let alerts: SeenRecord[];

beforeEach(() => {
  run = new SoundRun(leapingReadings(605));
  alerts = run.output.reduce((a, b) => (a.length >= b.length ? a : b));
});

describe('the judge', () => {
  it('finds nothing in what a correct service leaves behind', () => {
    const verdict = run.judge();
    expect(verdict).toMatchObject({ ok: true, readings: 605, sensors: 29, counts: {}, samples: [] });
    expect(verdict.alerts).toBe(verdict.expectedAlerts);
    expect(verdict.alerts).toBeGreaterThan(150);
    expect(verdict.storesAudited).toBe(run.stores.length);
  });

  it('counts epochs, and says how many records the largest has', () => {
    const sizes = run.changelog.map((log) => {
      const ends = log.flatMap((record, i) => (record.key!.toString('hex') === 'ffff01' ? [i] : []));
      return ends.map((end, i) => end - (ends[i - 1] ?? -1));
    });
    expect(run.judge()).toMatchObject({ epochs: sizes.flat().length, largestEpoch: Math.max(...sizes.flat()) });
  });

  it('finds an alert that is there twice, next to itself or at the end', () => {
    alerts.splice(3, 0, alerts[2]!);
    expect(run.judge().counts).toEqual({ 'alert-twice': 1 });
    alerts.push(alerts[2]!);
    expect(run.judge().counts).toEqual({ 'alert-twice': 2 });
  });

  it('finds a run of alerts that is there twice, as a replay without its transaction leaves it', () => {
    alerts.splice(20, 0, ...alerts.slice(10, 20));
    expect(run.judge().counts).toEqual({ 'alert-twice': 10 });
  });

  it('finds an alert that is missing, the first, one amidst, or the last', () => {
    for (const at of [0, 10, -1]) alerts.splice(at, 1);
    expect(run.judge().counts).toEqual({ 'alert-missing': 3 });
  });

  it('finds a missing partition of the output', () => {
    const gone = alerts.splice(0).length;
    expect(run.judge().counts).toEqual({ 'alert-missing': gone });
  });

  it('finds two alerts of one sensor that changed places, and lets those of two sensors do so', () => {
    const { key } = alerts[5]!;
    const next = alerts.findIndex((each, i) => i > 5 && each.key!.equals(key!));
    [alerts[5], alerts[next]] = [alerts[next]!, alerts[5]!];
    expect(run.judge().counts).toEqual({ 'alert-order': 1 });
    [alerts[5], alerts[next]] = [alerts[next], alerts[5]];

    const other = alerts.findIndex((each, i) => i > 5 && !each.key!.equals(key!));
    expect(other).toBe(6);
    [alerts[5], alerts[6]] = [alerts[6]!, alerts[5]];
    expect(run.judge().ok).toBe(true);
  });

  it('finds an alert that says another value, before or after', () => {
    alerts[4] = withValue(alerts[4]!, text(alerts[4]!).replace(/"temperature":[\d.]+/, '"temperature":99.5'));
    alerts[9] = withValue(alerts[9]!, text(alerts[9]!).replace(/"lastTemperature":[\d.]+/, '"lastTemperature":0.25'));
    expect(run.judge().counts).toEqual({ 'alert-altered': 2 });
  });

  it('finds an alert that nothing in the input calls for, also of a sensor that never was', () => {
    alerts.push(withValue(alerts[0]!, text(alerts[0]!).replace(/"timestamp":\d+/, '"timestamp":77')));
    const ghost = { id: 'ghost', lastTemperature: 1, temperature: 20, timestamp: 5 };
    alerts.push({ ...alerts[0]!, key: Buffer.from('ghost'), value: Buffer.from(JSON.stringify(ghost)) });
    expect(run.judge().counts).toEqual({ 'alert-alien': 2 });
  });

  it('finds an alert in other words, under another key, without a value, or in a partition where its key does not belong', () => {
    alerts[1] = withValue(alerts[1]!, text(alerts[1]!).replace(',', ', '));
    alerts[2] = { ...alerts[2]!, key: Buffer.from('sensor_x') };
    alerts[3] = { ...alerts[3]!, value: null };
    alerts[4] = { ...alerts[4]!, home: alerts[4]!.partition + 1 };
    expect(run.judge().counts).toEqual({ 'alert-format': 3, 'alert-missing': 3, 'alert-partition': 1 });
  });

  it('finds a changelog that ends with another temperature, or without one', () => {
    const [first, second] = ['sensor_0', 'sensor_1'].map((id) => storedKey(id)) as [Buffer, Buffer];
    const logOf = (key: Buffer): SeenRecord[] => run.changelog.find((log) => log.some((record) => record.key!.equals(key)))!;
    const log = logOf(first);
    const last = log.findLastIndex((record) => record.key!.equals(first));
    log[last] = withValue(log[last]!, Buffer.concat([Buffer.from([0]), Buffer.alloc(8, 1)]));
    const other = logOf(second);
    const gone = other.findLastIndex((record) => record.key!.equals(second));
    other[gone] = { ...other[gone]!, value: null };
    run.stores.length = 0;
    expect(run.judge().counts).toEqual({ 'state-wrong': 2 });
  });

  it('finds state of a sensor without readings, and state in the wrong task', () => {
    const stray = { ...run.changelog[0]![0]!, key: storedKey('nobody') };
    run.changelog[0]!.unshift({ ...stray, offset: -1 });
    const moved = run.changelog[1]!.find((record) => record.key!.equals(storedKey('sensor_2')) || record.key!.length > 6)!;
    const latest = run.changelog[1]!.findLast((record) => record.key!.equals(moved.key!))!;
    run.changelog[0]!.unshift({ ...latest, partition: 0, offset: -2 });
    run.stores.length = 0;
    expect(run.judge().counts).toEqual({ 'state-wrong': 1, 'state-placement': 1 });
  });

  it('finds changelog records that no epoch record follows', () => {
    run.changelog[1]!.pop();
    const { counts } = run.judge();
    expect(counts['epoch-incomplete']).toBe(1);
  });

  it('finds an epoch record that cannot be read, and one that went back', () => {
    const epochs = run.changelog[0]!.flatMap((record, i) => (record.key!.toString('hex') === 'ffff01' ? [i] : []));
    const [early, , late] = epochs as [number, number, number];
    const log = run.changelog[0]!;
    log[late] = { ...log[late]!, value: log[early]!.value };
    run.stores.length = 0;
    expect(run.judge().counts).toEqual({ 'epoch-went-back': 1 });
    log[late] = withValue(log[late], '{}');
    expect(run.judge().counts).toEqual({ 'epoch-incomplete': 1 });
  });

  it('finds a last epoch record that stands before the end of the input', () => {
    run.input[2]!.push({ ...run.input[2]![0]!, offset: run.input[2]!.length, value: Buffer.from('sensor_late,1,1') });
    const { counts } = run.judge();
    expect(counts['epoch-behind']).toBe(1);
    expect(counts['group-offset']).toBeUndefined();
  });

  it('finds group offsets that are behind, ahead, or not there', () => {
    const [a, b, c, d] = run.input.map((log) => log.length) as [number, number, number, number];
    run.facts = {
      groupOffsets: new Map([
        [0, a - 1],
        [1, b + 1],
        [3, d],
      ]),
    };
    expect([a, b, c, d].every((end) => end > 0)).toBe(true);
    expect(run.judge().counts).toEqual({ 'group-offset': 3 });
  });

  it('finds a transaction that is open, by name or by a last stable offset that stays behind', () => {
    run.facts = {
      openTransactions: ['changelog-0: producer 7'],
      output: run.output.map((log, partition) => ({
        partition,
        start: 0,
        lastStable: log.length,
        highWatermark: log.length + (partition === 1 ? 3 : 0),
      })),
    };
    expect(run.judge().counts).toEqual({ 'transaction-open': 2 });
  });

  it('finds a store that was ahead of its changelog when its process died, behind it, or beyond its end', () => {
    const [first, second, third] = run.stores.filter(({ task }) => task === 0) as [never, never, never];
    const stores = run.stores as { offset: number; digest: string }[];
    const change = (of: object, by: object): void =>
      void (stores[stores.indexOf(of as never)] = { ...(of as { offset: number; digest: string }), ...by });
    change(second, { offset: (second as { offset: number }).offset - 1 }); // holds a record more than its position says
    expect(run.judge().counts).toEqual({ 'store-ahead': 1 });
    change(first, { offset: (third as { offset: number }).offset }); // its position ran ahead of its data
    expect(run.judge().counts).toEqual({ 'store-ahead': 2 });
    change(third, { offset: run.changelog[0]!.length + 5 });
    expect(run.judge().counts).toEqual({ 'store-ahead': 3 });
  });

  it('finds a store with entries and without a position', () => {
    run.stores.push({ name: 'kill 9', stage: 0, task: 1, offset: undefined, digest: 'x', entries: 3 });
    expect(run.judge().counts).toEqual({ 'store-ahead': 1 });
  });

  it('refuses to judge by an input that is no readings, or lies where its keys do not belong', () => {
    run.input[0]![0] = { ...run.input[0]![0]!, home: 3 };
    expect(run.judge().counts).toEqual({ 'input-misplaced': 1 });
    run.input[0]![0] = withValue(run.input[0]![0], 'sensor_1,12');
    expect(() => run.judge()).toThrow('not a reading: "sensor_1,12"');
  });

  it('keeps a few samples of each rule and counts all', () => {
    alerts.splice(0, 30);
    const verdict = run.judge();
    expect(verdict.counts).toEqual({ 'alert-missing': 30 });
    expect(verdict.samples).toHaveLength(5);
    expect(verdict.samples[0]!.detail).toMatch(/^sensor_\d+: [\d.]+ -> [\d.]+ at \d+$/);
  });
});
