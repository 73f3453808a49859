import { describe, expect, it } from '@jest/globals';
import type { Attributes, BatchObservableCallback, Meter, Tracer } from '@opentelemetry/api';
import { checkpointId, silentTelemetry, taskIndex } from '@weir/core';
import type { JobOverview, Telemetry } from '@weir/core';
import { FakeJob, ports, SteppedClock, task as taskOverview } from '../fake-jobs.spec-d.js';
import { combineTelemetry } from './combine-telemetry.js';
import { observeJobs } from './job-gauges.js';
import { OpenTelemetry } from './open-telemetry.js';

const task = { job: 'alerts', subTopology: 0, task: taskIndex(3) };
const labels = { job_name: 'alerts', task_name: '0', subtask_index: 3 };
const commit = {
  type: 'task-commit' as const,
  ...task,
  checkpoint: checkpointId(5),
  recordsIn: 100,
  recordsOut: 7,
  stateChanges: 9,
  bytes: 800,
  durationMs: 40,
};

interface Span {
  readonly name: string;
  readonly options: unknown;
  end?: unknown;
  status?: unknown;
}

/** Records what an SDK would get. */
class Recorder {
  readonly values: [string, number, unknown][] = [];
  readonly spans: Span[] = [];
  readonly callbacks = new Set<BatchObservableCallback>();
  readonly meter = {
    createCounter: (name: string) => ({ add: (value: number, attributes: Attributes) => this.values.push([name, value, attributes]) }),
    createHistogram: (name: string) => ({ record: (value: number, attributes: Attributes) => this.values.push([name, value, attributes]) }),
    createGauge: (name: string) => ({ record: (value: number, attributes: Attributes) => this.values.push([name, value, attributes]) }),
    createObservableGauge: (name: string) => ({ name }),
    addBatchObservableCallback: (callback: BatchObservableCallback) => this.callbacks.add(callback),
    removeBatchObservableCallback: (callback: BatchObservableCallback) => this.callbacks.delete(callback),
  } as unknown as Meter;
  readonly tracer = {
    startSpan: (name: string, options: unknown) => {
      const span: Span = { name, options };
      this.spans.push(span);
      return { setStatus: (status: unknown) => (span.status = status), end: (at: unknown) => (span.end = at) };
    },
  } as unknown as Tracer;

  collect(): Map<string, number> {
    const seen = new Map<string, number>();
    const observe = (gauge: { name: string }, value: number, attributes?: Attributes): void => {
      const index = attributes?.['subtask_index'];
      seen.set(typeof index === 'number' ? `${gauge.name}#${index}` : gauge.name, value);
    };
    for (const callback of this.callbacks) void callback({ observe } as never);
    return seen;
  }
}

const rig = (): { recorder: Recorder; telemetry: Telemetry } => {
  const recorder = new Recorder();
  return { recorder, telemetry: new OpenTelemetry(new SteppedClock(), recorder.meter, recorder.tracer) };
};

