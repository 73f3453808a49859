import { describe, expect, it } from '@jest/globals';
import { AlertDigest, alertsOf } from './alert-digest.js';
import { plainDecimal } from './plain-decimal.js';
import { degreesText, Fleet, partitionsOf, sensorId } from './fleet.js';

const KEY_SET = { sensors: 20, records: 5_000, partitions: 4, seed: 7 };

function readings(seed: number): string[] {
  const fleet = new Fleet({ ...KEY_SET, seed });
  const lines: string[] = [];
  while (fleet.next()) lines.push(`${sensorId(fleet.sensor)},${fleet.timestamp},${degreesText(fleet.tenths)}`);
  return lines;
}

describe('the fleet', () => {
  it('makes the same readings for the same seed, and others for another', () => {
    expect(readings(7)).toEqual(readings(7));
    expect(readings(7)).not.toEqual(readings(8));
  });

  it('makes as many readings as asked for, of every sensor, with temperatures that stay in range', () => {
    const lines = readings(7);
    expect(lines).toHaveLength(KEY_SET.records);
    expect(new Set(lines.map((line) => line.split(',')[0])).size).toBe(KEY_SET.sensors);
    for (const line of lines) {
      const temperature = Number(line.split(',')[2]);
      expect(temperature).toBeGreaterThanOrEqual(-30);
      expect(temperature).toBeLessThanOrEqual(60);
    }
  });

  it('jumps far enough for an alert about once in a hundred readings', () => {
    const { count } = alertsOf(KEY_SET);
    expect(count).toBeGreaterThan(KEY_SET.records * 0.005);
    expect(count).toBeLessThan(KEY_SET.records * 0.02);
  });

  it('spreads many sensors evenly over the partitions', () => {
    const counts = [0, 0, 0, 0];
    for (const partition of partitionsOf({ ...KEY_SET, sensors: 10_000 })) counts[partition]!++;
    for (const count of counts) expect(Math.abs(count - 2_500)).toBeLessThan(250);
  });
});

describe('the digest of alerts', () => {
  const alert = { id: 'sensor_1', lastTemperature: 35.8, temperature: 47.1, timestamp: 1547718199 };
  const other = { ...alert, temperature: 47.2 };
  const digest = (...alerts: readonly (typeof alert)[]): AlertDigest => {
    const made = new AlertDigest();
    for (const each of alerts) made.add(each);
    return made;
  };

  it('does not depend on the order of the alerts', () => {
    expect(digest(alert, other).equals(digest(other, alert))).toBe(true);
  });

  it('differs when an alert is missing, doubled or another one', () => {
    expect(digest(alert).equals(digest())).toBe(false);
    expect(digest(alert).equals(digest(alert, alert))).toBe(false);
    expect(digest(alert).equals(digest(other))).toBe(false);
  });

  it('takes alerts as they were sent, and counts what cannot be read as wrong', () => {
    const sent = new AlertDigest();
    sent.addJson('{"id":"sensor_1","lastTemperature":35.80,"temperature":47.1,"timestamp":1547718199}');
    expect(sent.equals(digest(alert))).toBe(true);
    const damaged = new AlertDigest();
    damaged.addJson('"lastTemperature":35.8,"temp');
    expect(damaged.count).toBe(1);
    expect(damaged.equals(digest(alert))).toBe(false);
  });

  it('is that of a plain reading of the lines', () => {
    const last = new Map<string, number>();
    const made = new AlertDigest();
    for (const line of readings(KEY_SET.seed)) {
      const [id, timestamp, text] = line.split(',') as [string, string, string];
      const temperature = Number(text);
      const lastTemperature = last.get(id);
      last.set(id, temperature);
      if (lastTemperature !== undefined && Math.abs(temperature - lastTemperature) >= 10) {
        made.add({ id, lastTemperature, temperature, timestamp: Number(timestamp) });
      }
    }
    expect(alertsOf(KEY_SET).equals(made)).toBe(true);
  });
});

describe('the plain decimals of the peers', () => {
  it('are the numbers that JavaScript reads', () => {
    for (let tenths = -300; tenths <= 600; tenths++) {
      const text = Buffer.from(`,${degreesText(tenths)},`);
      expect(plainDecimal(text, 1, text.length - 1) + 0).toBe(Number(degreesText(tenths)) + 0);
    }
  });
});
