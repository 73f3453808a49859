import { crc32 } from '@weir/core';
import { Fleet, type KeySet, sensorId } from './fleet.js';

/** Degrees by which two readings of a sensor differ at least for an alert. */
export const THRESHOLD = 10;

/** An alert as its JSON says it. */
export interface Alert {
  readonly id: string;
  readonly lastTemperature: number;
  readonly temperature: number;
  readonly timestamp: number;
}

/**
 * Which alerts there are: their number, and the sum of their checksums. Order does not matter, for peers interleave sensors as they like;
 * numbers are compared as numbers, for languages write them differently (35 and 35.0).
 */
export class AlertDigest {
  count = 0;
  checksum = 0;

  add({ id, lastTemperature, temperature, timestamp }: Alert): void {
    this.#add(`${id},${lastTemperature},${temperature},${timestamp}`);
  }

  /** Adds an alert as it was sent. What cannot be read counts as an alert that no model has. */
  addJson(text: string): void {
    let alert: Alert;
    try {
      alert = JSON.parse(text) as Alert;
    } catch {
      this.#add(text);
      return;
    }
    this.add(alert);
  }

  #add(text: string): void {
    this.count++;
    this.checksum = (this.checksum + crc32(Buffer.from(text, 'utf8'))) >>> 0;
  }

  equals(other: AlertDigest): boolean {
    return this.count === other.count && this.checksum === other.checksum;
  }
}

/** The alerts that a key set must lead to. */
export function alertsOf(keySet: KeySet): AlertDigest {
  const digest = new AlertDigest();
  const fleet = new Fleet(keySet);
  const last = new Float64Array(keySet.sensors).fill(Number.NaN);
  while (fleet.next()) {
    const { sensor, tenths, timestamp } = fleet;
    // The very doubles that a reader of the text has: a division by ten is correctly rounded, as reading a decimal is.
    const temperature = tenths / 10;
    const lastTemperature = last[sensor]!;
    last[sensor] = temperature;
    // Before the first reading it is NaN, and no comparison with that holds.
    if (Math.abs(temperature - lastTemperature) >= THRESHOLD) digest.add({ id: sensorId(sensor), lastTemperature, temperature, timestamp });
  }
  return digest;
}
