import type { RecordColumns } from '@weir/core';
import { THRESHOLD } from '../input/alert-digest.js';
import { plainDecimal } from '../input/plain-decimal.js';

const COMMA = 0x2c;

/**
 * The job as a loop over rows with a Map from sensor to temperature, alerts as lines: the least that JavaScript can do it with, and the
 * measure of every other figure.
 * @returns the number of alerts
 */
export function plainLoop(chunks: readonly RecordColumns[], temperatures: Map<string, number>, alerts: string[]): number {
  const before = alerts.length;
  for (const { buffer, count, valueStart, valueEnd } of chunks) {
    for (let row = 0; row < count; row++) {
      const start = valueStart[row]!;
      const end = valueEnd[row]!;
      let comma = start;
      while (buffer[comma] !== COMMA) comma++;
      const id = buffer.latin1Slice(start, comma);
      let second = comma + 1;
      while (buffer[second] !== COMMA) second++;
      const temperature = plainDecimal(buffer, second + 1, end);
      const last = temperatures.get(id);
      temperatures.set(id, temperature);
      if (last === undefined || Math.abs(temperature - last) < THRESHOLD) continue;
      alerts.push(JSON.stringify({ id, lastTemperature: last, temperature, timestamp: plainDecimal(buffer, comma + 1, second) }));
    }
  }
  return alerts.length - before;
}
