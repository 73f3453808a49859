import { afterEach, describe, expect, it } from '@jest/globals';
import { InMemoryCluster, JobTestDriver, LIFELIKE, ManualClock, touches } from '@weir/testing';
import { float64, utf8 } from '../codec/primitives.js';
import type { WeirError } from '../errors/weir-error.js';
import { incarnation, taskIndex } from '../model/brands.js';
import type { JobDefinition } from './job-definition.js';
import { transactionalId } from './internal-topics.js';
import { ReplicaSet, SESSION_MS } from './replica-set.spec-d.js';
import { Alerts, Counts } from './replica-works.spec-d.js';
import { PARTITIONS, READINGS, SensorRig, sensorJob } from './sensor-rig.spec-d.js';
import { topic } from '../topology/topic.js';

/** Traps of testing.md that need several replicas, or several applications. */
const CHANGELOG = 'test-0-0-changelog';

let replicas: ReplicaSet | undefined;
afterEach(async () => {
  await replicas?.end();
  replicas = undefined;
});

describe('trap 3: a transactional id reused after a rescale, then recovery from the older state', () => {
  const ids = Array.from({ length: PARTITIONS }, (_, task) => transactionalId('test', 0, task));

  it.each([1, 2, 3])('another parallelism (%i) is refused before any id is claimed or anything is written, and the job goes on as it was', async (parallelism) => {
    const rig = await SensorRig.lifelike(parallelism);
    rig.pipe(100);
    await rig.finish();
    await rig.driver.stop();
    const { clock, cluster } = rig.driver;
    const facts = () => [ids.map((id) => cluster.producerEpoch(id)), ids.map((_, task) => cluster.endPosition(CHANGELOG, task))];
    const before = facts();
    rig.pipe(50);
    const rescaled = JobTestDriver.startWithoutWaiting(sensorJob, { topics: {}, clock, cluster, settings: { parallelism } });
    const outcome = await rescaled.ended();
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'PARALLELISM_CHANGED', message: expect.stringContaining('savepoint') } });
    await rescaled.crash();
    expect(facts()).toEqual(before);
    await rig.driver.recover();
    await rig.finish();
    rig.verify();
  });
});

describe('trap 5: a rebalance during a restore', () => {
  it.each([1, 2, 3])('drops no record and no state: seed %i', async (seed) => {
    replicas = await ReplicaSet.start(new Alerts(seed), 2, seed);
    const { clock, cluster, drivers } = replicas;
    replicas.pipe(300);
    await clock.advance(1_000);
    const slow = cluster.faults.randomly({ points: ['fetch:replied'], probability: 1, when: touches(CHANGELOG), action: () => ({ type: 'delay', ms: 400 }) });
    const [lost, left] = drivers as [JobTestDriver, JobTestDriver];
    await lost.crash();
    lost.disk.wipe();
    const restoring = (): number => left.overview().tasks.filter(({ status }) => status === 'INITIALIZING').length;
    await clock.waitUntil(() => restoring() > 0 && slow.hits > 0, 60_000);
    const generation = cluster.group('test')!.generation;
    replicas.pipe(100); // while tasks are loading
    lost.recoverWithoutWaiting();
    await clock.waitUntil(() => cluster.group('test')!.generation > generation, 60_000);
    expect(restoring()).toBeGreaterThan(0);
    replicas.pipe(100);
    await clock.advance(500);
    slow.remove();
    await replicas.untilShared(2);
    await replicas.finish();
  });
});

