import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { float64, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { epoch, taskIndex } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import type { MetricReport, TelemetryEvent } from '../ports/telemetry.js';
import { type Collector, type OperatorContext, ProcessFunction } from '../topology/functions.js';
import type { Counter } from '../topology/metrics.js';
import { topic } from '../topology/topic.js';
import { OperatorMetrics } from './operator-metrics.js';
import { IN, ONE, OUT, PipelineRig } from './pipeline-rig.spec-d.js';

const TASK = { job: 'job', subTopology: 1, task: taskIndex(2) };

function make(): { readonly metrics: OperatorMetrics; readonly report: (now?: number) => readonly MetricReport[] } {
  const metrics = new OperatorMetrics('op', 1_000);
  const report = (now = 2_000): readonly MetricReport[] => {
    const events: TelemetryEvent[] = [];
    metrics.report({ emit: (event) => void events.push(event) }, TASK, now);
    return events.flatMap((event) => (event.type === 'operator-metrics' ? event.metrics : []));
  };
  return { metrics, report };
}

describe('metrics', () => {
  it('are told by what was added since the report before, and not at all where nothing was', () => {
    const { metrics, report } = make();
    const counter = metrics.counter('late');
    counter.inc();
    counter.inc(4);
    expect(report()).toEqual([{ kind: 'counter', name: 'late', added: 5 }]);
    expect(report()).toEqual([]);
    counter.inc();
    expect([report(), counter.count]).toEqual([[{ kind: 'counter', name: 'late', added: 1 }], 6]);
  });

  it('may be read when they are told; one that cannot be read, or is no number, is left out', () => {
    const { metrics, report } = make();
    let size = 3;
    metrics.gauge('size', () => size);
    metrics.gauge('none', () => Number.NaN);
    metrics.gauge('broken', () => {
      throw new Error('no');
    });
    expect(report()).toEqual([{ kind: 'gauge', name: 'size', value: 3 }]);
    size = 4;
    expect(report()).toEqual([{ kind: 'gauge', name: 'size', value: 4 }]);
  });

  it('have a rate a second, which falls to 0 once', () => {
    const { metrics, report } = make();
    const meter = metrics.meter('events');
    meter.markEvent();
    meter.markEvent(9);
    expect(report(3_000)).toEqual([{ kind: 'meter', name: 'events', added: 10, rate: 5 }]);
    expect(report(4_000)).toEqual([{ kind: 'meter', name: 'events', added: 0, rate: 0 }]);
    expect(report(5_000)).toEqual([]);
  });

  it('have quantiles to within 5 percent, and exact ends, count and sum', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1e-3, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 300 }), (values) => {
        const { metrics, report } = make();
        const histogram = metrics.histogram('size');
        for (const value of values) histogram.update(value);
        const [told] = report();
        if (told?.kind !== 'histogram') throw new Error('a histogram is told');
        const sorted = [...values].sort((a, b) => a - b);
        expect([told.count, told.min, told.max]).toEqual([values.length, sorted[0], sorted.at(-1)]);
        expect(told.sum).toBeCloseTo(values.reduce((sum, value) => sum + value, 0), 3);
        for (const [name, q] of [['p50', 0.5], ['p95', 0.95], ['p999', 0.999]] as const) {
          const exact = sorted[Math.ceil(q * sorted.length) - 1]!;
          expect(Math.abs(told.quantiles[name] - exact)).toBeLessThanOrEqual(exact * 0.05);
        }
        expect(report()).toEqual([]);
      }),
    );
  });

  it('take values of every size, and leave out what is no number', () => {
    const { metrics, report } = make();
    const histogram = metrics.histogram('size');
    for (const value of [-5, 0, 1e-300, 1e300, Number.NaN, Infinity]) histogram.update(value);
    expect(report()).toMatchObject([{ count: 4, min: -5, max: 1e300 }]);
  });

  it('are registered once each, by name, in open', () => {
    const { metrics } = make();
    metrics.counter('a');
    for (const register of [() => metrics.counter('a'), () => metrics.histogram('a'), () => metrics.gauge('a', () => 1)]) {
      const thrown = thrownBy(register);
      expect([thrown.code, thrown.kind, thrown.message]).toEqual(['METRIC_REGISTRATION', 'invalid', expect.stringContaining('Metric "a" of operator op: it is registered twice') as unknown]);
    }
    expect(thrownBy(() => metrics.meter('')).message).toContain('it has no name');
    metrics.seal();
    expect(thrownBy(() => metrics.meter('b')).message).toContain('it is registered after open');
  });
});

describe('the metrics of a function', () => {
  class Measuring extends ProcessFunction<string, string> {
    #late!: Counter;
    context!: OperatorContext;
    override open(context: OperatorContext): void {
      this.context = context;
      this.#late = context.metrics.counter('late');
    }
    override process(text: string, out: Collector<string>): void {
      this.#late.inc();
      out.collect(text);
    }
  }

  it('are told with each commit and when it is closed, with job, task and operator', () => {
    const fn = new Measuring();
    const rig = new PipelineRig((streams) => streams.source('in', IN).process('measuring', () => fn).sink('out', OUT), ONE);
    expect(fn.context.job).toBe('job');
    rig.feed([{ value: 'a' }, { value: 'b' }]);
    expect(rig.events).toEqual([]);
    rig.pipeline.freeze(epoch(1), new RecordWriter(), 0);
    rig.pipeline.applied(epoch(1));
    rig.feed([{ value: 'c' }]).pipeline.close();
    const of = { type: 'operator-metrics', job: 'job', subTopology: 0, task: 0, operator: 'measuring' };
    expect(rig.events).toEqual([
      { ...of, metrics: [{ kind: 'counter', name: 'late', added: 2 }] },
      { ...of, metrics: [{ kind: 'counter', name: 'late', added: 1 }] },
    ]);
    expect(thrownBy(() => fn.context.metrics.counter('more')).message).toContain('it is registered after open');
  });

  it('cost no event where a function has none', () => {
    const rig = new PipelineRig((streams) => streams.source('in', IN).keyBy(utf8, (text) => text, { name: 'a' }).filterWithState('s', float64, () => ({ state: 1, keep: true })).sink('o', topic('o', { key: utf8, value: utf8 })), ONE);
    rig.pipeline.applied(epoch(1));
    expect(rig.events).toEqual([]);
  });
});
