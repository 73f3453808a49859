import { PARTITIONER_NAMES, type PartitionerName } from '@weir/core';
import { ServiceEnvironment, type ServiceSettings } from '@weir/nest';

/** What the job itself needs to know. */
export class SiteAlarmSettings {
  constructor(
    readonly inputTopic: string,
    readonly limitsTopic: string,
    readonly alarmsTopic: string,
    readonly countsTopic: string,
    readonly inputPartitioner: 'auto' | PartitionerName,
  ) {}
}

export interface SiteAlarmServiceSettings extends ServiceSettings {
  readonly alarms: SiteAlarmSettings;
}

/**
 * Reads the service's settings from environment variables; an empty one counts as not set.
 * @throws SettingError that names the variable, what it is and what is allowed
 */
export function settingsFrom(variables: Readonly<Record<string, string | undefined>>): SiteAlarmServiceSettings {
  const environment = new ServiceEnvironment(variables);
  return {
    ...environment.serviceSettings('site-alarms'),
    alarms: new SiteAlarmSettings(
      environment.topicName('INPUT_TOPIC', 'sensor-readings'),
      environment.topicName('LIMITS_TOPIC', 'sensor-limits'),
      environment.topicName('ALARMS_TOPIC', 'limit-alarms'),
      environment.topicName('COUNTS_TOPIC', 'site-alarm-counts'),
      environment.oneOf('INPUT_PARTITIONER', ['auto', ...PARTITIONER_NAMES]),
    ),
  };
}
