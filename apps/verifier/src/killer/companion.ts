import { join } from 'node:path';
import { type Clock, sleep } from '@weir/core';
import { SeededRandom } from '@weir/testing';
import type { Violations } from '../judge/violation.js';
import type { BlowBudget } from './blow-budget.js';
import { ServiceProcess } from './service-process.js';
import { sleepUnless } from './sleep-unless.js';
import { spoil, type Spoiled } from './spoil.js';

/**
 * One replica of several: it shares the tasks, and is hit by itself at random times, whatever the others do, for as long as the budget of
 * blows lasts; after that it only lives. It has a state directory of its own, which it keeps, unless a blow damages or deletes it.
 *
 *   (none) --start--> LIVES --SIGKILL | SIGTERM--> (none) --> LIVES again
 *                     LIVES --SIGSTOP beyond the session, then SIGCONT--> LIVES, a zombie until it hears of it
 */
export interface CompanionOptions {
  readonly name: string;
  readonly entry: string;
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly clock: Clock;
  readonly seed: number;
  readonly sessionMs: number;
  /** Milliseconds from one blow to the next, at most: some hit the start, some a rebalance, most a replica that runs. */
  readonly longestMs: number;
  readonly budget: BlowBudget;
  readonly violations: Violations;
  /** Called after each blow. */
  readonly struck?: () => void;
  /** Part of the kills after which what lies in the state directory is spoiled before the next life (spoil.ts). */
  readonly spoils?: number;
}

/** Kinds of blows. */
export type Kind = 'SIGKILL' | 'SIGTERM' | 'SIGSTOP';

const STOP_LIMIT_MS = 15_000;
const CHECKPOINT_INTERVAL_MS = 100;
const START_LIMIT_MS = 60_000;
const START_POLL_MS = 200;

export class Companion {
  readonly #random: SeededRandom;
  readonly #stateDir: string;
  readonly #startsMs: number[] = [];
  readonly #blows: Record<Kind, number> = { SIGKILL: 0, SIGTERM: 0, SIGSTOP: 0 };
  readonly #spoiled: Record<Spoiled, number> = { 'state deleted': 0, 'state damaged': 0 };
  #process: ServiceProcess | undefined;
  /** The one that came to RUNNING last. */
  #running: ServiceProcess | undefined;
  #loop: Promise<void> | undefined;
  #isEnding = false;
  #lives = 0;
  #restores = 0;
  #restoredRecords = 0;

  constructor(private readonly options: CompanionOptions) {
    this.#random = new SeededRandom(options.seed).fork(9);
    this.#stateDir = join(options.folder, options.name);
  }

  get blows(): Readonly<Record<Kind, number>> {
    return this.#blows;
  }

  get spoiled(): Readonly<Record<Spoiled, number>> {
    return this.#spoiled;
  }

  get lives(): number {
    return this.#lives;
  }

  /** Whether its process came to RUNNING, and has not been ended since. */
  get isRunning(): boolean {
    return this.#process !== undefined && this.#running === this.#process && this.#process.end === undefined;
  }

  /** Milliseconds from start to RUNNING, of each life that was seen to come so far. */
  get startsMs(): readonly number[] {
    return this.#startsMs;
  }

  /** Of tasks, in lives that came to RUNNING. */
  get restores(): { readonly count: number; readonly records: number } {
    return { count: this.#restores, records: this.#restoredRecords };
  }

  /** Lives and is struck until `finish` or `close`. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** The last one, by SIGTERM. */
  async finish(): Promise<void> {
    this.#isEnding = true;
    await this.#loop;
    if (this.#process !== undefined) await this.#terminate(this.#process);
    this.#process = undefined;
  }

  /** Whatever came: it is gone. */
  async close(): Promise<void> {
    this.#isEnding = true;
    await this.#process?.kill();
    await this.#loop;
    await this.#process?.kill();
  }

  async #run(): Promise<void> {
    const { clock, budget, longestMs, sessionMs, struck } = this.options;
    while (!this.#isEnding) {
      this.#process ??= this.#begin();
      await sleepUnless(clock, Infinity, () => this.#isEnding || budget.isOpen || this.#process!.end !== undefined);
      await this.#sleep(this.#random.between(0, longestMs));
      if (this.#isEnding) return;
      if (this.#endedByItself(this.#process)) continue;
      if (!budget.take()) continue; // another one was faster
      await this.#strike(this.#process);
      struck?.();
      if (this.#random.chance(0.3)) await sleep(clock, this.#random.between(0, 2 * sessionMs));
    }
  }

  #begin(): ServiceProcess {
    const { name, entry, env, folder, clock } = this.options;
    const settings = { ...env, STATE_DIR: this.#stateDir, PORT: '0', CHECKPOINT_INTERVAL_MS: String(CHECKPOINT_INTERVAL_MS) };
    const process = new ServiceProcess({ entry, env: settings, logFile: join(folder, `${name}-${++this.#lives}.log`), clock });
    void this.#watchStart(process);
    return process;
  }

  async #watchStart(process: ServiceProcess): Promise<void> {
    const job = await process.untilRunning(START_LIMIT_MS, START_POLL_MS);
    if (job === undefined) return; // it was struck before, or brokers were; that nobody ever comes to RUNNING is seen by the input that is left
    this.#running = process;
    this.#startsMs.push(this.options.clock.monotonic() - process.startedAt);
    for (const { restore } of job.tasks) {
      if (restore === undefined) continue;
      this.#restores++;
      this.#restoredRecords += restore.records;
    }
  }

  #endedByItself(process: ServiceProcess): boolean {
    const { end } = process;
    if (end === undefined) return false;
    const how = end.signal ?? `exit code ${end.code}`;
    this.options.violations.add('service-ended', `${this.options.name} ended by itself (${how}); ${process.logFile} ends with\n${process.lastLines}`);
    this.#process = undefined;
    return true;
  }

  async #strike(process: ServiceProcess): Promise<void> {
    const drawn = this.#random.next();
    if (drawn < 0.25) {
      this.#blows.SIGSTOP++;
      process.signal('SIGSTOP');
      await this.#sleep(this.#random.between(this.options.sessionMs, 3 * this.options.sessionMs));
      process.signal('SIGCONT');
      return;
    }
    if (drawn < 0.5) {
      this.#blows.SIGTERM++;
      await this.#terminate(process);
    } else {
      this.#blows.SIGKILL++;
      await process.kill();
      if (this.#random.chance(this.options.spoils ?? 0)) await this.#spoil();
    }
    this.#process = undefined;
  }

  async #spoil(): Promise<void> {
    const what = await spoil(this.#stateDir, this.#random);
    if (what !== undefined) this.#spoiled[what]++;
  }

  async #terminate(process: ServiceProcess): Promise<void> {
    const { clock, name, violations } = this.options;
    process.signal('SIGCONT');
    process.signal('SIGTERM');
    const late = await Promise.race([process.ended.then(() => false), sleep(clock, STOP_LIMIT_MS).then(() => true)]);
    if (!late) return;
    violations.add('service-stuck', `${name} did not end within ${STOP_LIMIT_MS} ms of SIGTERM; ${process.logFile} ends with\n${process.lastLines}`);
    await process.kill();
  }

  #sleep(ms: number): Promise<void> {
    return sleepUnless(this.options.clock, ms, () => this.#isEnding);
  }
}