describe('telemetry as OpenTelemetry', () => {
  it('costs nothing and throws nothing where no SDK is installed', () => {
    const telemetry = new OpenTelemetry(new SteppedClock());
    expect(() => telemetry.emit(commit)).not.toThrow();
  });

  it("counts what commits made visible, under Flink's names and labels", () => {
    const { recorder, telemetry } = rig();
    telemetry.emit(commit);
    expect(recorder.values).toEqual([
      ['weir.task.numRecordsIn', 100, labels],
      ['weir.task.numRecordsOut', 7, labels],
      ['weir.task.numBytesOut', 800, labels],
      ['weir.task.numStateChanges', 9, labels],
      ['weir.task.commitDuration', 40, labels],
    ]);
  });

  it('makes a span of a commit that ends now and began its duration ago, apart from whatever span is active', () => {
    const { recorder, telemetry } = rig();
    telemetry.emit(commit);
    const attributes = { ...labels, checkpointId: 5, numRecordsIn: 100, numRecordsOut: 7, checkpointedSize: 800 };
    expect(recorder.spans).toEqual([{ name: 'Checkpoint_Task', options: { root: true, startTime: 9960, attributes }, end: 10_000 }]);
  });

  it('makes one span of a restore, at its end, and one of the next', () => {
    const { recorder, telemetry } = rig();
    const progress = (remaining: number) => ({
      type: 'restore-progress' as const,
      ...task,
      remaining,
      records: 100,
      elapsedMs: 2000,
      rate: 50,
      etaMs: 0,
    });
    telemetry.emit(progress(10));
    telemetry.emit(progress(0));
    telemetry.emit(progress(0));
    expect(recorder.spans.map((span) => span.name)).toEqual(['JobInitialization_Task']);
    expect(recorder.spans[0]).toMatchObject({ options: { startTime: 8000, attributes: { ...labels, restoredRecords: 100 } }, end: 10_000 });
    telemetry.emit({ type: 'task-status', ...task, from: 'CREATED', to: 'INITIALIZING' });
    telemetry.emit(progress(0));
    expect(recorder.spans).toHaveLength(2);
  });

  it('counts checkpoints, restarts and failures of tasks by code', () => {
    const { recorder, telemetry } = rig();
    telemetry.emit({ type: 'checkpoint-completed', job: 'alerts', checkpoint: checkpointId(5), durationMs: 60 });
    telemetry.emit({ type: 'checkpoint-failed', job: 'alerts', checkpoint: checkpointId(6), outcome: 'timed-out', durationMs: 9 });
    telemetry.emit({ type: 'checkpoint-failed', job: 'alerts', checkpoint: checkpointId(7), outcome: 'abandoned', durationMs: 9 });
    telemetry.emit({ type: 'job-status', job: 'alerts', from: 'RUNNING', to: 'RESTARTING' });
    telemetry.emit({ type: 'job-status', job: 'alerts', from: 'RESTARTING', to: 'RUNNING' });
    telemetry.emit({ type: 'task-failed', ...task, error: Object.assign(new Error('x'), { code: 'LOG_DOWN' }), restartInMs: 5 });
    expect(recorder.values).toEqual([
      ['weir.job.numberOfCompletedCheckpoints', 1, { job_name: 'alerts' }],
      ['weir.job.numberOfFailedCheckpoints', 1, { job_name: 'alerts' }],
      ['weir.job.numRestarts', 1, { job_name: 'alerts' }],
      ['weir.job.numTaskFailures', 1, { ...labels, error_code: 'LOG_DOWN' }],
    ]);
    expect(recorder.spans.map((span) => [span.name, span.status])).toEqual([
      ['Checkpoint', undefined],
      ['Checkpoint', { code: 2, message: 'it timed out' }],
      ['Checkpoint', undefined],
    ]);
  });
});

