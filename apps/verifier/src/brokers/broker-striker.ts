import { type Clock, sleep } from '@weir/core';
import { SeededRandom } from '@weir/testing';
import type { Violations } from '../judge/violation.js';
import { sleepUnless } from '../killer/sleep-unless.js';
import type { ClusterNode } from './own-cluster.js';

/**
 * Strikes one broker of a cluster at a time, while others strike replicas:
 *
 *   WHOLE --SIGKILL | SIGTERM--> ONE DOWN --a while, start--> ONE BEHIND --in sync again, a breath--> WHOLE
 *   WHOLE --SIGSTOP--> ONE HANGS --a while, SIGCONT--> ONE BEHIND
 *
 * A broker is struck only when the cluster is whole: with two of three copies gone no acknowledged record would be safe, and that is no
 * fault that anybody promises to survive. A kill or a stop counts as a restart; pauses come on top.
 */
export interface BrokerStrikerOptions {
  readonly nodes: readonly ClusterNode[];
  readonly restarts: number;
  readonly seed: number;
  readonly clock: Clock;
  readonly violations: Violations;
  /** How many replicas of partitions are not in sync. */
  readonly lagging: () => Promise<number>;
  /** Whether it is time for the next: so that restarts are spread over the whole run. */
  readonly isDue: () => boolean;
  /** Called after each restart. */
  readonly struck: () => void;
}

export interface BrokerBlows {
  readonly SIGKILL: number;
  readonly SIGTERM: number;
  readonly SIGSTOP: number;
}

const PAUSES = 0.25;
const LONGEST_DOWN_MS = 5_000;
/** Some pauses end before the controller notices. */
const LONGEST_PAUSE_MS = 8_000;
const LONGEST_BREATH_MS = 6_000;
const WHOLE_LIMIT_MS = 120_000;
const POLL_MS = 500;

export class BrokerStriker {
  readonly #random: SeededRandom;
  readonly #blows = { SIGKILL: 0, SIGTERM: 0, SIGSTOP: 0 };
  #isEnding = false;

  constructor(private readonly options: BrokerStrikerOptions) {
    this.#random = new SeededRandom(options.seed).fork(11);
  }

  get blows(): BrokerBlows {
    return this.#blows;
  }

  get restarts(): number {
    return this.#blows.SIGKILL + this.#blows.SIGTERM;
  }

  /** Strikes until as many restarts are done as were asked for; the cluster is whole then, or it is reported not to be. */
  async run(): Promise<void> {
    try {
      await this.#strikeAll();
    } catch (error) {
      if (!this.#isEnding) this.options.violations.add('cluster-stuck', error instanceof Error ? error.message : String(error));
    }
  }

  async #strikeAll(): Promise<void> {
    const { restarts, nodes, clock, isDue, struck } = this.options;
    while (this.restarts < restarts && !this.#isEnding) {
      await sleepUnless(clock, Infinity, () => this.#isEnding || isDue());
      await this.#sleep(this.#random.between(0, LONGEST_BREATH_MS));
      if (this.#isEnding) return;
      const node = nodes[this.#random.between(0, nodes.length - 1)]!;
      if (this.#random.chance(PAUSES)) await this.#pause(node);
      else {
        await this.#restart(node);
        struck();
      }
      if (!(await this.#untilWhole(node))) return;
    }
  }

  /** Ends the strikes after the one that is under way. */
  end(): void {
    this.#isEnding = true;
  }

  async #restart(node: ClusterNode): Promise<void> {
    if (this.#random.chance(0.5)) {
      await node.kill();
      this.#blows.SIGKILL++;
    } else {
      await node.shutDown();
      this.#blows.SIGTERM++;
    }
    await this.#sleep(this.#random.between(0, LONGEST_DOWN_MS));
    await node.start();
  }

  async #pause(node: ClusterNode): Promise<void> {
    await node.pause();
    this.#blows.SIGSTOP++;
    await this.#sleep(this.#random.between(0, LONGEST_PAUSE_MS));
    await node.resume();
  }

  async #untilWhole(struck: ClusterNode): Promise<boolean> {
    const { clock, lagging, violations } = this.options;
    const deadline = clock.monotonic() + WHOLE_LIMIT_MS;
    while (!this.#isEnding) {
      const left = await lagging().catch(() => Infinity); // a question may meet the broker that has just come back
      if (left === 0) return true;
      if (clock.monotonic() > deadline) {
        violations.add('cluster-stuck', `${left} replicas are behind ${WHOLE_LIMIT_MS} ms after broker ${struck.id} was struck`);
        return false;
      }
      await sleep(clock, POLL_MS);
    }
    return false;
  }

  #sleep(ms: number): Promise<void> {
    return sleepUnless(this.options.clock, ms, () => this.#isEnding);
  }
}
