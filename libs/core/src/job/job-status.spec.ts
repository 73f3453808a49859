import { describe, expect, it } from '@jest/globals';
import { canMoveJob, isTerminal, type JobStatus } from './job-status.js';

const ALL: Readonly<Record<JobStatus, true>> = {
  CREATED: true,
  INITIALIZING: true,
  RUNNING: true,
  RESTARTING: true,
  FAILING: true,
  FAILED: true,
  CANCELLING: true,
  CANCELED: true,
};
const STATUSES = Object.keys(ALL) as JobStatus[];
const nextOf = (from: JobStatus): JobStatus[] => STATUSES.filter((to) => canMoveJob(from, to));

describe('the life of a job', () => {
  it('has these moves and no others', () => {
    expect(Object.fromEntries(STATUSES.map((from) => [from, nextOf(from)]))).toEqual({
      CREATED: ['INITIALIZING', 'CANCELED'],
      INITIALIZING: ['RUNNING', 'RESTARTING', 'FAILING', 'CANCELLING'],
      RUNNING: ['RESTARTING', 'FAILING', 'CANCELLING'],
      RESTARTING: ['RUNNING', 'FAILING', 'CANCELLING'],
      FAILING: ['FAILED'],
      FAILED: [],
      CANCELLING: ['FAILING', 'CANCELED'],
      CANCELED: ['INITIALIZING', 'FAILING'],
    });
  });

  it('ends in FAILED or CANCELED alone, and can come to an end from anywhere', () => {
    expect(STATUSES.filter(isTerminal)).toEqual(['FAILED', 'CANCELED']);
    for (const from of STATUSES) {
      const reached = new Set<JobStatus>([from]);
      for (const status of reached) for (const to of nextOf(status)) reached.add(to);
      expect([...reached].some(isTerminal)).toBe(true);
    }
  });

  it('passes through every status', () => {
    const reached = new Set<JobStatus>(['CREATED']);
    for (const status of reached) for (const to of nextOf(status)) reached.add(to);
    expect([...reached].sort()).toEqual([...STATUSES].sort());
  });
});
