/**
 * Life of a job, by Flink's JobStatus.
 *
 *   CREATED -> INITIALIZING -> RUNNING <-> RESTARTING
 *      |            |             |            |
 *      |            v             v            v
 *      |         FAILING <--------+------------+
 *      |            |             |
 *      v            v             v
 *   CANCELED      FAILED      CANCELLING -> CANCELED
 *
 * INITIALIZING: waits for its topics, then restores. RESTARTING: at least one task was rolled back and has not run again yet.
 * CANCELLING: final checkpoint and close. CANCELED: closed in order (a shut-down replica, too: its job goes on elsewhere or later).
 */
export type JobStatus = 'CREATED' | 'INITIALIZING' | 'RUNNING' | 'RESTARTING' | 'FAILING' | 'FAILED' | 'CANCELLING' | 'CANCELED';

const NEXT: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  CREATED: ['INITIALIZING', 'CANCELED'],
  INITIALIZING: ['RUNNING', 'RESTARTING', 'FAILING', 'CANCELLING'],
  RUNNING: ['RESTARTING', 'FAILING', 'CANCELLING'],
  RESTARTING: ['RUNNING', 'FAILING', 'CANCELLING'],
  FAILING: ['FAILED'],
  FAILED: [],
  CANCELLING: ['CANCELED', 'FAILING'],
  CANCELED: [],
};

export const canMoveJob = (from: JobStatus, to: JobStatus): boolean => NEXT[from].includes(to);
export const isTerminal = (status: JobStatus): boolean => NEXT[status].length === 0;
