import { json, topic, utf8, type JobDefinition, type StreamBuilder } from '@weir/core';
import { StreamJob } from '@weir/nest';
import { sensorReadingCsv } from './sensor-reading.js';
import { AlertSettings } from './service-settings.js';
import { type TemperatureAlert, TemperatureChangeAlert } from './temperature-change-alert.js';

@StreamJob({ name: 'temperature-alerts' })
export class TemperatureAlertsJob implements JobDefinition {
  constructor(private readonly settings: AlertSettings) {}

  define(streams: StreamBuilder): void {
    const { inputTopic, outputTopic, inputPartitioner, threshold } = this.settings;
    streams
      .source('readings', topic(inputTopic, { key: utf8, value: sensorReadingCsv }))
      .keyBy(utf8, (reading) => reading.id, { alreadyPartitioned: { partitioner: inputPartitioner } })
      .flatMap('temperature-change', () => new TemperatureChangeAlert(threshold))
      .sink('alerts', topic(outputTopic, { key: utf8, value: json<TemperatureAlert>() }));
  }
}
