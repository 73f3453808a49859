import type { CheckpointId, Offset, TaskIndex } from '../model/brands.js';
import type { JobStatus } from '../job/job-status.js';
import type { StandbyStatus } from '../task/standby-status.js';
import type { TaskStatus } from '../task/task-status.js';

/**
 * Telemetry: what happened, as values of one closed union; adapters turn them into logs, metrics and spans.
 * Guarantees: `emit` never throws, is never awaited, and is never called once per record.
 */
export interface Telemetry {
  emit(event: TelemetryEvent): void;
}

export interface TaskRef {
  readonly job: string;
  readonly subTopology: number;
  readonly task: TaskIndex;
}

export type MetricReport =
  | { readonly kind: 'counter'; readonly name: string; readonly added: number }
  | { readonly kind: 'gauge'; readonly name: string; readonly value: number }
  /** @property rate events a second since the report before */
  | { readonly kind: 'meter'; readonly name: string; readonly added: number; readonly rate: number }
  | {
      readonly kind: 'histogram';
      readonly name: string;
      /** Of the values since the report before, likewise all below. */
      readonly count: number;
      readonly sum: number;
      readonly min: number;
      readonly max: number;
      readonly quantiles: Readonly<Record<'p50' | 'p75' | 'p95' | 'p99' | 'p999', number>>;
    };

/** What one commit of a task had of them, by operator. */
export interface BadRecordCounts {
  readonly operator: string;
  readonly skipped: number;
  readonly deadLettered: number;
  /** Message of the last one's error. */
  readonly lastError: string;
}

export type TelemetryEvent =
  | { readonly type: 'job-status'; readonly job: string; readonly from: JobStatus; readonly to: JobStatus; readonly reason?: string }
  | { readonly type: 'job-waiting'; readonly job: string; readonly reason: string }
  | { readonly type: 'job-notice'; readonly job: string; readonly message: string }
  | ({ readonly type: 'task-status'; readonly from: TaskStatus; readonly to: TaskStatus } & TaskRef)
  | ({ readonly type: 'task-failed'; readonly error: Error; readonly restartInMs: number | undefined } & TaskRef)
  /** What is committed of repartition topics could not be deleted: nothing is lost, and the next purge makes up for it. */
  | ({ readonly type: 'purge-failed'; readonly error: Error } & TaskRef)
  /** What functions registered and has changed since the task's commit before. */
  | ({ readonly type: 'operator-metrics'; readonly operator: string; readonly metrics: readonly MetricReport[] } & TaskRef)
  /** Records that operators could not process and a commit has dropped or put away; those that failed a task are not among them. */
  | ({ readonly type: 'bad-records'; readonly operators: readonly BadRecordCounts[] } & TaskRef)
  | ({
      readonly type: 'standby-status';
      readonly from: StandbyStatus;
      readonly to: StandbyStatus;
      /** Read from the changelog by this copy. */
      readonly records: number;
      /** Changelog offsets that the copy lacks. */
      readonly lag: number;
    } & TaskRef)
  /** A copy begins anew by itself; the task runs elsewhere and is not concerned. */
  | ({ readonly type: 'standby-failed'; readonly error: Error; readonly retryInMs: number } & TaskRef)
  | ({ readonly type: 'store-rebuild'; readonly reason: string } & TaskRef)
  /**
   * The task goes on at another offset than the next one, for that is not in the log: records from `from` to below `to` are skipped, or,
   * where the log lost its tail, `to` is its end and lies before.
   */
  | ({
      readonly type: 'input-reset';
      readonly source: string;
      readonly topic: string;
      readonly partition: number;
      readonly from: Offset;
      readonly to: Offset;
      /** By which it goes on. */
      readonly policy: 'earliest' | 'latest';
    } & TaskRef)
  | ({
      readonly type: 'restore-progress';
      /** Changelog offsets still to read; 0 when the restore is done. */
      readonly remaining: number;
      readonly records: number;
      readonly elapsedMs: number;
      /** Records a second since the restore began. */
      readonly rate: number;
      /** Milliseconds left at that rate; 0 when the restore is done. */
      readonly etaMs: number;
    } & TaskRef)
  | ({
      readonly type: 'task-commit';
      readonly checkpoint: CheckpointId | undefined;
      readonly recordsIn: number;
      readonly recordsOut: number;
      readonly stateChanges: number;
      readonly bytes: number;
      readonly durationMs: number;
    } & TaskRef)
  | { readonly type: 'checkpoint-completed'; readonly job: string; readonly checkpoint: CheckpointId; readonly durationMs: number }
  | {
      readonly type: 'checkpoint-failed';
      readonly job: string;
      readonly checkpoint: CheckpointId;
      /** Abandoned because a task failed or the job stops, which is no failed checkpoint (R4); or timed out, which is one. */
      readonly outcome: 'abandoned' | 'timed-out';
      readonly durationMs: number;
    };

/** A Telemetry that drops everything. */
export const silentTelemetry: Telemetry = { emit: () => undefined };
