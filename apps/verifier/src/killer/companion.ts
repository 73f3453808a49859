import { join } from 'node:path';
import { type Clock, sleep } from '@weir/core';
import { SeededRandom } from '@weir/testing';
import type { Violations } from '../judge/violation.js';
import { ServiceProcess } from './service-process.js';

/**
 * A replica beside the one that the killer strikes: it shares the tasks, and is hit by itself at random times, whatever the others do. It
 * has a state directory of its own, which it keeps.
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
  readonly violations: Violations;
}

/** Milliseconds from one blow to the next: some hit the start, some a rebalance, most a replica that runs. */
const LONGEST_MS = 6_000;
const STOP_LIMIT_MS = 15_000;
const CHECKPOINT_INTERVAL_MS = 100;

export class Companion {
  readonly #random: SeededRandom;
  #process: ServiceProcess | undefined;
  #loop: Promise<void> | undefined;
  #isEnding = false;
  #lives = 0;
  #blows = 0;

  constructor(private readonly options: CompanionOptions) {
    this.#random = new SeededRandom(options.seed).fork(9);
  }

  get blows(): number {
    return this.#blows;
  }

  get lives(): number {
    return this.#lives;
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
    const { clock } = this.options;
    while (!this.#isEnding) {
      this.#process ??= this.#begin();
      await this.#sleep(this.#random.between(0, LONGEST_MS));
      if (this.#isEnding) return;
      await this.#strike(this.#process);
      if (this.#random.chance(0.3)) await sleep(clock, this.#random.between(0, 2 * this.options.sessionMs));
    }
  }

  #begin(): ServiceProcess {
    const { name, entry, env, folder, clock } = this.options;
    const settings = { ...env, STATE_DIR: join(folder, name), PORT: '0', CHECKPOINT_INTERVAL_MS: String(CHECKPOINT_INTERVAL_MS) };
    return new ServiceProcess({ entry, env: settings, logFile: join(folder, `${name}-${++this.#lives}.log`), clock });
  }

  async #strike(process: ServiceProcess): Promise<void> {
    if (process.end !== undefined) {
      const how = process.end.signal ?? `exit code ${process.end.code}`;
      this.options.violations.add('service-ended', `${this.options.name} ended by itself (${how}); ${process.logFile} ends with\n${process.lastLines}`);
      this.#process = undefined;
      return;
    }
    this.#blows++;
    const drawn = this.#random.next();
    if (drawn < 0.25) {
      process.signal('SIGSTOP');
      await this.#sleep(this.#random.between(this.options.sessionMs, 3 * this.options.sessionMs));
      process.signal('SIGCONT');
      return;
    }
    if (drawn < 0.5) await this.#terminate(process);
    else await process.kill();
    this.#process = undefined;
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

  /** In small steps, so that it ends soon after it is told to. */
  async #sleep(ms: number): Promise<void> {
    const { clock } = this.options;
    const until = clock.monotonic() + ms;
    while (!this.#isEnding && clock.monotonic() < until) await sleep(clock, 50);
  }
}
