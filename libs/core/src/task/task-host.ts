import type { CommitFigures } from '../model/commit-figures.js';
import type { CheckpointId } from '../model/brands.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import type { CacheBudget } from '../state/cache-budget.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { StateBackend } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { Ownership } from './commit-permit.js';
import type { TaskStatus } from './task-status.js';

/** A task as the rounds see it. */
export interface TaskHandle {
  readonly name: string;
  readonly status: TaskStatus;
  /** The last barrier that it has committed. */
  readonly lastBarrier: CheckpointId;
  /** Asks for the commit that carries barrier `id`. @param broadcastEnds how far broadcast inputs are to be read for it (R9) */
  trigger(id: CheckpointId, broadcastEnds?: readonly PartitionOffset[]): void;
  /** Round `id` was recorded as ended, however: ends the window of R1. A barrier not frozen yet is dropped with it. */
  endRound(id: CheckpointId): void;
  /** Asks for a commit without a barrier (R1, R4). */
  commitPlain(): void;
  /** Drops what is not committed and ends the attempt with this error; whether it starts again is for the restart strategy. */
  fail(error: Error): void;
}

/** What a task asks of the replica that runs it, and tells it. */
export interface TaskHost {
  readonly log: Log;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Of the heap of all tasks of the job in this process. */
  readonly cacheBudget: CacheBudget;
  readonly ownership: Ownership;
  /** The task has failed: said at once (R4), before what it has open is closed and its status moves. */
  onFailing(task: TaskHandle): void;
  /** Every move of the task. */
  onStatus(task: TaskHandle, status: TaskStatus): void;
  /** The round that is open now, by the control topic as far as it was read. */
  openRound(): CheckpointId | undefined;
  /** The task has committed this barrier, or had nothing to commit for it. */
  onAcknowledge(task: TaskHandle, checkpoint: CheckpointId, figures: CommitFigures): void;
}

