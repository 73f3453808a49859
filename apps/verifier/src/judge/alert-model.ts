import { AlertColumns } from './alert-columns.js';
import type { Reading } from './reading-line.js';

/** What must have come of a sensor's readings. */
export interface ModelSensor {
  /** The last temperature read: what the job's state must hold in the end. */
  last: number;
  readonly alerts: AlertColumns;
}

/** The job in twenty lines, without a log, a store or a checkpoint: what its output and its state must equal. */
export class AlertModel {
  readonly sensors = new Map<string, ModelSensor>();
  #readings = 0;
  #alerts = 0;

  /** @param threshold degrees between two readings of a sensor from which on an alert is due */
  constructor(private readonly threshold: number) {}

  get readings(): number {
    return this.#readings;
  }

  get alerts(): number {
    return this.#alerts;
  }

  read({ id, timestamp, temperature }: Reading): void {
    this.#readings++;
    const sensor = this.sensors.get(id);
    if (sensor === undefined) {
      this.sensors.set(id, { last: temperature, alerts: new AlertColumns() });
      return;
    }
    const lastTemperature = sensor.last;
    sensor.last = temperature;
    if (Math.abs(temperature - lastTemperature) < this.threshold) return;
    this.#alerts++;
    sensor.alerts.push({ lastTemperature, temperature, timestamp });
  }
}
