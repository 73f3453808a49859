import { describe, expect, it } from '@jest/globals';
import type { GroupReplica } from '../assignment/member-orders.js';
import { CONTROL_VERSION, type TaskReport } from '../control/control-record.js';
import { checkpointId, taskIndex } from '../model/brands.js';
import type { TaskPlan } from '../task/task-plan.js';
import type { TaskOverview } from './job-overview.js';
import { type PlacementFacts, replicaOverviews, taskPlacements } from './task-placements.js';

const plans = [0, 1].map((task) => ({ subTopology: 0, task: taskIndex(task) }) as TaskPlan);
const own = (task: number, status: TaskOverview['status']): TaskOverview => ({ subTopology: 0, task, status }) as TaskOverview;
const member = (replica: string, run: readonly string[]): GroupReplica => ({ replica, instanceId: `${replica}-0`, url: `http://${replica}`, isLeader: replica === 'b', run });
const report = (replica: string, status: TaskReport['status']): TaskReport => ({ version: CONTROL_VERSION, task: '0-1', replica, status, barrier: checkpointId(1), at: 0 });

const at = (facts: Partial<PlacementFacts>): unknown[] =>
  taskPlacements({ plans, own: [own(0, 'RUNNING')], replica: 'a', replicas: [member('a', ['0-0']), member('b', ['0-1'])], reportOf: () => undefined, ...facts }).map(
    ({ status, replica, isHere }) => [status, replica, isHere],
  );

describe('where the tasks of a job run', () => {
  it('is told of the own ones by what they say, of the others by what their replicas report', () => {
    expect(at({ reportOf: () => report('b', 'RUNNING') })).toEqual([
      ['RUNNING', 'a', true],
      ['RUNNING', 'b', false],
    ]);
    expect(at({ own: [own(0, 'INITIALIZING')], reportOf: () => report('b', 'DOWN') })).toEqual([
      ['INITIALIZING', 'a', true],
      ['DOWN', 'b', false],
    ]);
  });

  it('does not believe a report of a replica that had the task before', () => {
    expect(at({ reportOf: () => report('a', 'RUNNING') })[1]).toEqual(['DOWN', 'b', false]);
  });

  it('is nowhere while a task moves, but for the one that still closes it', () => {
    const replicas = [member('a', []), member('b', [])];
    expect(at({ own: [own(0, 'CANCELING')], replicas, reportOf: () => report('b', 'RUNNING') })).toEqual([
      ['CANCELING', 'a', true],
      ['DOWN', undefined, false],
    ]);
  });

  it('is unknown of others while this replica is not in the group', () => {
    expect(at({ replicas: undefined, reportOf: () => report('b', 'RUNNING') })).toEqual([
      ['RUNNING', 'a', true],
      ['UNKNOWN', undefined, false],
    ]);
  });

  it('comes with the replicas: their names, where they are reached, who leads', () => {
    expect(replicaOverviews([member('b', ['0-1'])], 'a')).toEqual([
      { replica: 'b', instanceId: 'b-0', url: 'http://b', isLeader: true, isThis: false, tasks: ['0-1'] },
    ]);
  });
});
