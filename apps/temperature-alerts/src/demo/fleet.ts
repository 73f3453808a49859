import type { SensorReading } from '../sensor-reading.js';

/** A simulated fleet of sensors: each walks at random by up to half a degree, and now and then jumps by 10 to 20. */
export class Fleet {
  readonly #temperatures: number[];
  #next = 0;

  /**
   * @param jumpProbability of each reading, 0 to 1
   * @param random numbers in [0, 1)
   */
  constructor(
    size: number,
    private readonly jumpProbability: number,
    private readonly random: () => number,
  ) {
    this.#temperatures = Array.from({ length: size }, () => 15 + random() * 10);
  }

  /** The next `count` readings, sensors in turn. @param now milliseconds since the epoch */
  next(count: number, now: number): SensorReading[] {
    return Array.from({ length: count }, () => this.#reading(this.#next++ % this.#temperatures.length, now));
  }

  #reading(sensor: number, now: number): SensorReading {
    const step = this.random() - 0.5;
    const jump = this.random() < this.jumpProbability ? 10 + this.random() * 10 : 0;
    const direction = this.#temperatures[sensor]! > 20 ? -1 : 1;
    const temperature = Math.round((this.#temperatures[sensor]! + step + direction * jump) * 10) / 10;
    this.#temperatures[sensor] = temperature;
    return { id: `fleet_${String(sensor).padStart(3, '0')}`, timestamp: Math.floor(now / 1000), temperature };
  }
}
