import { describe, expect, it } from '@jest/globals';
import { canMoveTask, type TaskStatus } from './task-status.js';

const ALL: Readonly<Record<TaskStatus, true>> = { CREATED: true, INITIALIZING: true, RUNNING: true, CANCELING: true, CANCELED: true, FAILED: true };
const STATUSES = Object.keys(ALL) as TaskStatus[];
const nextOf = (from: TaskStatus): TaskStatus[] => STATUSES.filter((to) => canMoveTask(from, to));

describe('the life of a task', () => {
  it('has these moves and no others', () => {
    expect(Object.fromEntries(STATUSES.map((from) => [from, nextOf(from)]))).toEqual({
      CREATED: ['INITIALIZING', 'CANCELED'],
      INITIALIZING: ['RUNNING', 'CANCELING', 'FAILED'],
      RUNNING: ['CANCELING', 'FAILED'],
      CANCELING: ['CANCELED', 'FAILED'],
      CANCELED: [],
      FAILED: ['CREATED'],
    });
  });

  it('can always end, from wherever it is, and never stays where it is', () => {
    for (const from of STATUSES) {
      expect(canMoveTask(from, from)).toBe(false);
      const reached = new Set<TaskStatus>([from]);
      for (const status of reached) for (const to of nextOf(status)) reached.add(to);
      expect(reached.has('CANCELED') || reached.has('FAILED')).toBe(true);
    }
  });
});
