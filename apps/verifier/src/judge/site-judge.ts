import { stateIdOf } from '@weir/core';
import type { SeenRecord } from '../witness/seen-record.js';
import { type Alarm, AlarmLedger, alarmName } from './alarm-ledger.js';
import type { EpochInputs, ReplayedPartition } from './changelog-replay.js';
import { compareFloats } from './compare-floats.js';
import { CountLedger } from './count-ledger.js';
import { DecisionWindows } from './decision-windows.js';
import type { JobModel, Tally } from './job-model.js';
import { isOutside, LimitLog, type LimitVersion } from './limit-log.js';
import { parseReading, type Reading } from './reading-line.js';
import type { Violations } from './violation.js';

/**
 * apps/site-alarms. Against which limit a reading is checked depends on when the task has read the limit, and between two topics there is no
 * order: two correct runs differ. What is determined all the same, and checked here:
 *
 *   J1. An alarm names its limit (no two of a sensor are alike). The limit was in force somewhere between the positions in the limits that
 *       the epoch records before and after the reading tell, and the temperature lies outside of it.
 *   J2. Along a partition of the readings the positions in the limits never go back: an alarm bounds those before and behind it.
 *   J3. A reading without an alarm has some limit in force, within these bounds, that does not call for one. Most readings have one
 *       outcome only: all whose sensor's limit did not change within the epoch. Sensors whose limit was committed before the first
 *       reading, and those that never have one, are determined altogether.
 *   J4. `inARow` follows from the decisions alone: a reading that is lost, or read twice, breaks it.
 *   J5. Each alarm is counted once at its site, and the counts of a site are 1, 2, 3 and so on.
 *   J6. The tasks' state, replayed, is that of the last decisions, the last limits (alike in every task) and the last counts.
 *
 * So each reading has exactly one decision, and whatever hangs on it happened exactly once.
 */
export class SiteJudge implements JobModel {
  readonly #limits: LimitLog;
  readonly #alarms: AlarmLedger;
  readonly #counts: CountLedger;
  readonly #windows: DecisionWindows;
  /** By partition, in order. */
  readonly #readings: PlacedReading[][] = [];
  readonly #inARow = new Map<string, number>();
  readonly #partitionOf = new Map<string, number>();
  #expected = 0;
  #determined = 0;

  constructor(
    private readonly topics: { readonly input: string; readonly limits: string; readonly alarms: string },
    private readonly violations: Violations,
  ) {
    this.#limits = new LimitLog(violations);
    this.#alarms = new AlarmLedger(violations);
    this.#counts = new CountLedger(violations);
    this.#windows = new DecisionWindows(topics);
  }

