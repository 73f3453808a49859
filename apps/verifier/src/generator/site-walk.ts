import { SeededRandom } from '@weir/testing';
import { type FedRecord, sensorId, SensorWalk, type WalkOptions } from './sensor-walk.js';

/** Part of the records that change a limit, or remove it. */
const CHANGES = 0.02;
const TOMBSTONES = 0.25;
const MOVES = 0.1;
const SITES = 20;

/**
 * Readings of walking sensors, and limits that change while they flow. A quarter of the sensors keep the limit that they have from the
 * beginning, a quarter never have one, and the others' come, change, move to another site and go. No two limits of a sensor are alike: the
 * judge knows the version by its numbers.
 */
export class SiteWalk {
  readonly before: readonly FedRecord[];
  readonly #random: SeededRandom;
  readonly #readings: SensorWalk;
  readonly #versions: Uint32Array;
  /** Sensors whose limits change. */
  readonly #changing: readonly number[];

  constructor(
    options: WalkOptions,
    private readonly limitsTopic: string,
  ) {
    this.#random = new SeededRandom(options.seed).fork(3);
    this.#readings = new SensorWalk(options);
    this.#versions = new Uint32Array(options.sensors);
    const limited = Array.from({ length: options.sensors }, (_, sensor) => sensor).filter((sensor) => sensor % 4 !== 3);
    this.#changing = limited.filter((sensor) => sensor % 4 !== 0);
    this.before = limited.map((sensor) => this.#limit(sensor));
  }

  next(): FedRecord {
    const random = this.#random;
    if (this.#changing.length === 0 || !random.chance(CHANGES)) return this.#readings.next();
    const sensor = this.#changing[random.between(0, this.#changing.length - 1)]!;
    return random.chance(TOMBSTONES) ? { topic: this.limitsTopic, key: sensorId(sensor), value: null } : this.#limit(sensor);
  }

  /** The version is hidden behind the tenths of the upper limit. */
  #limit(sensor: number): FedRecord {
    const random = this.#random;
    const version = ++this.#versions[sensor]!;
    const site = random.chance(MOVES) ? random.between(0, SITES - 1) : sensor % SITES;
    const lower = random.between(0, 150) / 10;
    const upper = Number((random.between(200, 350) / 10 + version / 1e6).toFixed(6));
    return { topic: this.limitsTopic, key: sensorId(sensor), value: JSON.stringify({ site: `site_${site}`, lower, upper }) };
  }
}
