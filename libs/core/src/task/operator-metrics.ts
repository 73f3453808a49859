import { errors } from '../errors/errors.js';
import type { MetricReport, TaskRef, Telemetry } from '../ports/telemetry.js';
import type { Counter, Histogram, Meter, MetricGroup } from '../topology/metrics.js';

/**
 * The metrics of one operator: plain numbers, so that counting a record costs no object. What has changed is told as one event when the task
 * reports; nothing is told of an operator without metrics.
 */
export class OperatorMetrics implements MetricGroup {
  readonly #metrics = new Map<string, ReportingMetric>();
  #sealed = false;
  #reportedAt: number;

  /** @param now on the monotonic clock, in milliseconds */
  constructor(
    private readonly operator: string,
    now: number,
  ) {
    this.#reportedAt = now;
  }

  counter(name: string): Counter {
    return this.#register(name, new RunningCounter());
  }

  gauge(name: string, read: () => number): void {
    this.#register(name, new ReadGauge(read));
  }

  histogram(name: string): Histogram {
    return this.#register(name, new BucketHistogram());
  }

  meter(name: string): Meter {
    return this.#register(name, new RunningMeter());
  }

  #register<M extends ReportingMetric>(name: string, metric: M): M {
    const refuse = (problem: string, advice: string): Error => errors.metricRegistration({ metric: name, operator: this.operator, problem, advice });
    if (name === '') throw refuse('it has no name', 'Give each metric a name.');
    if (this.#sealed) throw refuse('it is registered after open', 'Register every metric in open.');
    if (this.#metrics.has(name)) throw refuse('it is registered twice', 'Register it once, in open, and keep it in a field.');
    this.#metrics.set(name, metric);
    return metric;
  }

  seal(): void {
    this.#sealed = true;
  }

  /** @param now on the monotonic clock, in milliseconds */
  report(telemetry: Telemetry, task: TaskRef, now: number): void {
    if (this.#metrics.size === 0) return;
    const elapsedMs = now - this.#reportedAt;
    this.#reportedAt = now;
    const metrics: MetricReport[] = [];
    for (const [name, metric] of this.#metrics) {
      const report = metric.take(name, elapsedMs);
      if (report !== undefined) metrics.push(report);
    }
    const { job, subTopology, task: index } = task;
    if (metrics.length > 0) telemetry.emit({ type: 'operator-metrics', job, subTopology, task: index, operator: this.operator, metrics });
  }
}

interface ReportingMetric {
  /** What is new since the last call; undefined for nothing. */
  take(name: string, elapsedMs: number): MetricReport | undefined;
}

class RunningCounter implements Counter, ReportingMetric {
  count = 0;
  #reported = 0;

  inc(by = 1): void {
    this.count += by;
  }

  take(name: string): MetricReport | undefined {
    const added = this.count - this.#reported;
    this.#reported = this.count;
    return added === 0 ? undefined : { kind: 'counter', name, added };
  }
}

class RunningMeter implements Meter, ReportingMetric {
  #events = 0;
  #wasSilent = true;

  markEvent(events = 1): void {
    this.#events += events;
  }

  /** A rate of 0 is told once. */
  take(name: string, elapsedMs: number): MetricReport | undefined {
    const added = this.#events;
    this.#events = 0;
    if (added === 0 && this.#wasSilent) return undefined;
    this.#wasSilent = added === 0;
    return { kind: 'meter', name, added, rate: elapsedMs > 0 ? (added * 1_000) / elapsedMs : 0 };
  }
}

class ReadGauge implements ReportingMetric {
  constructor(private readonly read: () => number) {}

  take(name: string): MetricReport | undefined {
    let value: number;
    try {
      value = this.read();
    } catch {
      return undefined; // a gauge that cannot be read fails no task
    }
    return Number.isFinite(value) ? { kind: 'gauge', name, value } : undefined;
  }
}

const BUCKETS_PER_DOUBLING = 16;
/** Buckets reach from 2^-20 to 2^44; what lies beyond is in the first or the last one. */
const LOWEST_EXPONENT = -20;
const BUCKETS = 64 * BUCKETS_PER_DOUBLING;

/** Buckets that grow by 2^(1/16), as HdrHistogram's idea of a bounded relative error; exact count, sum, least and greatest. */
class BucketHistogram implements Histogram, ReportingMetric {
  readonly #buckets = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;

  update(value: number): void {
    if (!Number.isFinite(value)) return;
    const bucket = value > 0 ? Math.floor((Math.log2(value) - LOWEST_EXPONENT) * BUCKETS_PER_DOUBLING) : 0;
    this.#buckets[bucket < 0 ? 0 : bucket < BUCKETS ? bucket : BUCKETS - 1]!++;
    this.#count++;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  take(name: string): MetricReport | undefined {
    if (this.#count === 0) return undefined;
    const quantiles = { p50: this.#quantile(0.5), p75: this.#quantile(0.75), p95: this.#quantile(0.95), p99: this.#quantile(0.99), p999: this.#quantile(0.999) };
    const report = { kind: 'histogram', name, count: this.#count, sum: this.#sum, min: this.#min, max: this.#max, quantiles } as const;
    this.#buckets.fill(0);
    this.#count = this.#sum = 0;
    this.#min = Infinity;
    this.#max = -Infinity;
    return report;
  }

  /** The upper end of the bucket that holds the value of that rank. */
  #quantile(q: number): number {
    let left = Math.ceil(q * this.#count);
    let bucket = 0;
    while (bucket < BUCKETS - 1 && (left -= this.#buckets[bucket]!) > 0) bucket++;
    const upper = 2 ** (LOWEST_EXPONENT + (bucket + 1) / BUCKETS_PER_DOUBLING);
    return Math.min(Math.max(bucket === 0 ? this.#min : upper, this.#min), this.#max);
  }
}
