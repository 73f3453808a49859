import { type Clock, clockOf, createJob, type Job, type JobDefinition, type JobSettings, type StateBackendFactory } from '@weir/core';
import { type MeasuredPhase, PhaseMeter } from './phase-meter.js';
import { type Replay, ReplayLog } from './replay-log.js';

/** Milliseconds that a job has to end. */
const STOP_MS = 60_000;
const POLL_MS = 5;

/** A job through the API that users have, on a log that keeps nothing, measured phase by phase. */
export class PhasedJob {
  readonly #clock: Clock = clockOf(globalThis);
  readonly #meter = new PhaseMeter(this.#clock);
  readonly #log: ReplayLog;
  readonly #job: Job;

  constructor(definition: JobDefinition, settings: JobSettings, state: StateBackendFactory, replay: Replay) {
    this.#log = new ReplayLog(replay);
    const ports = { log: this.#log.factory, state, clock: this.#clock, telemetry: this.#meter.telemetry };
    // A failure is to end the run.
    this.#job = createJob('measured', definition, { ...settings, group: 'none', restartStrategy: { type: 'none' } }, ports);
  }

  get phases(): readonly MeasuredPhase[] {
    return this.#meter.phases;
  }

  /** Where the log ends: what a later run on the same files begins with. */
  get ends(): Record<string, number> {
    return this.#log.ends;
  }

  /** Ends once all tasks have restored their state. */
  start(name: string): Promise<void> {
    return this.#meter.measureUntil(name, 0, async () => {
      this.#job.start();
      await this.#until(() => this.#job.isReady());
    });
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => void this.#clock.after(POLL_MS, resolve));
  }

  /** @param begin makes the rows of the phase readable */
  phase(name: string, { records, operations = records, begin, isOver }: Phase): Promise<void> {
    return this.#meter.measureUntil(name, operations, async () => {
      const committed = this.#meter.committed(records);
      begin();
      this.#log.wake();
      await committed;
      if (isOver !== undefined) await this.#until(isOver);
    });
  }

  async stop(): Promise<void> {
    await this.#job.stop(STOP_MS);
  }
}

export interface Phase {
  /** Rows of all partitions together: the phase lasts until the last is committed. */
  readonly records: number;
  /** What the rate is of, if not of records. */
  readonly operations?: number;
  readonly begin: () => void;
  /** Whether what there is to wait for beyond the records has happened. */
  readonly isOver?: () => boolean;
}
