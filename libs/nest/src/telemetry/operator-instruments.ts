import type { Attributes, Counter, Gauge, Meter } from '@opentelemetry/api';
import type { TelemetryEvent } from '@weir/core';
import { taskAttributes } from './task-name.js';

/**
 * What users' functions measure, as OpenTelemetry instruments under `weir.operator`, with the labels of the task and `operator_name`:
 *
 * | registered as | instruments                                                                                          |
 * | ------------- | ---------------------------------------------------------------------------------------------------- |
 * | counter       | counter `<name>`                                                                                     |
 * | gauge         | gauge `<name>`                                                                                       |
 * | meter         | counter `<name>`, gauge `<name>.rate` (a second)                                                      |
 * | histogram     | counter `<name>.count`, gauges `<name>.mean` and `<name>` with label `quantile`: 0 (least) to 1 (most) |
 *
 * OpenTelemetry's own histograms take values one by one, which would be a call per record; so quantiles are told as Flink's reporters do.
 */
export class OperatorInstruments {
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();

  constructor(private readonly meter: Meter) {}

  record(event: Extract<TelemetryEvent, { type: 'operator-metrics' }>): void {
    const attributes: Attributes = { ...taskAttributes(event), operator_name: event.operator };
    for (const metric of event.metrics) {
      const name = `weir.operator.${metric.name}`;
      switch (metric.kind) {
        case 'counter':
          this.#counter(name).add(metric.added, attributes);
          break;
        case 'gauge':
          this.#gauge(name).record(metric.value, attributes);
          break;
        case 'meter':
          this.#counter(name).add(metric.added, attributes);
          this.#gauge(`${name}.rate`).record(metric.rate, attributes);
          break;
        case 'histogram': {
          const { p50, p75, p95, p99, p999 } = metric.quantiles;
          this.#counter(`${name}.count`).add(metric.count, attributes);
          this.#gauge(`${name}.mean`).record(metric.sum / metric.count, attributes);
          const quantiles = { '0': metric.min, '0.5': p50, '0.75': p75, '0.95': p95, '0.99': p99, '0.999': p999, '1': metric.max };
          for (const [quantile, value] of Object.entries(quantiles)) this.#gauge(name).record(value, { ...attributes, quantile });
        }
      }
    }
  }

  #counter(name: string): Counter {
    let counter = this.#counters.get(name);
    if (counter === undefined) this.#counters.set(name, (counter = this.meter.createCounter(name)));
    return counter;
  }

  #gauge(name: string): Gauge {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) this.#gauges.set(name, (gauge = this.meter.createGauge(name)));
    return gauge;
  }
}
