import type { Clock } from '@weir/core';
import { SeededRandom } from '@weir/testing';
import { sleepUnless } from '../killer/sleep-unless.js';
import type { FaultyProxy } from './faulty-proxy.js';

/**
 * Disturbs the way between replicas and brokers, one fault after another:
 *
 *   cut           some connections are cut, or all of a broker
 *   delay         everything arrives later, for a while
 *   stall         nothing passes in either direction, for a while; nothing is lost
 *   lost answers  requests arrive and their answers do not: they are held up, and then the connections are cut
 */
export interface ProxyStrikerOptions {
  /** One before each broker. */
  readonly proxies: readonly FaultyProxy[];
  readonly faults: number;
  readonly seed: number;
  readonly clock: Clock;
  /** Whether it is time for the next: so that faults are spread over the whole run. */
  readonly isDue: () => boolean;
  /** Called after each. */
  readonly struck: () => void;
}

export type ProxyFault = 'cut' | 'delay' | 'stall' | 'lost answers';

const FAULTS: readonly ProxyFault[] = ['cut', 'delay', 'stall', 'lost answers'];
const LONGEST_BREATH_MS = 8_000;
const LONGEST_DELAY_MS = 400;
const LONGEST_FAULT_MS = 4_000;
const LONGEST_LOSS_MS = 1_500;
const EVERYWHERE = 0.3;

export class ProxyStriker {
  readonly #random: SeededRandom;
  readonly #faults: Record<ProxyFault, number> = { cut: 0, delay: 0, stall: 0, 'lost answers': 0 };
  #connectionsCut = 0;
  #isEnding = false;

  constructor(private readonly options: ProxyStrikerOptions) {
    this.#random = new SeededRandom(options.seed).fork(13);
  }

  get faults(): Readonly<Record<ProxyFault, number>> {
    return this.#faults;
  }

  /** Faults of all kinds. */
  get total(): number {
    return Object.values(this.#faults).reduce((sum, count) => sum + count, 0);
  }

  get connectionsCut(): number {
    return this.#connectionsCut;
  }

  async run(): Promise<void> {
    const { faults, proxies, clock, isDue, struck } = this.options;
    for (let i = 0; i < faults && !this.#isEnding; i++) {
      await sleepUnless(clock, Infinity, () => this.#isEnding || isDue());
      await this.#sleep(this.#random.between(0, LONGEST_BREATH_MS));
      if (this.#isEnding) return;
      // Each kind once in four, so that a short run has all of them.
      const fault = FAULTS[i % FAULTS.length]!;
      const chosen = this.#random.chance(EVERYWHERE) ? proxies : [proxies[this.#random.between(0, proxies.length - 1)]!];
      this.#faults[fault]++;
      await this.#strike(fault, chosen);
      struck();
    }
  }

  end(): void {
    this.#isEnding = true;
  }

  async #strike(fault: ProxyFault, chosen: readonly FaultyProxy[]): Promise<void> {
    const random = this.#random;
    switch (fault) {
      case 'cut':
        return this.#cut(chosen, random.chance(0.5) ? 0.5 : 1);
      case 'delay': {
        const ms = random.between(10, LONGEST_DELAY_MS);
        for (const proxy of chosen) proxy.delay(ms);
        await this.#sleep(random.between(500, LONGEST_FAULT_MS));
        for (const proxy of chosen) proxy.delay(0);
        return;
      }
      case 'stall': {
        const ms = random.between(500, LONGEST_FAULT_MS);
        for (const proxy of chosen) proxy.hold(['requests', 'answers'], ms);
        return this.#sleep(ms);
      }
      case 'lost answers': {
        const ms = random.between(50, LONGEST_LOSS_MS);
        for (const proxy of chosen) proxy.hold(['answers'], ms + LONGEST_LOSS_MS);
        await this.#sleep(ms);
        this.#cut(chosen, 1);
        for (const proxy of chosen) proxy.hold(['answers'], 0);
      }
    }
  }

  #cut(chosen: readonly FaultyProxy[], part: number): void {
    for (const proxy of chosen) this.#connectionsCut += proxy.cut(() => this.#random.chance(part));
  }

  #sleep(ms: number): Promise<void> {
    return sleepUnless(this.options.clock, ms, () => this.#isEnding);
  }
}
