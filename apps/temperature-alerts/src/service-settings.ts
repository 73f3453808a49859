import { PARTITIONER_NAMES, type PartitionerName } from '@weir/core';
import { ServiceEnvironment, type ServiceSettings, SettingError } from '@weir/nest';

/** What the job itself needs to know. */
export class AlertSettings {
  constructor(
    readonly inputTopic: string,
    readonly outputTopic: string,
    readonly inputPartitioner: 'auto' | PartitionerName,
    readonly threshold: number,
  ) {}
}

export interface AlertServiceSettings extends ServiceSettings {
  readonly alerts: AlertSettings;
}

/**
 * Reads the service's settings from environment variables; an empty one counts as not set.
 * @throws SettingError that names the variable, what it is and what is allowed
 */
export function settingsFrom(variables: Readonly<Record<string, string | undefined>>): AlertServiceSettings {
  const environment = new ServiceEnvironment(variables);
  return {
    ...environment.serviceSettings('temperature-alerts'),
    alerts: new AlertSettings(
      environment.topicName('INPUT_TOPIC', 'sensor-readings'),
      environment.topicName('OUTPUT_TOPIC', 'temperature-alerts'),
      environment.oneOf('INPUT_PARTITIONER', ['auto', ...PARTITIONER_NAMES]),
      degrees('ALERT_THRESHOLD', environment.read('ALERT_THRESHOLD'), 10),
    ),
  };
}

function degrees(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (number > 0 && Number.isFinite(number)) return number;
  throw new SettingError(name, value, 'degrees above 0, e.g. 10 or 2.5');
}
