import type { Clock, Telemetry } from '@weir/core';

/** What was done under one name, and what the process took. */
export interface MeasuredPhase {
  readonly name: string;
  readonly operations: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
  /** Resident bytes at the phase's end, and the most until then. */
  readonly residentBytes: number;
  readonly peakBytes: number;
  /** Bytes that V8's heap takes, and outside of it those of buffers, at the phase's end: the rest is RocksDB's and the program's. */
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** Measures the phases of a job by what it commits. */
export class PhaseMeter {
  readonly phases: MeasuredPhase[] = [];
  #committed = 0;
  #awaited: { readonly records: number; readonly resolve: () => void } | undefined;
  #reject: ((error: Error) => void) | undefined;

  constructor(private readonly clock: Clock) {}

  readonly telemetry: Telemetry = {
    emit: (event) => {
      if (event.type === 'task-failed') this.#reject?.(event.error);
      if (event.type !== 'task-commit') return;
      this.#committed += event.recordsIn;
      if (this.#awaited !== undefined && this.#committed >= this.#awaited.records) this.#awaited.resolve();
    },
  };

  /** Settles once so many records more are committed, or a task has failed. */
  committed(records: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#awaited = { records: this.#committed + records, resolve };
      this.#reject = reject;
    });
  }

  /** A phase that is over when `run` is. */
  async measureUntil(name: string, operations: number, run: () => Promise<void>): Promise<void> {
    const began = this.clock.monotonic();
    const cpu = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(cpu);
    const { rss, heapTotal, external } = process.memoryUsage();
    this.phases.push({
      name,
      operations,
      elapsedMs: this.clock.monotonic() - began,
      cpuMs: (user + system) / 1_000,
      residentBytes: rss,
      peakBytes: process.resourceUsage().maxRSS * 1_024,
      heapBytes: heapTotal,
      externalBytes: external,
    });
  }
}