  input(topic: string, record: SeenRecord): void {
    if (topic === this.topics.limits) {
      this.#limits.read(record);
      return;
    }
    const reading = parseReading(record.value?.toString('utf8') ?? '');
    this.violations.checkPlace(record, reading.id);
    this.#partitionOf.set(reading.id, record.partition);
    (this.#readings[record.partition] ??= []).push({ ...reading, offset: record.offset });
  }

  output(topic: string, record: SeenRecord): void {
    if (topic === this.topics.alarms) this.#alarms.read(record);
    else this.#counts.read(record);
  }

  epoch(stage: number, _task: number, inputs: EpochInputs['inputs']): void {
    if (stage === 0) this.#windows.epoch(inputs);
  }

  compare([checks = [], counts = []]: readonly (readonly ReplayedPartition[])[]): void {
    for (const partition of this.#readings.keys()) this.#judgePartition(partition);
    const read = new Set(this.#readings.flatMap((readings = []) => readings.map(({ id, timestamp }) => alarmName(id, timestamp))));
    for (const name of this.#alarms.alarms.keys()) if (!read.has(name)) this.violations.add('alert-alien', `${name}: there is no such reading`);
    this.#counts.compare(this.#alarms.alarms); // J5
    this.#compareState(checks, counts);
  }

  get tally(): Tally {
    const readings = this.#readings.reduce((sum, of = []) => sum + of.length, 0);
    return {
      readings,
      sensors: this.#partitionOf.size,
      alerts: this.#alarms.records,
      expectedAlerts: this.#expected,
      more: { 'limits and tombstones': this.#limits.changes, 'readings with one outcome': this.#determined, 'alarms counted': this.#counts.counted },
    };
  }

  #judgePartition(partition: number): void {
    const readings = this.#readings[partition] ?? [];
    const sensors = readings.map(({ id }) => this.#limits.of(id));
    const alarms = readings.map(({ id, timestamp }) => this.#alarms.alarms.get(alarmName(id, timestamp)));
    const named = alarms.map((alarm, i) => (alarm === undefined ? undefined : this.#versionOf(alarm, sensors[i]?.versions ?? [])));
    const decisions = readings.map(({ offset }, i) => ({ offset, limits: sensors[i]?.partition, version: named[i] }));
    for (const [i, { low, high, broken }] of this.#windows.of(partition, decisions).entries()) {
      const reading = readings[i]!;
      this.#checkRow(reading, alarms[i]);
      if (broken !== undefined) this.violations.add(broken, `${textOf(reading)}, checked against ${JSON.stringify(named[i])} between ${low} and ${high}`);
      else if (named[i] !== undefined) this.#expected++;
      const possible = (sensors[i]?.versions ?? []).filter(({ from, until }) => from <= high && until >= low);
      this.#checkOutcome(reading, alarms[i] !== undefined, possible);
    }
  }

  /** J1, but for the bounds. @returns the limit that the alarm names */
  #versionOf(alarm: Alarm, versions: readonly LimitVersion[]): LimitVersion | undefined {
    const { id, site, lower, upper, temperature, timestamp } = alarm;
    const named = versions.find(({ limit }) => limit?.site === site && limit.lower === lower && limit.upper === upper);
    if (named === undefined) this.violations.add('limit-wrong', `${alarmName(id, timestamp)}: ${id} never had ${site} ${lower} to ${upper}`);
    else if (!isOutside(temperature, named.limit)) this.violations.add('alert-alien', `${alarmName(id, timestamp)}: ${temperature} is within ${lower} to ${upper}`);
    else return named;
    return undefined;
  }

  /** J4, and that an alarm repeats its reading. */
  #checkRow({ id, timestamp, temperature }: PlacedReading, alarm: Alarm | undefined): void {
    const row = alarm === undefined ? 0 : (this.#inARow.get(id) ?? 0) + 1;
    this.#inARow.set(id, row);
    if (alarm !== undefined && (alarm.inARow !== row || alarm.temperature !== temperature))
      this.violations.add('alert-altered', `${alarmName(id, timestamp)}: ${alarm.temperature}, ${alarm.inARow} in a row, and the model says ${temperature}, ${row}`);
  }

  /** J3. */
  #checkOutcome(reading: PlacedReading, alarmed: boolean, possible: readonly LimitVersion[]): void {
    const calling = possible.filter(({ limit }) => isOutside(reading.temperature, limit)).length;
    if (calling === 0 || calling === possible.length) this.#determined++;
    if (alarmed || calling === 0 || calling < possible.length) return;
    this.#expected++;
    this.violations.add('alert-missing', `${textOf(reading)}: every limit that was in force calls for it, such as ${JSON.stringify(possible[0])}`);
  }

  /** J6. */
  #compareState(checks: readonly ReplayedPartition[], counts: readonly ReplayedPartition[]): void {
    const { violations } = this;
    const rows = new Map([...this.#inARow].filter(([, row]) => row > 0));
    compareFloats({ stateId: stateIdOf('limit-check', 'in-a-row'), expected: rows, partitionOf: this.#partitionOf }, checks, violations);
    const { latest, partitionOf } = this.#counts;
    compareFloats({ stateId: stateIdOf('alarms-per-site', 'state'), expected: latest, partitionOf }, counts, violations);
    const newest = new Map(this.#limits.newest());
    const stateId = stateIdOf('limit-check', 'limits');
    for (const task of checks) {
      const held = new Map([...task.operatorEntries()].filter((entry) => entry.stateId === stateId).map(({ key, value }) => [key, value.toString('utf8')]));
      const wrong = [...newest.keys(), ...held.keys()].filter((id) => newest.get(id) !== held.get(id));
      for (const id of new Set(wrong))
        violations.add('state-wrong', `task ${task.partition} holds ${held.get(id) ?? 'no limit'} of ${id}, and the newest is ${newest.get(id) ?? 'none'}`);
    }
  }
}

interface PlacedReading extends Reading {
  readonly offset: number;
}

const textOf = ({ id, timestamp, temperature }: Reading): string => `${alarmName(id, timestamp)}, ${temperature} degrees`;
