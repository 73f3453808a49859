import type { TaskStatus } from '../task/task-status.js';
import type { JobStatus } from './job-status.js';

/** A job as it stands: what health checks, the overview over HTTP and a status line are made of. Times are wall-clock milliseconds. */
export interface JobOverview {
  /** 32 hexadecimal digits, the same in every process and after every restart. */
  readonly id: string;
  readonly name: string;
  readonly applicationId: string;
  readonly status: JobStatus;
  /** Why the job is not RUNNING, in words: what it waits for, or what failed it. */
  readonly reason: string | undefined;
  readonly startedAt: number;
  readonly statusSince: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly tasks: readonly TaskOverview[];
  readonly checkpoints: CheckpointOverview;
  /** Why tasks failed, newest first, at most 16. */
  readonly failures: readonly FailureOverview[];
}

export interface TaskOverview {
  readonly subTopology: number;
  readonly task: number;
  readonly status: TaskStatus;
  readonly statusSince: number;
  /** Restarts since the process began. */
  readonly attempt: number;
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Offsets between what the task has read and the last stable offset of its inputs. */
  readonly lag: number;
  readonly restore: RestoreOverview | undefined;
}

export interface RestoreOverview {
  /** Whether local state was used, so that only the changelog's tail was read; false when it was rebuilt from the start. */
  readonly fromLocalState: boolean;
  /** Why local state was not used, if there was any. */
  readonly rebuildReason: string | undefined;
  readonly records: number;
  readonly remaining: number;
  readonly etaMs: number;
}

export interface CheckpointOverview {
  readonly completed: number;
  readonly failed: number;
  readonly latest: { readonly id: number; readonly completedAt: number; readonly durationMs: number; readonly bytes: number } | undefined;
}

export interface FailureOverview {
  readonly at: number;
  readonly task: string | undefined;
  readonly message: string;
}
