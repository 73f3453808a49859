import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { float64, json, topic, utf8, valueState } from '@weir/core';
import { StreamContext, StreamHandler } from '@weir/nest';
import { sensorReadingCsv } from './reading.spec-d.js';
import type { SensorReading, TemperatureAlert } from './reading.spec-d.js';

// #region after
const last = valueState('last-temperature', float64);
const alerts = topic('temperature-alerts', { key: utf8, value: json<TemperatureAlert>() });

@Controller()
export class TemperatureController {
  @EventPattern<string>('sensor-readings')
  @StreamHandler({ key: utf8, value: sensorReadingCsv, state: [last], to: alerts })
  onReading(@Payload() reading: SensorReading, @Ctx() context: StreamContext<string>): TemperatureAlert | undefined {
    const state = context.state(last);
    const lastTemperature = state.value();
    state.update(reading.temperature);
    if (lastTemperature === undefined || Math.abs(reading.temperature - lastTemperature) < 10) return undefined;
    return { ...reading, lastTemperature };
  }
}
// #endregion
