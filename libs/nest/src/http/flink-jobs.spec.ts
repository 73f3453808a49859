import { describe, expect, it } from '@jest/globals';
import type { JobOverview, JobStatus } from '@weir/core';
import { FakeJob, ports, SteppedClock, task } from '../fake-jobs.spec-d.js';
import { flinkJob, flinkJobDetail } from './flink-jobs.js';

const overviewIn = (status: JobStatus): JobOverview => {
  const job = new FakeJob('alerts', { define: () => undefined }, { applicationId: 'app' }, ports(new SteppedClock()));
  job.status = status;
  job.tasks = [task(0), task(1, { status: 'INITIALIZING' }), task(0, { subTopology: 1, status: 'FAILED' })];
  return job.overview();
};

describe("a job in Flink's list", () => {
  it("has every key that Flink's client requires, as numbers and text, and its optional ones", () => {
    const job = flinkJob(overviewIn('RUNNING'), 4000);
    expect(job).toMatchObject({
      jid: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: 'alerts',
      state: 'RUNNING',
      'start-time': 1000,
      'end-time': -1,
      duration: 3000,
      'last-modification': 2000,
      'pending-operators': 0,
      jobType: 'STREAMING',
      schedulerType: 'Default',
    });
    expect(job.tasks).toEqual({
      total: 3,
      created: 0,
      scheduled: 0,
      deploying: 0,
      running: 1,
      finished: 0,
      canceling: 0,
      canceled: 0,
      failed: 1,
      reconciling: 0,
      initializing: 1,
    });
  });

  it('counts the tasks of other replicas, too: one that is down is on its way back, one of which nothing is known is reconciled', () => {
    const elsewhere = (['RUNNING', 'DOWN', 'UNKNOWN'] as const).map((status, task) => ({ subTopology: 1, task, status, replica: 'b', url: undefined, isHere: false }));
    const overview = overviewIn('RUNNING');
    const job = { ...overview, placements: [...overview.placements.slice(0, 2), ...elsewhere] };
    expect(flinkJob(job, 4000).tasks).toMatchObject({ total: 5, running: 2, initializing: 2, reconciling: 1, failed: 0 });
    const { vertices } = flinkJobDetail(job, {}, 4000) as unknown as { vertices: { parallelism: number; status: string; metrics: Record<string, unknown> }[] };
    expect(vertices.map(({ parallelism, status }) => [parallelism, status])).toEqual([[2, 'INITIALIZING'], [3, 'INITIALIZING']]);
    expect(vertices.map(({ metrics }) => metrics['read-records-complete'])).toEqual([true, false]);
  });

  it.each<JobStatus>(['FAILED', 'CANCELED'])('has ended when it is %s', (status) => {
    expect(flinkJob(overviewIn(status), 4000)).toMatchObject({ state: status, 'end-time': 2000, duration: 1000 });
  });

  it('has no negative duration when the wall clock went back', () => {
    expect(flinkJob(overviewIn('RUNNING'), 500).duration).toBe(0);
  });
});

describe("a job on Flink's page", () => {
  const detail = flinkJobDetail(overviewIn('RUNNING'), { INITIALIZING: 1200, RUNNING: 1300 }, 4000) as Readonly<Record<string, never>>;

  it('has the keys that the dashboard reads, and a plan whose nodes are its vertices', () => {
    const ids = ['jid', 'name', 'isStoppable', 'state', 'job-type', 'schedulerType', 'maxParallelism'];
    const times = ['start-time', 'end-time', 'duration', 'now', 'timestamps'];
    const graph = ['vertices', 'status-counts', 'plan', 'stream-graph', 'pending-operators'];
    expect(Object.keys(detail)).toEqual(expect.arrayContaining([...ids, ...times, ...graph]));
    const { vertices, plan } = detail as unknown as { vertices: { id: string }[]; plan: { type: string; nodes: { id: string }[] } };
    expect(plan.type).toBe('STREAMING');
    expect(plan.nodes.map((node) => node.id)).toEqual(vertices.map((vertex) => vertex.id));
  });

  it('has a vertex for each sub-topology, with an id of 32 hexadecimal digits and the worst status of its tasks', () => {
    const { vertices } = detail as unknown as {
      vertices: { id: string; status: string; parallelism: number; metrics: Record<string, number> }[];
    };
    expect(vertices.map((vertex) => [vertex.status, vertex.parallelism, vertex.metrics['read-records']])).toEqual([
      ['INITIALIZING', 2, 20],
      ['FAILED', 1, 10],
    ]);
    for (const { id } of vertices) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(vertices.map((vertex) => vertex.id)).size).toBe(2);
    expect(detail['status-counts']).toMatchObject({ INITIALIZING: 1, FAILED: 1, RUNNING: 0 });
  });

  it('tells when it came into each status, 0 for those that it was never in', () => {
    expect(detail['timestamps']).toEqual({
      INITIALIZING: 1200,
      CREATED: 1000,
      RUNNING: 2000,
      FAILING: 0,
      FAILED: 0,
      CANCELLING: 0,
      CANCELED: 0,
      FINISHED: 0,
      RESTARTING: 0,
      SUSPENDED: 0,
      RECONCILING: 0,
    });
  });
});
