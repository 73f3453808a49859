/**
 * Life of a job, by Flink's JobStatus.
 *
 *   CREATED -> INITIALIZING -> RUNNING <-> RESTARTING
 *      |            |             |            |
 *      |            v             v            v
 *      |         FAILING <--------+------------+
 *      |            |             |
 *      v            v             v
 *   CANCELED      FAILED      CANCELLING -> CANCELED -> INITIALIZING, where a cancelled job is started again
 *
 * INITIALIZING: waits for its topics, then restores. RESTARTING: at least one task was rolled back and has not run again yet.
 * CANCELLING: its tasks end, with a last commit where the replica is shut down. CANCELED: they have ended; either the replica was closed in order,
 * and its job goes on elsewhere or later, or the job was cancelled, and the replica stays until it is started again or shut down.
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
  CANCELED: ['INITIALIZING', 'FAILING'],
};

export const canMoveJob = (from: JobStatus, to: JobStatus): boolean => NEXT[from].includes(to);
/** Whether nothing runs and nothing will, unless a cancelled job is started again. */
export const isTerminal = (status: JobStatus): boolean => status === 'FAILED' || status === 'CANCELED';