/** The lock of real RocksDB, between processes: libs/storage, rocksdb-process.chaos.spec.ts. */
describe('trap 11: the old owner still holds the lock of the store', () => {
  it('is waited for: the task starts again and again, alone, until the lock is free, and goes on with what the store holds', async () => {
    const rig = await SensorRig.lifelike(11);
    const { driver } = rig;
    rig.pipe(100);
    await rig.finish();
    await driver.crash();
    const owner = driver.disk.connect();
    const backend = await owner.open(1);
    await backend.open({ applicationId: 'test', incarnation: incarnation(0), subTopology: 0, task: taskIndex(2) });
    rig.pipe(100);
    driver.recoverWithoutWaiting();
    await driver.advance(3_000);
    const statuses = driver.overview().tasks.map(({ task, status }) => [task, status === 'RUNNING']);
    expect(statuses).toEqual([[0, true], [1, true], [2, false], [3, true]]);
    const failures = driver.telemetry.of('task-failed').map(({ task, error }) => [task, (error as WeirError).code]);
    expect(failures.length).toBeGreaterThan(2);
    expect(failures.every(([task, code]) => task === 2 && code === 'STATE_LOCKED')).toBe(true);
    owner.kill();
    await driver.until(() => driver.job.isReady());
    expect(driver.overview().tasks[2]!.restore!.fromLocalState).toBe(true);
    await rig.finish();
    rig.verify();
  });
});

describe('trap 14: two applications, one of whose ids begins with the other\'s', () => {
  const counting = (output: string): JobDefinition => ({
    define: (streams) =>
      streams
        .source('readings', READINGS)
        .keyBy(utf8, ({ id }) => id, { name: 'by-id' })
        .mapWithState('count', float64, (_, count = 0) => ({ state: count + 1, value: count + 1 }))
        .sink('counts', topic(output, { key: utf8, value: float64 })),
  });
  const IDS = ['app', 'app-0', 'app-0-0'] as const;

  it('run side by side on the same input: neither fences, purges nor reads what is the other\'s, whichever of them dies', async () => {
    const clock = new ManualClock({ seed: 14 });
    const cluster = new InMemoryCluster({ ...LIFELIKE, clock, seed: 14 });
    const drivers: JobTestDriver[] = [];
    for (const applicationId of IDS) {
      const output = `counts-of-${applicationId}`;
      const options = { topics: { readings: 2, [output]: 1 }, outputs: [output], clock, cluster, settings: { applicationId, checkpointing: { interval: 100 } } };
      drivers.push(await JobTestDriver.start(counting(output), options));
    }
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 20; i++) drivers[0]!.pipe(READINGS, `s${i % 5}`, { id: `s${i % 5}`, n: i, t: 0 });
      const victim = drivers[round % drivers.length]!;
      await clock.advance(150);
      await victim.crash();
      await victim.recover();
    }
    for (const driver of drivers) await driver.checkpoint();
    const seen = IDS.map((id, i) => drivers[i]!.readAll(topic(`counts-of-${id}`, { key: utf8, value: float64 })).map(({ key, value }) => `${key} ${value}`).sort());
    const expected = Array.from({ length: 5 }, (_, i) => Array.from({ length: 24 }, (_, n) => `s${i} ${n + 1}`)).flat().sort();
    expect(seen).toEqual(IDS.map(() => expected));
    expect(drivers.map(({ telemetry }) => telemetry.of('task-failed'))).toEqual(IDS.map(() => []));
  });
});

/** Found by the simulation (apps/verifier, seeds 1 and 17): the whole job of the replica failed with LOG_OFFSET_OUT_OF_RANGE. */
describe('a replica that hung while others purged what it was reading', () => {
  it.each([1, 2, 3, 4, 5, 6])('hears of its loss, and does not fail its job: seed %i', async (seed) => {
    replicas = await ReplicaSet.start(new Counts(seed), 2, seed);
    const { clock, drivers } = replicas;
    const [hung] = drivers as [JobTestDriver];
    for (let i = 0; i < 3; i++) {
      replicas.pipe(60);
      await clock.advance(replicas.random.between(100, 300));
      hung.pause();
      for (let slice = 0; slice < 8; slice++) {
        replicas.pipe(20);
        await clock.advance((2 * SESSION_MS) / 5);
      }
      hung.resume();
      await replicas.untilShared(2);
    }
    expect(drivers.map(({ isAlive, job }) => [isAlive, job.overview().status])).toEqual([[true, 'RUNNING'], [true, 'RUNNING']]);
    await replicas.finish();
  });
});
