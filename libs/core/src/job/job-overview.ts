import type { StandbyStatus } from '../task/standby-status.js';
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
  /** Tasks of the whole job, of all stages. */
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Of this replica. */
  readonly tasks: readonly TaskOverview[];
  /** Every task of the job, with the replica that runs it; empty before the job has planned them. */
  readonly placements: readonly TaskPlacement[];
  /** Everybody who shares the tasks; empty while this replica is not in the group, and without a group. */
  readonly replicas: readonly ReplicaOverview[];
  /** Copies that this process keeps of the state of tasks that run elsewhere. */
  readonly standbys: readonly StandbyOverview[];
  readonly checkpoints: CheckpointOverview;
  /** Why tasks failed, newest first, at most 16. */
  readonly failures: readonly FailureOverview[];
}

/** DOWN: it is restored, restarts, or moves from one replica to another. UNKNOWN: this replica has no news of others. */
export type PlacementStatus = TaskStatus | 'DOWN' | 'UNKNOWN';

export interface TaskPlacement {
  readonly subTopology: number;
  readonly task: number;
  readonly status: PlacementStatus;
  /** Name of the process that was told to run it; undefined for a task that moves, and where nothing is known. */
  readonly replica: string | undefined;
  /** Where that replica is reached by HTTP; undefined where it does not say, and without a group. */
  readonly url: string | undefined;
  /** Whether it is this replica. */
  readonly isHere: boolean;
}

export interface ReplicaOverview {
  /** Name of the process: a new one at each start. */
  readonly replica: string;
  /** The name under which it comes back; undefined where it has none. */
  readonly instanceId: string | undefined;
  readonly url: string | undefined;
  /** Whether it divides the tasks, and coordinates the checkpoints. */
  readonly isLeader: boolean;
  readonly isThis: boolean;
  /** What it was told to run. */
  readonly tasks: readonly string[];
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

export interface StandbyOverview {
  readonly subTopology: number;
  readonly task: number;
  readonly status: StandbyStatus;
  readonly statusSince: number;
  /** The changelog offset up to which the copy holds everything; undefined while that is not known. */
  readonly position: number | undefined;
  /** Changelog offsets that it lacks, as it knew within the last half second, or minute where nothing comes; undefined while it does not. */
  readonly lag: number | undefined;
  /** Read from the changelog since the copy began. */
  readonly records: number;
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

/** Counts since this process began. */
export interface CheckpointOverview {
  readonly completed: number;
  readonly failed: number;
  readonly latest: { readonly id: number; readonly completedAt: number; readonly durationMs: number; readonly bytes: number } | undefined;
  /** The last 10 rounds, newest first. */
  readonly history: readonly RoundOverview[];
}

/** A checkpoint of the job, as far as this process was told of it. */
export interface RoundOverview {
  readonly id: number;
  /** Abandoned because a task failed or the job stopped, which is no failed checkpoint; or timed out, which is one. */
  readonly outcome: 'open' | 'completed' | 'abandoned' | 'timed-out';
  readonly triggeredAt: number;
  /** Undefined while it is open. */
  readonly durationMs: number | undefined;
  /** Of those tasks that have acknowledged it. */
  readonly tasks: readonly TaskRoundOverview[];
}

export interface TaskRoundOverview {
  /** Sub-topology and task, e.g. 0-1. */
  readonly task: string;
  readonly acknowledgedAt: number;
  /** Written, of outputs and state; 0 where nothing had changed, likewise all below. */
  readonly bytes: number;
  readonly stateChanges: number;
  /** Of the commit, from the freeze until the store has it. */
  readonly durationMs: number;
  /** Of its whole state, roughly, once it had committed; undefined where it did not tell. */
  readonly stateBytes?: number;
  /** From the first sign of the barrier until the task had it on all inputs and froze its epoch. */
  readonly alignmentMs: number;
}

export interface FailureOverview {
  readonly at: number;
  readonly task: string | undefined;
  readonly message: string;
}
