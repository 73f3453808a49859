import type { CheckpointId, TaskIndex } from '../model/brands.js';
import type { JobStatus } from '../job/job-status.js';
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

export type TelemetryEvent =
  | { readonly type: 'job-status'; readonly job: string; readonly from: JobStatus; readonly to: JobStatus; readonly reason?: string }
  | { readonly type: 'job-waiting'; readonly job: string; readonly reason: string }
  | { readonly type: 'job-notice'; readonly job: string; readonly message: string }
  | ({ readonly type: 'task-status'; readonly from: TaskStatus; readonly to: TaskStatus } & TaskRef)
  | ({ readonly type: 'task-failed'; readonly error: Error; readonly restartInMs: number | undefined } & TaskRef)
  | ({ readonly type: 'store-rebuild'; readonly reason: string } & TaskRef)
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
