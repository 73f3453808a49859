import type { CheckpointId } from '../model/brands.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { StateBackend } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { Ownership } from './commit-permit.js';
import type { Task } from './task.js';
import type { TaskStatus } from './task-status.js';

/** What a task asks of the replica that runs it, and tells it. */
export interface TaskHost {
  readonly log: Log;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly ownership: Ownership;
  /** The task has failed: said at once (R4), before what it has open is closed and its status moves. */
  onFailing(task: Task): void;
  /** Every move of the task. */
  onStatus(task: Task, status: TaskStatus): void;
  /** The round that is open now, by the control topic as far as it was read. */
  openRound(): CheckpointId | undefined;
  /** The task has committed this barrier, or had nothing to commit for it. */
  onAcknowledge(task: Task, checkpoint: CheckpointId): void;
}

