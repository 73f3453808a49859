import { metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, Counter, Histogram, Meter, Tracer } from '@opentelemetry/api';
import type { Clock, Telemetry, TelemetryEvent } from '@weir/core';
import { OperatorInstruments } from './operator-instruments.js';
import { taskAttributes } from './task-name.js';

type TaskCommit = Extract<TelemetryEvent, { type: 'task-commit' }>;
type TaskFailed = Extract<TelemetryEvent, { type: 'task-failed' }>;
type RestoreProgress = Extract<TelemetryEvent, { type: 'restore-progress' }>;

export const INSTRUMENTATION = '@weir/nest';

/**
 * Events as OpenTelemetry counters and spans, through its API alone: without an SDK they cost a call and go nowhere.
 *
 * Names are Flink's, under `weir.job` and `weir.task`; attributes are Flink's labels (job_name, task_name, subtask_index). Spans are made
 * when their event comes, after the fact: their end is the wall clock's now, their start lies the event's duration before it.
 *
 * | instrument                                                  | event                                        |
 * | ----------------------------------------------------------- | -------------------------------------------- |
 * | weir.task.numRecordsIn, numRecordsOut, numBytesOut          | task-commit                                  |
 * | weir.task.numStateChanges                                   | task-commit                                  |
 * | weir.task.commitDuration (histogram, ms)                    | task-commit                                  |
 * | weir.task.numPurgeFailures                                   | purge-failed                                 |
 * | weir.operator.numRecordsSkipped, numRecordsDeadLettered     | bad-records                                  |
 * | weir.operator.* , see operator-instruments.ts               | operator-metrics                             |
 * | weir.job.numRestarts, numTaskFailures                       | job-status to RESTARTING, task-failed         |
 * | weir.job.numberOfCompletedCheckpoints, numberOfFailedCheckpoints | checkpoint-completed, checkpoint-failed |
 * | span Checkpoint, Checkpoint_Task, JobInitialization_Task    | checkpoint-*, task-commit, end of a restore  |
 *
 * Gauges are read from the job overviews instead, see job-gauges.ts.
 */
export class OpenTelemetry implements Telemetry {
  readonly #clock: Clock;
  readonly #tracer: Tracer;
  readonly #counters: TaskCounters;
  readonly #operators: OperatorInstruments;
  /** Tasks whose restore has ended, until they start anew. */
  readonly #restored = new Set<string>();

  /** @param meter,tracer by default those of the registered SDK */
  constructor(clock: Clock, meter: Meter = metrics.getMeter(INSTRUMENTATION), tracer: Tracer = trace.getTracer(INSTRUMENTATION)) {
    this.#clock = clock;
    this.#tracer = tracer;
    this.#counters = taskCounters(meter);
    this.#operators = new OperatorInstruments(meter);
  }

