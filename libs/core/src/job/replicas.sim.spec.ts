import { afterEach, describe, expect, it } from '@jest/globals';
import { JobTestDriver } from '@weir/testing';
import { ReplicaSet, SESSION_MS } from './replica-set.spec-d.js';
import { Alerts, Counts } from './replica-works.spec-d.js';
import { PARTITIONS } from './sensor-rig.spec-d.js';

let replicas: ReplicaSet;
afterEach(() => replicas.end());

describe('several replicas', () => {
  it('share the tasks evenly, and each reading counts once', async () => {
    replicas = await ReplicaSet.start(new Alerts(1), 2, 1);
    expect(replicas.running.map(({ length }) => length)).toEqual([2, 2]);
    replicas.pipe(200);
    await replicas.finish();
  });

  it('may be more than there are tasks: those without are ready, and take over', async () => {
    replicas = await ReplicaSet.start(new Alerts(2), PARTITIONS + 1, 2);
    await replicas.clock.waitUntil(() => replicas.drivers.every(({ job }) => job.isReady()));
    expect(replicas.running.map(({ length }) => length).sort()).toEqual([0, 1, 1, 1, 1]);
    await replicas.drivers[replicas.running.findIndex(({ length }) => length > 0)]!.crash();
    await replicas.untilShared(PARTITIONS);
    replicas.pipe(100);
    await replicas.finish();
  });

  it('leave in order: their tasks move without waiting for the session to end', async () => {
    replicas = await ReplicaSet.start(new Alerts(3), 3, 3);
    const before = replicas.clock.monotonic();
    await replicas.drivers[1]!.stop();
    await replicas.untilShared(2);
    expect(replicas.clock.monotonic() - before).toBeLessThan(SESSION_MS);
    replicas.pipe(100);
    await replicas.finish();
  });

  it('tell the same of the whole job, each of them: which replica runs what, and what does not run when one dies', async () => {
    replicas = await ReplicaSet.start(new Alerts(6), 3, 6, true);
    const { clock, drivers } = replicas;
    const told = (of: JobTestDriver) => of.overview().placements.map(({ task, status, replica }) => `${task} ${status} on ${replica}`);
    await clock.waitUntil(() => drivers.every((driver) => driver.overview().placements.every(({ status }) => status === 'RUNNING')));
    const [first] = drivers;
    for (const driver of drivers) expect(told(driver)).toEqual(told(first!));
    expect(first!.overview().placements.filter(({ isHere }) => isHere).length).toBe(first!.overview().tasks.length);
    const of = first!.overview().replicas;
    expect([of.map(({ instanceId }) => instanceId).sort(), of.filter(({ isLeader }) => isLeader).length]).toEqual([['replica-0', 'replica-1', 'replica-2'], 1]);
    expect(of.find(({ isThis }) => isThis)).toMatchObject({ instanceId: 'replica-0' });
    expect(of.flatMap(({ tasks }) => tasks).sort()).toEqual(['0-0', '0-1', '0-2', '0-3']);
    const notices = drivers.map(({ telemetry }) => telemetry.events.flatMap((event) => (event.type === 'job-notice' ? [event.message] : [])).at(-1));
    for (const { replica, instanceId, tasks } of of) {
      const words = `tasks? ${tasks.join(', ')} of 4$`;
      expect(notices).toContainEqual(expect.stringMatching(new RegExp(`^replica ${replica} \\(instance ${instanceId}, member \\S+\\) has ${words}`)));
    }
    await drivers[1]!.crash();
    await clock.waitUntil(() => drivers[0]!.overview().placements.some(({ status }) => status !== 'RUNNING')); // DOWN, or starting here
    await replicas.untilShared(2);
    await clock.waitUntil(() => drivers[0]!.overview().placements.every(({ status }) => status === 'RUNNING'));
    expect(drivers[0]!.overview().replicas).toHaveLength(2);
  });

  it.each([0, 1, 2])('are known by their instance ids: replica %i, killed, is back at its tasks before its session ends', async (victim) => {
    replicas = await ReplicaSet.start(new Alerts(4), 3, 4, true);
    const { clock, drivers } = replicas;
    const had = replicas.running;
    const before = clock.monotonic();
    replicas.pipe(50);
    await drivers[victim]!.crash();
    drivers[victim]!.recoverWithoutWaiting();
    await clock.waitUntil(() => drivers[victim]!.job.isReady());
    await replicas.untilShared(3);
    expect(clock.monotonic() - before).toBeLessThan(SESSION_MS);
    expect(replicas.running).toEqual(had);
    // Rounds go on: whoever leads knows the process that has come, and one that led leads again.
    const { completed } = drivers[victim]!.overview().checkpoints;
    await clock.waitUntil(() => drivers[victim]!.overview().checkpoints.completed > completed + 2, 5_000);
    replicas.pipe(50);
    await replicas.finish();
  });

  it('without a name wait for the session of their dead selves, and say so', async () => {
    replicas = await ReplicaSet.start(new Alerts(7), 1, 7);
    const { clock, drivers } = replicas;
    const [lone] = drivers;
    await lone!.crash();
    // A second one of a longer session dies, too: that is the one to be waited for.
    const settings = { group: { sessionTimeout: 10_000 } };
    const { cluster, work } = replicas;
    const other = JobTestDriver.startWithoutWaiting(work.definition, { topics: {}, outputs: work.outputs, clock, cluster, settings });
    await clock.waitUntil(() => other.job.isReady());
    await other.crash();
    lone!.recoverWithoutWaiting();
    await clock.advance(2_500);
    expect(lone!.overview()).toMatchObject({ status: 'INITIALIZING', reason: expect.stringContaining('waiting for the group') });
    await clock.waitUntil(() => lone!.job.isReady());
    expect(lone!.overview()).toMatchObject({ status: 'RUNNING', reason: undefined });
  });

  it('of one instance id fence each other: the older one fails, and says why', async () => {
    replicas = await ReplicaSet.start(new Alerts(5), 1, 5, true);
    const { clock, cluster, work, drivers } = replicas;
    const settings = { group: { sessionTimeout: SESSION_MS, instanceId: 'replica-0' } };
    const second = JobTestDriver.startWithoutWaiting(work.definition, { topics: {}, outputs: work.outputs, clock, cluster, settings });
    drivers.push(second);
    await clock.waitUntil(() => drivers[0]!.overview().status === 'FAILED' && second.job.isReady());
    expect(drivers[0]!.overview().reason).toContain('INSTANCE_ID_TAKEN');
    replicas.pipe(50);
    await clock.advance(2_000);
    work.verify(second);
  });

  it.each([1, 2, 3, 4, 5, 6])('lose and repeat nothing when they are killed, stopped and started at random: seed %i', async (seed) => {
    replicas = await ReplicaSet.start(new Alerts(seed), 3, seed, seed % 2 === 0);
    for (let round = 0; round < 8; round++) await replicas.disturb();
    await replicas.finish();
    await replicas.untilShared(3);
  });

  it.each([1, 2, 3, 4])('lose and repeat nothing in a job of two stages: seed %i', async (seed) => {
    replicas = await ReplicaSet.start(new Counts(seed), 3, seed, seed % 2 === 0);
    for (let round = 0; round < 6; round++) await replicas.disturb();
    await replicas.finish();
    await replicas.untilShared(3);
  });
});
