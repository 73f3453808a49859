import { SeededRandom } from '@weir/testing';

/** A record as it goes into a topic of the job: key and value, null for a tombstone. */
export interface FedRecord {
  /** Undefined for the input that readings flow into. */
  readonly topic?: string;
  readonly key: string;
  readonly value: string | null;
}

/** A reading as it goes into the input topic. */
export interface FedReading extends FedRecord {
  readonly value: string;
}

export interface WalkOptions {
  readonly seed: number;
  readonly sensors: number;
}

/** Tenths of a degree that a sensor moves at most between two readings, when it does not leap. */
const STEP = 30;
/** Part of the readings that leap by 10 to 40 degrees: so many that a reading which is lost or read twice changes some alert nearby. */
const LEAPS = 0.3;
const FIRST_TIMESTAMP = 1_547_718_199;

/**
 * Readings of sensors that walk at random and leap now and then, the same for the same seed. Each has a timestamp of its own, so that
 * no two alerts are alike, and the judge can account for every one. Some ids are not ASCII.
 */
export class SensorWalk {
  readonly #random: SeededRandom;
  readonly #tenths: Int32Array;
  #count = 0;

  constructor({ seed, sensors }: WalkOptions) {
    this.#random = new SeededRandom(seed);
    this.#tenths = Int32Array.from({ length: sensors }, () => this.#random.between(150, 250));
  }

  next(): FedReading {
    const sensor = this.#random.between(0, this.#tenths.length - 1);
    const tenths = this.#move(this.#tenths[sensor]!);
    this.#tenths[sensor] = tenths;
    const key = sensorId(sensor);
    return { key, value: `${key},${FIRST_TIMESTAMP + this.#count++},${(tenths / 10).toFixed(1)}` };
  }

  /** Leaps point to the middle, so that temperatures stay those of a planet. */
  #move(tenths: number): number {
    if (!this.#random.chance(LEAPS)) return tenths + this.#random.between(-STEP, STEP);
    const leap = this.#random.between(100, 400);
    return tenths > 200 ? tenths - leap : tenths + leap;
  }
}

export const sensorId = (sensor: number): string => (sensor % 50 === 7 ? `fühler_${sensor}` : `sensor_${sensor}`);
