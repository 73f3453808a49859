import { float64, json, topic, utf8, type JobDefinition, type StreamBuilder } from '@weir/core';
import { StreamJob } from '@weir/nest';
import { type LimitAlarm, LimitCheck } from './limit-check.js';
import { sensorLimitJson } from './sensor-limit.js';
import { sensorReadingLine } from './sensor-reading.js';
import { SiteAlarmSettings } from './service-settings.js';

/** How many alarms a site has had, and the one that was counted last. */
export interface SiteCount {
  readonly site: string;
  readonly alarms: number;
  readonly lastSensor: string;
  readonly lastTimestamp: number;
}

@StreamJob({ name: 'site-alarms' })
export class SiteAlarmsJob implements JobDefinition {
  constructor(private readonly settings: SiteAlarmSettings) {}

  define(streams: StreamBuilder): void {
    const { inputTopic, limitsTopic, alarmsTopic, countsTopic, inputPartitioner } = this.settings;
    const limits = streams.source('limits', topic(limitsTopic, { key: utf8, value: sensorLimitJson })).entries().broadcast();
    const alarms = streams
      .source('readings', topic(inputTopic, { key: utf8, value: sensorReadingLine }))
      .keyBy(utf8, (reading) => reading.id, { alreadyPartitioned: { partitioner: inputPartitioner } })
      .connect(limits)
      .process('limit-check', () => new LimitCheck());
    alarms.sink('alarms', topic(alarmsTopic, { key: utf8, value: json<LimitAlarm>() }));
    alarms
      .keyBy(utf8, (alarm) => alarm.site, { name: 'by-site', value: json<LimitAlarm>() })
      .mapWithState<number, SiteCount>('alarms-per-site', float64, ({ site, id, timestamp }, before = 0) => {
        const count = before + 1;
        return { state: count, value: { site, alarms: count, lastSensor: id, lastTimestamp: timestamp } };
      })
      .sink('counts', topic(countsTopic, { key: utf8, value: json<SiteCount>() }));
  }
}
