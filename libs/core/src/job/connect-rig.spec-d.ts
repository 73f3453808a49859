import { expect } from '@jest/globals';
import { JobTestDriver, LIFELIKE, ProcessKilled, SeededRandom } from '@weir/testing';
import { type Collector, float64, type JobDefinition, json, type KeyedContext, KeyedCoProcess, topic, utf8, valueState, type ValueState } from '@weir/core';

/**
 * A job of two inputs, one of them shuffled: readings lie by their sensor already, corrections by their site. Both are numbered per sensor
 * by one state; a sensor that was silent for a while puts out its last number once more, by a timer.
 */
export interface Reading {
  readonly id: string;
  readonly n: number;
}
export interface Correction {
  readonly sensor: string;
  readonly n: number;
}
export interface Numbered {
  readonly side: 'reading' | 'correction' | 'timer';
  readonly n: number;
  /** Among all of both sides of the sensor, from 1. */
  readonly seq: number;
}

export const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
export const CORRECTIONS = topic('corrections', { key: utf8, value: json<Correction>() });
export const OUT = topic('out', { key: utf8, value: json<Numbered>() });
const SILENCE_MS = 700;

class Numbering extends KeyedCoProcess<string, Reading, Correction, Numbered> {
  #context!: KeyedContext<string>;
  #seq!: ValueState<number>;
  #due!: ValueState<number>;

  override open(context: KeyedContext<string>): void {
    this.#context = context;
    this.#seq = context.state(valueState('seq', float64));
    this.#due = context.state(valueState('due', float64));
  }

  override process1({ n }: Reading, out: Collector<Numbered>): void {
    out.collect({ side: 'reading', n, seq: this.#next() });
  }

  override process2({ n }: Correction, out: Collector<Numbered>): void {
    out.collect({ side: 'correction', n, seq: this.#next() });
  }

  override onTimer(_at: number, out: Collector<Numbered>): void {
    out.collect({ side: 'timer', n: 0, seq: this.#seq.value()! });
    this.#due.clear();
  }

  #next(): number {
    const { timerService } = this.#context;
    const before = this.#due.value();
    if (before !== undefined) timerService.deleteProcessingTimeTimer(before);
    const due = timerService.currentProcessingTime() + SILENCE_MS;
    timerService.registerProcessingTimeTimer(due);
    this.#due.update(due);
    const seq = (this.#seq.value() ?? 0) + 1;
    this.#seq.update(seq);
    return seq;
  }
}

export const numbering: JobDefinition = {
  define: (streams) => {
    const corrections = streams.source('corrections', CORRECTIONS).keyBy(utf8, ({ sensor }) => sensor, { name: 'by-sensor' });
    streams
      .source('readings', READINGS)
      .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'auto' } })
      .connect(corrections)
      .process('numbering', () => new Numbering())
      .sink('out', OUT);
  },
};

export class ConnectRig {
  readonly random: SeededRandom;
  readonly #piped = { reading: 0, correction: 0 };

  private constructor(
    readonly driver: JobTestDriver,
    seed: number,
  ) {
    this.random = new SeededRandom(seed).fork(98);
  }

  static async start(seed: number): Promise<ConnectRig> {
    const settings = { checkpointing: { interval: 100 }, restartStrategy: { type: 'fixed-delay', attempts: 1_000_000, delay: 10 } as const };
    const topics = { readings: 4, corrections: 3, out: 2 };
    return new ConnectRig(await JobTestDriver.start(numbering, { topics, outputs: ['out'], network: LIFELIKE, seed, settings }), seed);
  }

  pipe(count: number): void {
    for (let i = 0; i < count; i++) {
      const sensor = `s${this.random.between(1, 20)}`;
      if (this.random.chance(0.5)) this.driver.pipe(READINGS, sensor, { id: sensor, n: this.#piped.reading++ });
      else this.driver.pipe(CORRECTIONS, `site-${Number(sensor.slice(1)) % 5}`, { sensor, n: this.#piped.correction++ });
    }
  }

  /** Lets time pass until all is numbered, crashing and recovering where a planned fault kills. @returns how often it did */
  async finish(): Promise<number> {
    for (let crashes = 0; ; crashes++) {
      try {
        await this.#untilNumbered();
        return crashes;
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
        await this.crashAndRecover();
      }
    }
  }

  async #untilNumbered(): Promise<void> {
    const { reading, correction } = this.#piped;
    for (let turn = 0; turn < 10_000; turn++) {
      await this.driver.advance(100);
      if (!this.driver.isAlive) throw new ProcessKilled();
      if (this.numbered().filter(({ side }) => side !== 'timer').length >= reading + correction) return;
    }
    throw new Error(`Only ${this.numbered().length} of ${reading + correction} records were numbered, and time is up`);
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

  numbered(): (Numbered & { readonly sensor: string })[] {
    return this.driver.readAll(OUT).map(({ key, value }) => ({ ...value!, sensor: key! }));
  }

  /** Each record of either side numbered once; each sensor's numbers without gap or repetition; each side in its order. */
  verify(): void {
    const all = this.numbered().filter(({ side }) => side !== 'timer');
    for (const side of ['reading', 'correction'] as const) {
      const own = all.filter((each) => each.side === side);
      expect(own.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from({ length: this.#piped[side] }, (_, n) => n));
      for (const sensor of sensorsOf(own)) {
        const ns = own.filter((each) => each.sensor === sensor).map(({ n }) => n);
        expect(ns).toEqual([...ns].sort((a, b) => a - b));
      }
    }
    for (const sensor of sensorsOf(all)) {
      const seqs = all.filter((each) => each.sensor === sensor).map(({ seq }) => seq);
      expect([sensor, seqs]).toEqual([sensor, seqs.map((_, i) => i + 1)]);
    }
  }

  /** Once all are silent: each sensor's last number was put out by its timer, once since the number was given. */
  async verifyTimers(): Promise<void> {
    await this.driver.advance(SILENCE_MS * 4);
    const all = this.numbered();
    for (const sensor of sensorsOf(all)) {
      const own = all.filter((each) => each.sensor === sensor);
      const timers = own.filter(({ side }) => side === 'timer').map(({ seq }) => seq);
      expect([sensor, own.at(-1)!.side, new Set(timers).size]).toEqual([sensor, 'timer', timers.length]);
    }
  }
}

const sensorsOf = (all: readonly { readonly sensor: string }[]): ReadonlySet<string> => new Set(all.map(({ sensor }) => sensor));
