import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { SensorReading } from '../sensor-reading.js';

/**
 * Seattle's daily lows and highs, 2012 to 2015: public data of NOAA, as the npm package vega-datasets ships it. Each year is a sensor of
 * its own, which reports the low of a day at 05:00 and its high at 16:00 local time; on many days the two lie more than 10 degrees apart.
 */
export function seattleReadings(): ReadonlyMap<string, readonly SensorReading[]> {
  const path = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '../data/seattle-weather.csv');
  const [header = '', ...lines] = readFileSync(path, 'utf8').trim().split('\n');
  const columns = header.split(',');
  const [date, high, low] = ['date', 'temp_max', 'temp_min'].map((name) => columns.indexOf(name)) as [number, number, number];
  if (date < 0 || high < 0 || low < 0) throw new Error(`${path} has the columns ${header}; expected date, temp_max and temp_min among them`);
  const years = new Map<string, SensorReading[]>();
  for (const line of lines) {
    const fields = line.split(',');
    const day = fields[date]!;
    const id = `seattle_${day.slice(0, 4)}`;
    let year = years.get(id);
    if (year === undefined) years.set(id, (year = []));
    year.push({ id, timestamp: secondsAt(day, '05'), temperature: Number(fields[low]) });
    year.push({ id, timestamp: secondsAt(day, '16'), temperature: Number(fields[high]) });
  }
  return years;
}

/** Pacific Standard Time, summer or not: it is a demo. */
const secondsAt = (day: string, hour: string): number => Date.parse(`${day}T${hour}:00:00-08:00`) / 1000;

/** Replays every year side by side, and begins again at the end. */
export class SeattleReplay {
  readonly #years = [...seattleReadings().values()];
  #next = 0;

  /** The next reading of each year. */
  next(): SensorReading[] {
    const readings = this.#years.map((year) => year[this.#next % year.length]!);
    this.#next++;
    return readings;
  }
}