describe('what functions measure', () => {
  it('is told under weir.operator with the label of the operator, quantiles as those of a summary', () => {
    const { recorder, telemetry } = rig();
    const quantiles = { p50: 2, p75: 3, p95: 4, p99: 5, p999: 6 };
    const metrics = [
      { kind: 'counter', name: 'late', added: 4 },
      { kind: 'gauge', name: 'size', value: 7 },
      { kind: 'meter', name: 'events', added: 10, rate: 5 },
      { kind: 'histogram', name: 'price', count: 4, sum: 10, min: 1, max: 9, quantiles },
    ] as const;
    telemetry.emit({ type: 'operator-metrics', ...task, operator: 'jump', metrics });
    telemetry.emit({ type: 'operator-metrics', ...task, operator: 'jump', metrics: [metrics[0]] });
    const of = { ...labels, operator_name: 'jump' };
    const quantile = (q: string, value: number): unknown => ['weir.operator.price', value, { ...of, quantile: q }];
    expect(recorder.values).toHaveLength(14);
    expect(recorder.values).toEqual(
      expect.arrayContaining([
        ['weir.operator.late', 4, of],
        ['weir.operator.size', 7, of],
        ['weir.operator.events', 10, of],
        ['weir.operator.events.rate', 5, of],
        ['weir.operator.price.count', 4, of],
        ['weir.operator.price.mean', 2.5, of],
        ...[['0', 1], ['0.5', 2], ['0.75', 3], ['0.95', 4], ['0.99', 5], ['0.999', 6], ['1', 9]].map(([q, value]) => quantile(q as string, value as number)),
      ]),
    );
  });

  it('and bad records are counted by operator and by what became of them', () => {
    const { recorder, telemetry } = rig();
    telemetry.emit({ type: 'bad-records', ...task, operators: [{ operator: 'jump', skipped: 2, deadLettered: 3, lastError: 'x' }, { operator: 'sum', skipped: 0, deadLettered: 1, lastError: 'y' }] });
    expect(recorder.values).toEqual([
      ['weir.operator.numRecordsSkipped', 2, { ...labels, operator_name: 'jump' }],
      ['weir.operator.numRecordsDeadLettered', 3, { ...labels, operator_name: 'jump' }],
      ['weir.operator.numRecordsDeadLettered', 1, { ...labels, operator_name: 'sum' }],
    ]);
  });

  it('and purges that failed are counted', () => {
    const { recorder, telemetry } = rig();
    telemetry.emit({ type: 'purge-failed', ...task, error: new Error('not authorized') });
    expect(recorder.values).toEqual([['weir.task.numPurgeFailures', 1, labels]]);
  });

  it('counts failures of copies', () => {
    const { recorder, telemetry } = rig();
    telemetry.emit({ type: 'standby-failed', ...task, error: new Error('disk full'), retryInMs: 1_000 });
    expect(recorder.values).toEqual([['weir.standby.numFailures', 1, labels]]);
  });
});

describe('gauges of jobs', () => {
  const overviewOf = (change: (job: FakeJob) => void): JobOverview => {
    const job = new FakeJob('alerts', { define: () => undefined }, { applicationId: 'app' }, ports(new SteppedClock()));
    change(job);
    return job.overview();
  };

  it('are read from the overviews at each collection, until they are ended', () => {
    const recorder = new Recorder();
    const restore = { fromLocalState: true, rebuildReason: undefined, records: 5, remaining: 20, etaMs: 100 };
    const overview = overviewOf((job) => {
      job.status = 'RUNNING';
      job.tasks = [taskOverview(0), taskOverview(1, { lag: 8, restore })];
      const copy = { subTopology: 0, statusSince: 1, records: 9 };
      job.standbys = [
        { ...copy, task: 2, status: 'FOLLOWING', position: 70, lag: 4 },
        { ...copy, task: 3, status: 'OPENING', position: undefined, lag: undefined },
      ];
    });
    const end = observeJobs(() => [overview], new SteppedClock(), recorder.meter);
    const seen = recorder.collect();
    expect(Object.fromEntries(seen)).toMatchObject({
      'weir.numRunningJobs': 1,
      'weir.job.runningTime': 8000,
      'weir.job.restartingTime': 0,
      'weir.job.totalNumberOfCheckpoints': 8,
      'weir.job.lastCompletedCheckpointId': 7,
      'weir.job.lastCheckpointDuration': 12,
      'weir.job.lastCheckpointSize': 345,
      'weir.job.lastCheckpointCompletedTimestamp': 5000,
      'weir.task.pendingRecords#0': 3,
      'weir.task.pendingRecords#1': 8,
      'weir.task.restoreRemaining#1': 20,
      'weir.task.restoreEta#1': 100,
      'weir.standby.lag#2': 4,
      'weir.standby.position#2': 70,
    });
    expect(seen.has('weir.standby.lag#3')).toBe(false);
    expect(seen.has('weir.task.restoreRemaining#0')).toBe(false);
    end();
    expect(recorder.collect().size).toBe(0);
  });
});

describe('combineTelemetry', () => {
  it('passes each event to all, whoever throws', () => {
    const seen: string[] = [];
    const throwing: Telemetry = {
      emit: () => {
        throw new Error('mine');
      },
    };
    const all = combineTelemetry(throwing, silentTelemetry, { emit: (event) => void seen.push(event.type) });
    expect(() => all.emit(commit)).not.toThrow();
    expect(seen).toEqual(['task-commit']);
  });
});