  emit(event: TelemetryEvent): void {
    switch (event.type) {
      case 'task-commit':
        return this.#taskCommit(event);
      case 'task-failed':
        return this.#taskFailed(event);
      case 'task-status':
        if (event.to === 'INITIALIZING') this.#restored.delete(keyOf(event));
        return;
      case 'restore-progress':
        return this.#restoreProgress(event);
      case 'job-status':
        if (event.to === 'RESTARTING') this.#counters.restarts.add(1, { job_name: event.job });
        return;
      case 'checkpoint-completed':
        this.#counters.completed.add(1, { job_name: event.job });
        return this.#span('Checkpoint', event.durationMs, {
          job_name: event.job,
          checkpointId: event.checkpoint,
          checkpointStatus: 'COMPLETED',
        });
      case 'checkpoint-failed': {
        const timedOut = event.outcome === 'timed-out';
        if (timedOut) this.#counters.failed.add(1, { job_name: event.job });
        const attributes = { job_name: event.job, checkpointId: event.checkpoint, checkpointStatus: timedOut ? 'FAILED' : 'ABANDONED' };
        return this.#span('Checkpoint', event.durationMs, attributes, timedOut ? 'it timed out' : undefined);
      }
      case 'job-waiting':
      case 'job-notice':
      case 'store-rebuild':
      case 'input-reset':
      case 'standby-status':
        return;
      case 'standby-failed':
        return this.#counters.standbyFailures.add(1, taskAttributes(event));
      case 'purge-failed':
        return this.#counters.purgeFailures.add(1, taskAttributes(event));
      case 'bad-records':
        for (const { operator, skipped, deadLettered } of event.operators) {
          const attributes = { ...taskAttributes(event), operator_name: operator };
          if (skipped > 0) this.#counters.skipped.add(skipped, attributes);
          if (deadLettered > 0) this.#counters.deadLettered.add(deadLettered, attributes);
        }
        return;
      case 'operator-metrics':
        return this.#operators.record(event);
    }
  }

  #taskCommit(event: TaskCommit): void {
    const attributes = taskAttributes(event);
    const { recordsIn, recordsOut, bytesOut, stateChanges, commitDuration } = this.#counters;
    recordsIn.add(event.recordsIn, attributes);
    recordsOut.add(event.recordsOut, attributes);
    bytesOut.add(event.bytes, attributes);
    stateChanges.add(event.stateChanges, attributes);
    commitDuration.record(event.durationMs, attributes);
    const checkpointId = event.checkpoint === undefined ? {} : { checkpointId: event.checkpoint };
    const { recordsIn: numRecordsIn, recordsOut: numRecordsOut, bytes: checkpointedSize } = event;
    this.#span('Checkpoint_Task', event.durationMs, { ...attributes, ...checkpointId, numRecordsIn, numRecordsOut, checkpointedSize });
  }

  #taskFailed(event: TaskFailed): void {
    const code = 'code' in event.error ? { error_code: String(event.error.code) } : {};
    this.#counters.taskFailures.add(1, { ...taskAttributes(event), ...code });
  }

  #restoreProgress(event: RestoreProgress): void {
    const key = keyOf(event);
    if (event.remaining > 0 || this.#restored.has(key)) return;
    this.#restored.add(key);
    this.#span('JobInitialization_Task', event.elapsedMs, { ...taskAttributes(event), restoredRecords: event.records });
  }

  #span(name: string, durationMs: number, attributes: Attributes, failure?: string): void {
    const endTime = this.#clock.wall();
    // A root of its own: whatever span is active where the event was emitted has nothing to do with it.
    const span = this.#tracer.startSpan(name, { root: true, startTime: endTime - durationMs, attributes });
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    span.end(endTime);
  }
}

interface TaskCounters {
  readonly recordsIn: Counter;
  readonly recordsOut: Counter;
  readonly bytesOut: Counter;
  readonly stateChanges: Counter;
  readonly commitDuration: Histogram;
  readonly restarts: Counter;
  readonly taskFailures: Counter;
  readonly purgeFailures: Counter;
  readonly standbyFailures: Counter;
  readonly skipped: Counter;
  readonly deadLettered: Counter;
  readonly completed: Counter;
  readonly failed: Counter;
}

function taskCounters(meter: Meter): TaskCounters {
  const counter = (name: string, description: string, unit = ''): Counter => meter.createCounter(name, { description, unit });
  return {
    recordsIn: counter('weir.task.numRecordsIn', 'Records read, counted when they are committed', '{record}'),
    recordsOut: counter('weir.task.numRecordsOut', 'Records written, counted when they are committed', '{record}'),
    bytesOut: counter('weir.task.numBytesOut', 'Bytes written to outputs and changelog, counted when they are committed', 'By'),
    stateChanges: counter('weir.task.numStateChanges', 'Entries of state that commits changed', '{entry}'),
    commitDuration: meter.createHistogram('weir.task.commitDuration', { description: 'How long commits of tasks took', unit: 'ms' }),
    restarts: counter('weir.job.numRestarts', 'How often the job went to RESTARTING', '{restart}'),
    taskFailures: counter('weir.job.numTaskFailures', 'Failures of tasks', '{failure}'),
    purgeFailures: counter('weir.task.numPurgeFailures', 'Purges of repartition topics that failed', '{failure}'),
    standbyFailures: counter('weir.standby.numFailures', 'Failures of copies of tasks that run elsewhere', '{failure}'),
    skipped: counter('weir.operator.numRecordsSkipped', 'Bad records that were dropped, counted when that is committed', '{record}'),
    deadLettered: counter('weir.operator.numRecordsDeadLettered', 'Bad records put into a dead-letter topic, counted when that is committed', '{record}'),
    completed: counter('weir.job.numberOfCompletedCheckpoints', 'Checkpoints completed', '{checkpoint}'),
    failed: counter('weir.job.numberOfFailedCheckpoints', 'Checkpoints failed', '{checkpoint}'),
  };
}

interface Task {
  readonly job: string;
  readonly subTopology: number;
  readonly task: number;
}

const keyOf = (of: Task): string => `${of.job}/${of.subTopology}/${of.task}`;
