import { type BadRecordPolicy, PARTITIONER_NAMES, type PartitionerName } from '@weir/core';
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
  readonly badRecords: BadRecordPolicy;
}

/**
 * Reads the service's settings from environment variables; an empty one counts as not set.
 * @throws SettingError that names the variable, what it is and what is allowed
 */
export function settingsFrom(variables: Readonly<Record<string, string | undefined>>): AlertServiceSettings {
  const environment = new ServiceEnvironment(variables);
  return {
    ...environment.serviceSettings('temperature-alerts'),
    badRecords: badRecords(environment),
    alerts: new AlertSettings(
      environment.topicName('INPUT_TOPIC', 'sensor-readings'),
      environment.topicName('OUTPUT_TOPIC', 'temperature-alerts'),
      environment.oneOf('INPUT_PARTITIONER', ['auto', ...PARTITIONER_NAMES]),
      degrees('ALERT_THRESHOLD', environment.read('ALERT_THRESHOLD'), 10),
    ),
  };
}

function badRecords(environment: ServiceEnvironment): BadRecordPolicy {
  const policy = environment.oneOf('BAD_RECORDS', ['fail', 'skip', 'deadLetter']);
  const topic = environment.read('DEAD_LETTER_TOPIC');
  if (policy === 'deadLetter') return { deadLetter: deadLetterTopic(environment) };
  if (topic !== undefined) throw new SettingError('DEAD_LETTER_TOPIC', topic, `nothing while BAD_RECORDS is ${policy}`);
  return policy;
}

/** @throws SettingError if it is not set, or no name of a topic */
export function deadLetterTopic(environment: ServiceEnvironment): string {
  if (environment.read('DEAD_LETTER_TOPIC') === undefined) throw new SettingError('DEAD_LETTER_TOPIC', undefined, 'the name of the topic that bad records go to');
  return environment.topicName('DEAD_LETTER_TOPIC', '');
}

function degrees(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (number > 0 && Number.isFinite(number)) return number;
  throw new SettingError(name, value, 'degrees above 0, e.g. 10 or 2.5');
}
