import { expect } from '@jest/globals';
import { JobTestDriver, type JobTestOptions, LIFELIKE, ProcessKilled, SeededRandom } from '@weir/testing';
import { float64, type JobDefinition, json, topic, utf8 } from '@weir/core';

/** Jobs of two and three stages joined by shuffles, their model, and the check that both agree. */
export interface Reading {
  readonly id: string;
  readonly n: number;
  readonly t: number;
}
export interface SiteCount {
  readonly site: string;
  /** How many readings of the site there were, this one included. */
  readonly count: number;
  readonly n: number;
  readonly id: string;
}

export const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
export const COUNTS = topic('counts', { key: utf8, value: json<SiteCount>() });
const siteOf = (id: string): string => `site-${Number(id.slice(1)) % 5}`;

/** Readings, deduplicated per sensor; counted per site after a shuffle. */
export const twoStages: JobDefinition = {
  define: (streams) =>
    streams
      .source('readings', READINGS)
      .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'auto' } })
      .filterWithState('newer', float64, ({ n }, last) => ({ state: n, keep: last === undefined || n > last }))
      .keyBy(utf8, ({ id }) => siteOf(id), { name: 'by-site', value: json() })
      .mapWithState<number, SiteCount>('count', float64, ({ id, n }, count = 0, site) => ({ state: count + 1, value: { site, id, n, count: count + 1 } }))
      .sink('counts', COUNTS),
};

/** With a shuffle in front, too: three stages. */
export const threeStages: JobDefinition = {
  define: (streams) =>
    streams
      .source('readings', READINGS)
      .keyBy(utf8, ({ id }) => id, { name: 'by-sensor' })
      .filterWithState('newer', float64, ({ n }, last) => ({ state: n, keep: last === undefined || n > last }))
      .keyBy(utf8, ({ id }) => siteOf(id), { name: 'by-site', value: json() })
      .mapWithState<number, SiteCount>('count', float64, ({ id, n }, count = 0, site) => ({ state: count + 1, value: { site, id, n, count: count + 1 } }))
      .sink('counts', COUNTS),
};

export class StagesRig {
  readonly random: SeededRandom;
  readonly #piped: Reading[] = [];

  private constructor(
    readonly driver: JobTestDriver,
    seed: number,
  ) {
    this.random = new SeededRandom(seed).fork(99);
  }

  static async start(definition: JobDefinition, seed: number, options: Partial<JobTestOptions> = {}): Promise<StagesRig> {
    const settings = { checkpointing: { interval: 100 }, restartStrategy: { type: 'fixed-delay', attempts: 1_000_000, delay: 10 } as const, ...options.settings };
    const driver = await JobTestDriver.start(definition, { topics: { readings: 4, counts: 3 }, outputs: ['counts'], network: LIFELIKE, seed, ...options, settings });
    return new StagesRig(driver, seed);
  }

  pipe(count: number): void {
    for (let i = 0; i < count; i++) {
      const reading = { id: `s${this.random.between(1, 20)}`, n: this.#piped.length, t: 0 };
      this.#piped.push(reading);
      this.driver.pipe(READINGS, reading.id, reading);
    }
  }

  /** Lets time pass until every reading is counted, crashing and recovering where a planned fault kills. @returns how often it did */
  async finish(): Promise<number> {
    for (let crashes = 0; ; crashes++) {
      try {
        await this.#untilCounted();
        return crashes;
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
        await this.crashAndRecover();
      }
    }
  }

  /** Looks every 100 simulated milliseconds: reading all outputs is dear. */
  async #untilCounted(): Promise<void> {
    for (let turn = 0; turn < 10_000; turn++) {
      await this.driver.advance(100);
      if (!this.driver.isAlive) throw new ProcessKilled();
      if (this.counts().length >= this.#piped.length) return;
    }
    throw new Error(`Only ${this.counts().length} of ${this.#piped.length} readings were counted, and time is up`);
  }

  async crashAndRecover(): Promise<void> {
    for (;;) {
      await this.driver.crash();
      try {
        await this.driver.recover();
        return;
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
      }
    }
  }

  counts(): SiteCount[] {
    return this.driver.readAll(COUNTS).map(({ value }) => value!);
  }

  /** Each reading counted once, each site's counts without gap or repetition, each sensor's readings in order. */
  verify(): void {
    const counts = this.counts();
    expect(counts.map(({ n }) => n).sort((a, b) => a - b)).toEqual(this.#piped.map(({ n }) => n));
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
