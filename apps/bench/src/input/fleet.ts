import { PARTITIONERS } from '@weir/core';
import { SeededRandom } from '@weir/testing';

/** A set of readings that is the same for the same values, whoever makes it: what the producer sends and what the model counts. */
export interface KeySet {
  readonly sensors: number;
  readonly records: number;
  readonly partitions: number;
  readonly seed: number;
}

/** Tenths of a degree. */
const LEAST = -300;
const MOST = 600;
const STEP = 10;
const JUMP_LEAST = 100;
const JUMP_MOST = 250;
const JUMP_CHANCE = 0.01;
/** Seconds since the epoch of the first reading; each second has this many. */
const BEGIN_S = 1_547_718_199;
const READINGS_PER_SECOND = 1_000;

/**
 * A fleet of sensors whose temperatures walk at random in small steps, and now and then jump by 10 degrees or more. Each reading is of a
 * sensor picked evenly, so that with many sensors nearly every reading is of another key: the hardest case for a cache.
 *
 * `next` moves to the next reading; the fields tell what it is. No object per reading.
 */
export class Fleet {
  sensor = 0;
  /** Tenths of a degree, a whole number, so that its text is exact. */
  tenths = 0;
  /** Seconds since the epoch. */
  timestamp = BEGIN_S;
  readonly #random: SeededRandom;
  readonly #temperatures: Int16Array;
  #made = 0;

  constructor(readonly keySet: KeySet) {
    this.#random = new SeededRandom(keySet.seed);
    this.#temperatures = new Int16Array(keySet.sensors);
    for (let sensor = 0; sensor < keySet.sensors; sensor++) this.#temperatures[sensor] = this.#random.between(0, 300);
  }

  /** False once all readings were made. */
  next(): boolean {
    if (this.#made === this.keySet.records) return false;
    const sensor = this.#random.between(0, this.keySet.sensors - 1);
    const move = this.#random.chance(JUMP_CHANCE) ? this.#jump() : this.#random.between(-STEP, STEP);
    const from = this.#temperatures[sensor]!;
    // A move that would leave the range goes the other way.
    const to = from + move < LEAST || from + move > MOST ? from - move : from + move;
    this.#temperatures[sensor] = to;
    this.sensor = sensor;
    this.tenths = to;
    this.timestamp = BEGIN_S + Math.floor(this.#made / READINGS_PER_SECOND);
    this.#made++;
    return true;
  }

  #jump(): number {
    const height = this.#random.between(JUMP_LEAST, JUMP_MOST);
    return this.#random.chance(0.5) ? height : -height;
  }
}

export const sensorId = (sensor: number): string => `sensor_${sensor}`;

/** A number of tenths as text, as JavaScript writes the number: 358 is 35.8, 350 is 35. */
export const degreesText = (tenths: number): string => String(tenths / 10);

/** Where each sensor's readings lie: by murmur2, as the Java client puts them. */
export function partitionsOf({ sensors, partitions }: KeySet): Uint16Array {
  const places = new Uint16Array(sensors);
  for (let sensor = 0; sensor < sensors; sensor++) {
    const key = Buffer.from(sensorId(sensor), 'utf8');
    places[sensor] = PARTITIONERS.murmur2(key, 0, key.length, partitions);
  }
  return places;
}
