import { type Collector, float64, type KeyedContext, KeyedFlatMap, valueState, type ValueState } from '@weir/core';
import type { SensorReading } from './sensor-reading.js';

/** What is sent when a sensor's temperature jumps. */
export interface TemperatureAlert {
  readonly id: string;
  readonly lastTemperature: number;
  readonly temperature: number;
  readonly timestamp: number;
}

/** Compares each reading with the last one of its sensor, and alerts when they differ by `threshold` degrees or more. */
export class TemperatureChangeAlert extends KeyedFlatMap<string, SensorReading, TemperatureAlert> {
  #last!: ValueState<number>;

  constructor(private readonly threshold: number) {
    super();
  }

  override open(context: KeyedContext<string>): void {
    this.#last = context.state(valueState('last-temperature', float64));
  }

  override flatMap(reading: SensorReading, out: Collector<TemperatureAlert>): void {
    const { id, temperature, timestamp } = reading;
    const last = this.#last.value(); // undefined before the first reading: no false alarm
    this.#last.update(temperature);
    if (last !== undefined && Math.abs(temperature - last) >= this.threshold) {
      out.collect({ id, lastTemperature: last, temperature, timestamp });
    }
  }
}
