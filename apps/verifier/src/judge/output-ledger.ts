import { type Alert, AlertColumns, alertJson } from './alert-columns.js';
import type { SeenRecord } from '../witness/seen-record.js';
import type { Violations } from './violation.js';

/** The output topic, sensor by sensor. */
export class OutputLedger {
  readonly sensors = new Map<string, AlertColumns>();
  #alerts = 0;

  constructor(private readonly violations: Violations) {}

  get alerts(): number {
    return this.#alerts;
  }

  read(record: SeenRecord): void {
    this.#alerts++;
    const key = record.key?.toString('utf8');
    const text = record.value?.toString('utf8') ?? '';
    const alert = parseAlert(text);
    const where = `${record.partition}@${record.offset}`;
    if (alert === undefined || key === undefined || alertJson(key, alert) !== text) {
      this.violations.add('alert-format', `${where}: key ${JSON.stringify(key)}, value ${JSON.stringify(text.slice(0, 200))}`);
      return;
    }
    if (record.home !== record.partition) this.violations.add('alert-partition', `${where}: ${key} belongs into partition ${record.home}`);
    let sensor = this.sensors.get(key);
    if (sensor === undefined) {
      sensor = new AlertColumns();
      this.sensors.set(key, sensor);
    }
    sensor.push(alert);
  }
}

function parseAlert(text: string): Alert | undefined {
  try {
    const { lastTemperature, temperature, timestamp } = JSON.parse(text) as Partial<Alert>;
    const numbers = typeof lastTemperature === 'number' && typeof temperature === 'number' && typeof timestamp === 'number';
    return numbers ? { lastTemperature, temperature, timestamp } : undefined;
  } catch {
    return undefined;
  }
}
