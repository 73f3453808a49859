/**
 * Life of a task, by Flink's ExecutionState where Flink has a word for it.
 *
 *            +-----------------------------------------------+
 *            v                                               | (restart strategy allows)
 *   CREATED -> INITIALIZING -> RUNNING -> CANCELING -> CANCELED
 *                  |              |           |
 *                  +------> FAILED <----------+
 *
 * INITIALIZING: claims its transactional id, then restores its state. RUNNING: reads, computes, commits.
 * CANCELING: takes its final checkpoint, then closes. FAILED: dropped what it had not committed; its runner decides what next.
 */
export type TaskStatus = 'CREATED' | 'INITIALIZING' | 'RUNNING' | 'CANCELING' | 'CANCELED' | 'FAILED';

const NEXT: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  CREATED: ['INITIALIZING', 'CANCELED'],
  INITIALIZING: ['RUNNING', 'FAILED', 'CANCELING'],
  RUNNING: ['CANCELING', 'FAILED'],
  CANCELING: ['CANCELED', 'FAILED'],
  CANCELED: [],
  FAILED: ['CREATED'],
};

export const canMoveTask = (from: TaskStatus, to: TaskStatus): boolean => NEXT[from].includes(to);
