/**
 * Life of a standby: a copy of a task's state on a replica that does not run the task.
 *
 *   OPENING -> CATCHING_UP -> FOLLOWING
 *      |            |             |
 *      +------------+-------------+--> PROMOTED: the task of this replica has taken the store over
 *      |            |             +--> CLOSED: it is to be kept elsewhere, or the replica stops
 *      +------------+----------------> FAILED: it begins anew by itself
 *
 * OPENING: its store is opened, and compared with the changelog. CATCHING_UP: it reads what was there when it began. FOLLOWING: it has
 * held everything at least once, and goes on to read what is committed.
 */
export type StandbyStatus = 'OPENING' | 'CATCHING_UP' | 'FOLLOWING' | 'PROMOTED' | 'CLOSED' | 'FAILED';

const NEXT: Readonly<Record<StandbyStatus, readonly StandbyStatus[]>> = {
  OPENING: ['CATCHING_UP', 'PROMOTED', 'CLOSED', 'FAILED'],
  CATCHING_UP: ['FOLLOWING', 'PROMOTED', 'CLOSED', 'FAILED'],
  FOLLOWING: ['PROMOTED', 'CLOSED', 'FAILED'],
  PROMOTED: [],
  CLOSED: [],
  FAILED: [],
};

export const canMoveStandby = (from: StandbyStatus, to: StandbyStatus): boolean => NEXT[from].includes(to);
