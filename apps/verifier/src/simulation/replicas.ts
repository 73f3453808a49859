import type { SeededRandom } from '@weir/testing';
import { SimulatedReplica, STOP_DEADLINE_MS, type Surroundings } from './simulated-replica.js';

/** The replicas of a run, and who looks after them: what is dead is buried, and comes back after a while, as a container does. */
export const APPLICATION = 'test';
/** Milliseconds until a process that has ended is there again: before the group has noticed, or after. */
const BACK_AFTER_MS = [20, 2_500] as const;
const MOST_REPLICAS = 5;
const STORM_STEPS = 6;

export class Replicas {
  readonly all: SimulatedReplica[] = [];
  readonly findings: string[] = [];
  #isEnding = false;

  constructor(
    private readonly around: Surroundings,
    private readonly random: SeededRandom,
    private readonly later: (afterMs: number, act: () => Promise<void>) => void,
    /** A process has ended, however it did. */
    private readonly onDeath: () => void,
  ) {}

  add(): void {
    const { isGroup, replicas } = this.around.scenario;
    if (this.all.length >= (isGroup ? MOST_REPLICAS : replicas)) return;
    this.all.push(new SimulatedReplica(`r${this.all.length}`, this.around));
  }

  at(index: number): SimulatedReplica {
    return this.all[index % this.all.length]!;
  }

  nameOf(index: number): string {
    return this.at(index).name;
  }

  get #now(): number {
    return this.around.clock.monotonic();
  }

  #back(): number {
    return this.#now + (this.#isEnding ? Infinity : this.random.between(...BACK_AFTER_MS));
  }

  async kill(index: number): Promise<void> {
    const replica = this.at(index);
    if (replica.phase.name !== 'DOWN') await this.#bury(replica);
  }

  stop(index: number): void {
    const replica = this.at(index);
    if (replica.isUp) replica.stop(this.#now);
  }

  pause(index: number, until: number): void {
    const replica = this.at(index);
    if (replica.isUp) replica.pause(until);
  }

  /** Replicas die, stop and hang one after another, faster than the group can settle. */
  storm(everyMs: number): void {
    const step = async (left: number): Promise<void> => {
      const index = this.random.between(0, this.all.length - 1);
      const act = this.random.between(0, 2);
      if (act === 0) await this.kill(index);
      else if (act === 1) this.stop(index);
      else this.pause(index, this.#now + everyMs);
      if (left > 0) this.later(everyMs, () => step(left - 1));
    };
    this.later(0, () => step(STORM_STEPS));
  }

  /** Buries, wakes and starts what it is time for. */
  async lookAfter(): Promise<void> {
    for (const replica of this.all) {
      const { phase } = replica;
      if (phase.name === 'DOWN') {
        if (this.#now >= phase.until) replica.start();
      } else if (!replica.driver.isAlive || replica.ended !== undefined) {
        // One that stops while faults strike may say that it could not take its last commits.
        if (replica.ended?.failure !== undefined && (phase.name !== 'STOPPING' || this.#isEnding)) {
          this.findings.push(`the job of ${replica.name} failed: ${replica.ended.failure}`);
        }
        await this.#bury(replica);
      } else if (phase.name === 'PAUSED' && this.#now >= phase.until) replica.resume();
      else if (phase.name === 'STOPPING' && this.#now > phase.since + STOP_DEADLINE_MS + 100) {
        this.findings.push(`${replica.name} does not stop`);
        await this.#bury(replica);
      }
    }
  }

  async #bury(replica: SimulatedReplica): Promise<void> {
    await replica.kill(this.#back());
    this.onDeath();
  }

  /** Wakes and starts everything: no fault is under way any more. */
  async heal(): Promise<void> {
    await this.lookAfter();
    for (const replica of this.all) {
      if (replica.phase.name === 'PAUSED') replica.resume();
      if (replica.phase.name === 'DOWN') replica.start();
    }
  }

  get areUp(): boolean {
    return this.all.every(({ isUp }) => isUp);
  }

  /** Stops all of them at once; none comes back. */
  end(): void {
    this.#isEnding = true;
    for (const replica of this.all) {
      if (replica.isUp) replica.stop(this.#now);
      else if (replica.phase.name === 'DOWN') replica.phase = { name: 'DOWN', until: Infinity };
    }
  }

  get areDown(): boolean {
    return this.all.every(({ phase }) => phase.name === 'DOWN');
  }

  async killAll(): Promise<void> {
    this.#isEnding = true;
    for (const replica of this.all) if (replica.phase.name !== 'DOWN') await replica.kill(Infinity);
  }
}
