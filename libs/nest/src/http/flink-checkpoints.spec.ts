import { describe, expect, it } from '@jest/globals';
import type { JobOverview, RoundOverview } from '@weir/core';
import { FakeJob, ports, SteppedClock, task } from '../fake-jobs.spec-d.js';
import { flinkCheckpoint, flinkCheckpoints, flinkSubtasks } from './flink-checkpoints.js';

const took = (name: string, acknowledgedAt: number): RoundOverview['tasks'][number] =>
  ({ task: name, acknowledgedAt, bytes: 100, stateChanges: 3, durationMs: 5.6, alignmentMs: 2.4, stateBytes: 115 });
const HISTORY: readonly RoundOverview[] = [
  { id: 9, outcome: 'open', triggeredAt: 3_000, durationMs: undefined, tasks: [took('0-1', 3_004)] },
  { id: 8, outcome: 'timed-out', triggeredAt: 2_000, durationMs: 500, tasks: [] },
  { id: 7, outcome: 'completed', triggeredAt: 1_000, durationMs: 20, tasks: [took('0-0', 1_010), took('0-1', 1_012), took('1-0', 1_018)] },
  { id: 6, outcome: 'abandoned', triggeredAt: 500, durationMs: 7, tasks: [] },
];

function jobWith(history: readonly RoundOverview[]): JobOverview {
  const job = new FakeJob('alerts', { define: () => undefined }, { applicationId: 'app' }, ports(new SteppedClock()));
  job.tasks = [task(0), task(1), task(0, { subTopology: 1 })];
  const overview = job.overview();
  return { ...overview, checkpoints: { ...overview.checkpoints, history } };
}

const JOB = jobWith(HISTORY);
const vertices = (): string[] => Object.keys((flinkCheckpoint(JOB, '7') as { readonly tasks: object }).tasks);

describe('the checkpoints of a job', () => {
  it("have the counts and the history of Flink's page, each with how it ended", () => {
    expect(flinkCheckpoints(JOB)).toMatchObject({
      counts: { restored: 0, total: 9, in_progress: 1, completed: 7, failed: 1 },
      latest: { completed: { id: 7 }, failed: { id: 8 }, savepoint: null, restored: null },
      history: [
        { id: 9, className: 'in_progress', status: 'IN_PROGRESS', trigger_timestamp: 3_000, end_to_end_duration: -1, num_subtasks: 3, num_acknowledged_subtasks: 1 },
        { id: 8, className: 'failed', latest_ack_timestamp: -1, failure_timestamp: 2_500, failure_message: 'Checkpoint expired before completing.' },
        { id: 7, className: 'completed', latest_ack_timestamp: 1_018, end_to_end_duration: 20, checkpointed_size: 300, state_size: 345, num_acknowledged_subtasks: 3 },
        { id: 6, className: 'failed', failure_message: 'Abandoned: a task failed, or the job stops.' },
      ],
    });
  });

  it('are none before the first', () => {
    expect(flinkCheckpoints(jobWith([]))).toMatchObject({ latest: { completed: null, failed: null }, history: [] });
  });
});

describe('one checkpoint', () => {
  it('has an entry for every vertex, also where nothing is acknowledged', () => {
    const [first, second] = vertices();
    expect(flinkCheckpoint(JOB, '7')).toMatchObject({
      id: 7,
      tasks: {
        [first!]: { status: 'COMPLETED', checkpointed_size: 200, state_size: 230, end_to_end_duration: 12, num_subtasks: 2, num_acknowledged_subtasks: 2 },
        [second!]: { num_subtasks: 1, num_acknowledged_subtasks: 1 },
      },
    });
    expect(flinkCheckpoint(JOB, '8')).toMatchObject({ tasks: { [first!]: { num_acknowledged_subtasks: 0, latest_ack_timestamp: -1, end_to_end_duration: -1 } } });
    expect([flinkCheckpoint(JOB, '5'), flinkCheckpoint(JOB, '07')]).toEqual([undefined, undefined]);
  });

  it('has what each task of a vertex took', () => {
    const [first] = vertices();
    expect(flinkSubtasks(JOB, '9', first!.toUpperCase())).toMatchObject({
      num_subtasks: 2,
      subtasks: [
        { className: 'pending', index: 0, status: 'pending_or_failed' },
        { className: 'completed', index: 1, ack_timestamp: 3_004, end_to_end_duration: 4, checkpointed_size: 100, state_size: 115, checkpoint: { async: 6 }, alignment: { duration: 2 }, weir: { stateChanges: 3 } },
      ],
    });
    expect([flinkSubtasks(JOB, '9', 'f'.repeat(32)), flinkSubtasks(JOB, '4', first!)]).toEqual([undefined, undefined]);
  });
});
