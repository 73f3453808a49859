import { stateIdOf } from '@weir/core';
import type { SeenRecord } from '../witness/seen-record.js';
import { AlertColumns } from './alert-columns.js';
import { AlertModel } from './alert-model.js';
import type { ReplayedPartition } from './changelog-replay.js';
import { compareAlerts } from './compare-alerts.js';
import { compareFloats } from './compare-floats.js';
import type { JobModel, Tally } from './job-model.js';
import { OutputLedger } from './output-ledger.js';
import { parseReading } from './reading-line.js';
import type { Violations } from './violation.js';

/** Degrees: the default of the service, which the rig does not change. */
const THRESHOLD = 10;
/** The job's one state: operator and state names of apps/temperature-alerts. */
const LAST_TEMPERATURE = stateIdOf('temperature-change', 'last-temperature');

/** apps/temperature-alerts: output = model = replayed changelog, per sensor. */
export class AlertJudge implements JobModel {
  readonly #model = new AlertModel(THRESHOLD);
  readonly #output: OutputLedger;
  readonly #partitionOf = new Map<string, number>();

  constructor(private readonly violations: Violations) {
    this.#output = new OutputLedger(violations);
  }

  input(_topic: string, record: SeenRecord): void {
    const reading = parseReading(record.value?.toString('utf8') ?? '');
    this.violations.checkPlace(record, reading.id);
    this.#partitionOf.set(reading.id, record.partition);
    this.#model.read(reading);
  }

  output(_topic: string, record: SeenRecord): void {
    this.#output.read(record);
  }

  epoch(): void {
    // What was committed when has no bearing on the alerts.
  }

  compare([tasks = []]: readonly (readonly ReplayedPartition[])[]): void {
    this.#compareOutput();
    const expected = new Map([...this.#model.sensors].map(([id, { last }]) => [id, last]));
    compareFloats({ stateId: LAST_TEMPERATURE, expected, partitionOf: this.#partitionOf }, tasks, this.violations);
  }

  get tally(): Tally {
    const { readings, sensors, alerts } = this.#model;
    return { readings, sensors: sensors.size, alerts: this.#output.alerts, expectedAlerts: alerts, more: {} };
  }

  #compareOutput(): void {
    const none = new AlertColumns();
    for (const [id, { alerts }] of this.#model.sensors) compareAlerts(id, alerts, this.#output.sensors.get(id) ?? none, this.violations);
    for (const [id, alerts] of this.#output.sensors) if (!this.#model.sensors.has(id)) compareAlerts(id, none, alerts, this.violations);
  }
}
