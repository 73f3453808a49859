import { expect } from '@jest/globals';
import { type JobTestDriver, SeededRandom } from '@weir/testing';
import { utf8 } from '../codec/primitives.js';
import type { Work } from './replica-set.spec-d.js';
import { ALERTS, type Alert, LAST, PARTITIONS, READINGS, sensorJob } from './sensor-rig.spec-d.js';
import { COUNTS, twoStages } from './stages-rig.spec-d.js';

/** The main job: output = model, per sensor and in order; state = model. */
export class Alerts implements Work {
  readonly definition = sensorJob;
  readonly topics = { readings: PARTITIONS, alerts: PARTITIONS };
  readonly outputs = ['alerts'];
  readonly tasks = PARTITIONS;
  readonly #random: SeededRandom;
  readonly #expected: Alert[] = [];
  readonly #last = new Map<string, number>();
  #n = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed).fork(77);
  }

  pipe(driver: JobTestDriver, records: number): void {
    for (let i = 0; i < records; i++) {
      const id = `s${this.#random.between(1, 20)}`;
      const reading = { id, n: this.#n++, t: this.#random.between(0, 30) };
      const last = this.#last.get(id);
      if (last !== undefined && Math.abs(reading.t - last) >= 10) this.#expected.push({ ...reading, from: last });
      this.#last.set(id, reading.t);
      driver.pipe(READINGS, id, reading);
    }
  }

  isDone(driver: JobTestDriver): boolean {
    return driver.readAll(ALERTS).length >= this.#expected.length;
  }

  verify(driver: JobTestDriver): void {
    const bySensor = (alerts: readonly Alert[]): Record<string, Alert[]> => {
      const sorted: Record<string, Alert[]> = {};
      for (const alert of alerts) (sorted[alert.id] ??= []).push(alert);
      return sorted;
    };
    expect(bySensor(driver.readAll(ALERTS).map(({ value }) => value!))).toEqual(bySensor(this.#expected));
    const stateOf = driver.stateReader('jump', LAST, utf8);
    expect([...this.#last.keys()].map((id) => [id, stateOf(id)])).toEqual([...this.#last]);
  }
}

/** Two stages: each reading counted once, each site's counts without gap or repetition, each sensor's readings in order. */
export class Counts implements Work {
  readonly definition = twoStages;
  readonly topics = { readings: 4, counts: 3 };
  readonly outputs = ['counts'];
  readonly tasks = 8;
  readonly #random: SeededRandom;
  #n = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed).fork(78);
  }

  pipe(driver: JobTestDriver, records: number): void {
    for (let i = 0; i < records; i++) {
      const id = `s${this.#random.between(1, 20)}`;
      driver.pipe(READINGS, id, { id, n: this.#n++, t: 0 });
    }
  }

  isDone(driver: JobTestDriver): boolean {
    return driver.readAll(COUNTS).length >= this.#n;
  }

  verify(driver: JobTestDriver): void {
    const counts = driver.readAll(COUNTS).map(({ value }) => value!);
    expect(counts.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from({ length: this.#n }, (_, n) => n));
    for (const site of new Set(counts.map((each) => each.site))) {
      const own = counts.filter((each) => each.site === site);
      expect(own.map(({ count }) => count)).toEqual(own.map((_, i) => i + 1));
    }
    for (const id of new Set(counts.map((each) => each.id))) {
      const own = counts.filter((each) => each.id === id).map(({ n }) => n);
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
  }
}
