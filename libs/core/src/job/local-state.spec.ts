import { describe, expect, it } from '@jest/globals';
import { WeirError } from '../errors/weir-error.js';
import { incarnation } from '../model/brands.js';
import type { StateBackend, StoreScope } from '../ports/state-backend.js';
import type { TaskPlan } from '../task/task-plan.js';
import { dropLocalState, formerLives } from './local-state.js';

const plan = (task: number): TaskPlan => ({ settings: { applicationId: 'app' }, incarnation: 3, subTopology: 0, task }) as unknown as TaskPlan;
const named = ({ applicationId, incarnation: life, subTopology, task }: StoreScope): string => `${applicationId}/${life}/${subTopology}-${task}`;

describe('the local state of former lives', () => {
  it('is looked for in the last eight, newest first', () => {
    expect([formerLives(incarnation(0)), formerLives(incarnation(2)), formerLives(incarnation(20))]).toEqual([[], [1, 0], [19, 18, 17, 16, 15, 14, 13, 12]]);
  });

  it('is deleted store by store with its snapshots; what is locked is said, and does not keep the rest', async () => {
    const done: string[] = [];
    const notices: string[] = [];
    const backend: StateBackend = {
      kind: 'filesystem',
      open: () => Promise.reject(new Error('nobody opens')),
      destroy: async (scope) => {
        if (scope.task === 0) throw new WeirError('retry', 'STATE_LOCKED', 'It is open elsewhere.');
        done.push(`store ${named(scope)}`);
      },
      dropSnapshots: async (scope) => void done.push(`snapshots ${named(scope)}`),
      close: async () => undefined,
    };
    await dropLocalState([plan(0), plan(1)], [incarnation(2)], backend, (message) => notices.push(message));
    expect(done).toEqual(['store app/2/0-1', 'snapshots app/2/0-1']);
    expect(notices).toEqual([expect.stringContaining('The state of task 0-0 of a former life of the job (2) is left on this replica: It is open elsewhere.')]);
  });
});
