import {
  type BroadcastState,
  broadcastState,
  type Collector,
  float64,
  type KeyedBroadcastContext,
  KeyedBroadcastProcess,
  type TopicEntry,
  utf8,
  valueState,
  type ValueState,
} from '@weir/core';
import { type SensorLimit, sensorLimitJson } from './sensor-limit.js';
import type { SensorReading } from './sensor-reading.js';

/** What is sent when a reading lies outside of its sensor's limit. */
export interface LimitAlarm extends SensorReading, SensorLimit {
  /** How many readings of the sensor in a row have raised an alarm, this one among them. */
  readonly inARow: number;
}

/** Checks each reading against the newest limit of its sensor; a sensor without a limit raises no alarm. */
export class LimitCheck extends KeyedBroadcastProcess<string, SensorReading, TopicEntry<string, SensorLimit>, LimitAlarm> {
  #limits!: BroadcastState<string, SensorLimit>;
  #inARow!: ValueState<number>;

  override open(context: KeyedBroadcastContext<string>): void {
    this.#limits = context.broadcastState(broadcastState('limits', utf8, sensorLimitJson));
    this.#inARow = context.state(valueState('in-a-row', float64));
  }

  override processBroadcast({ key, value }: TopicEntry<string, SensorLimit>): void {
    if (value === null) this.#limits.remove(key);
    else this.#limits.put(key, value);
  }

  override process({ id, timestamp, temperature }: SensorReading, out: Collector<LimitAlarm>): void {
    const limit = this.#limits.get(id);
    if (limit === undefined || (temperature >= limit.lower && temperature <= limit.upper)) {
      this.#inARow.clear();
      return;
    }
    const inARow = (this.#inARow.value() ?? 0) + 1;
    this.#inARow.update(inARow);
    const { site, lower, upper } = limit;
    out.collect({ id, site, temperature, lower, upper, inARow, timestamp });
  }
}
