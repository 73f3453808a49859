/**
 * Metrics of a user's function, Flink's: registered by name in `open`, kept in fields, told to telemetry with each commit of the task, and
 * at its end. They count what was computed, so records that are computed again after a failure count again.
 */
export interface MetricGroup {
  /** @throws WeirError `invalid` METRIC_REGISTRATION for a second metric of the name, or a call after `open` */
  counter(name: string): Counter;
  /** @param read what it is now; called with each commit, so it is cheap; what is no number is left out. @throws as `counter` */
  gauge(name: string, read: () => number): void;
  /** @throws as `counter` */
  histogram(name: string): Histogram;
  /** @throws as `counter` */
  meter(name: string): Meter;
}

export interface Counter {
  /** @param by default 1 */
  inc(by?: number): void;
  /** Since the function was opened. */
  readonly count: number;
}

/** How values are distributed; quantiles are those since the commit before, to within 5 percent. */
export interface Histogram {
  update(value: number): void;
}

/** How many events there are, and how many a second. */
export interface Meter {
  /** @param events default 1 */
  markEvent(events?: number): void;
}
