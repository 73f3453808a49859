import type { Clock } from '@weir/core';

/** What one run came to. */
export interface RunResult {
  readonly records: number;
  readonly elapsedMs: number;
  /** Processor time of the whole process, user and system, all its threads, over the same span. */
  readonly cpuMs: number;
  /** 0 where the system does not tell. */
  readonly peakRssBytes: number;
}

/** Whoever else looks at the measured span: a profiler. */
export interface MeasuredSpan {
  begin(): void;
  end(): void;
}

/**
 * Measures this process from the first record processed to the commit that covers the last one: what comes before (modules, connections,
 * the claim of transactional ids) is paid once in a job's life and would blur a run of seconds.
 */
export class RunMeter {
  readonly done: Promise<RunResult>;
  #resolve!: (result: RunResult) => void;
  #began: { readonly at: number; readonly cpu: NodeJS.CpuUsage } | undefined;
  #committed = 0;

  /**
   * @param records how many there are in all
   * @param span told of the begin and the end of what is measured, outside of it
   */
  constructor(
    private readonly records: number,
    private readonly clock: Clock,
    private readonly span?: MeasuredSpan,
  ) {
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** A record is about to be processed. Only the first call counts. */
  onRecord(): void {
    if (this.#began !== undefined) return;
    this.span?.begin();
    this.#began = { at: this.clock.monotonic(), cpu: process.cpuUsage() };
  }

  /** So many more records are covered by a commit. */
  onCommit(records: number): void {
    this.#committed += records;
    const began = this.#began;
    if (this.#committed < this.records || began === undefined) return;
    if (this.#committed > this.records) throw new Error(`The topic has ${this.records} records, and ${this.#committed} were committed.`);
    const { user, system } = process.cpuUsage(began.cpu);
    const elapsedMs = this.clock.monotonic() - began.at;
    this.span?.end();
    this.#resolve({ records: this.records, elapsedMs, cpuMs: (user + system) / 1_000, peakRssBytes: process.resourceUsage().maxRSS * 1_024 });
  }
}
