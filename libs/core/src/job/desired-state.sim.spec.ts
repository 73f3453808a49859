import { describe, expect, it } from '@jest/globals';
import { InMemoryCluster, JobTestDriver, LIFELIKE, ManualClock } from '@weir/testing';
import { ReplicaSet, type Work } from './replica-set.spec-d.js';
import { ALERTS, PARTITIONS, READINGS, sensorJob, SensorRig } from './sensor-rig.spec-d.js';
import { controlTopic } from './internal-topics.js';

const MONTH = 30 * 86_400_000;
const statusOf = (driver: JobTestDriver): string => driver.overview().status;
const alertsOf = (driver: JobTestDriver): number => driver.readAll(ALERTS).length;

async function cancelled(rig: SensorRig): Promise<void> {
  await rig.driver.clock.settled(rig.driver.job.cancel());
  await rig.driver.until(() => statusOf(rig.driver) === 'CANCELED');
}

describe('a job that is cancelled', () => {
  it('ends its tasks, stays and says so, and processes nothing until it is started again; then it goes on from its last commit', async () => {
    const rig = await SensorRig.lifelike(3);
    rig.pipe(200);
    await rig.driver.checkpoint();
    rig.pipe(100);
    await cancelled(rig);
    const before = alertsOf(rig.driver);
    expect(rig.driver.overview()).toMatchObject({ status: 'CANCELED', reason: expect.stringContaining('was cancelled') });
    expect(rig.driver.overview().tasks.map(({ status }) => status)).toEqual(Array.from({ length: PARTITIONS }, () => 'CANCELED'));
    rig.pipe(100);
    await rig.driver.advance(60_000);
    expect([alertsOf(rig.driver), rig.driver.cluster.openTransactions()]).toEqual([before, []]);
    await rig.driver.clock.settled(rig.driver.job.resume());
    await rig.driver.checkpoint();
    expect(statusOf(rig.driver)).toBe('RUNNING');
    rig.verify();
  });

  it('does not run when its process is started again, however long after that (I8)', async () => {
    const rig = await SensorRig.start();
    rig.pipe(50);
    await rig.driver.checkpoint();
    await cancelled(rig);
    const before = alertsOf(rig.driver);
    rig.pipe(50);
    for (const end of ['crash', 'stop'] as const) {
      await rig.driver[end]();
      await rig.driver.advance(end === 'crash' ? MONTH : 1_000);
      rig.driver.cluster.compact(controlTopic('test'));
      rig.driver.recoverWithoutWaiting();
      await rig.driver.until(() => statusOf(rig.driver) === 'CANCELED');
      await rig.driver.advance(10_000);
      expect(alertsOf(rig.driver)).toBe(before);
    }
    await rig.driver.clock.settled(rig.driver.job.resume());
    await rig.driver.checkpoint();
    rig.verify();
  });

  it('is stopped as any other: its process ends in order, and the job stays cancelled', async () => {
    const rig = await SensorRig.start();
    await cancelled(rig);
    expect(await rig.driver.stop()).toEqual({ status: 'CANCELED' });
  });

  it('takes commands as they come: of several the last one counts', async () => {
    const rig = await SensorRig.lifelike(5);
    const { job, clock } = rig.driver;
    await clock.settled(Promise.all([job.cancel(), job.resume(), job.cancel(), job.resume()]));
    rig.pipe(100);
    await rig.driver.checkpoint();
    expect(statusOf(rig.driver)).toBe('RUNNING');
    rig.verify();
  });

  it('cannot be cancelled before it has read its control topic: that is said', async () => {
    const driver = JobTestDriver.startWithoutWaiting(sensorJob, { topics: {}, clock: new ManualClock() });
    await expect(driver.job.cancel()).rejects.toThrow(/cannot take the command "cancel" now: it is INITIALIZING.*JOB_NOT_REACHED/);
    await driver.stop();
  });
});

describe('replicas of a job that is cancelled', () => {
  const work = (): Work => ({
    definition: sensorJob,
    topics: { readings: PARTITIONS, alerts: PARTITIONS },
    outputs: ['alerts'],
    tasks: PARTITIONS,
    pipe: (driver, records) => {
      for (let n = 0; n < records; n++) driver.pipe(READINGS, `s${n % 7}`, { id: `s${n % 7}`, n, t: (n * 13) % 40 });
    },
    isDone: () => true,
    verify: () => undefined,
  });

  it('all end their tasks, whichever of them is asked, and all run them again; one that joins meanwhile runs none', async () => {
    const set = await ReplicaSet.start(work(), 3, 11);
    const [first, second, third] = set.drivers;
    const cancel = set.drivers.find((driver) => driver !== first)!.job.cancel();
    await set.clock.settled(cancel);
    await set.clock.waitUntil(() => set.drivers.every((driver) => statusOf(driver) === 'CANCELED'), 60_000);
    set.pipe(200);
    await second!.crash();
    await set.clock.advance(5_000);
    second!.recoverWithoutWaiting();
    await set.clock.waitUntil(() => statusOf(second!) === 'CANCELED', 60_000);
    await set.clock.advance(20_000);
    expect([set.running.flat(), alertsOf(first!)]).toEqual([[], 0]);
    await set.clock.settled(third!.job.resume());
    await set.untilShared(3);
    await set.clock.waitUntil(() => alertsOf(first!) > 0, 60_000);
    await set.end();
  });

  it('are told by a successor what the coordinator did not come to carry out', async () => {
    const set = await ReplicaSet.start(work(), 2, 12);
    const coordinator = set.drivers[0]!;
    const other = set.drivers[1]!;
    await set.clock.advance(1_000);
    void other.job.cancel().catch(() => undefined);
    await coordinator.crash();
    await set.clock.waitUntil(() => statusOf(other) === 'CANCELED', 60_000);
    await set.clock.advance(10_000);
    expect(set.running.flat()).toEqual([]);
    await set.end();
  });
});

describe('a command', () => {
  it('is carried out although the cluster is slow and answers are lost', async () => {
    const clock = new ManualClock({ seed: 4 });
    const cluster = new InMemoryCluster({ clock, seed: 4, ...LIFELIKE });
    const rig = await SensorRig.start({ clock, cluster, seed: 4 });
    const lost = cluster.faults.randomly({ points: ['append:applied', 'commit:applied'], probability: 0.3, action: () => ({ type: 'lose' }) });
    for (let i = 0; i < 3; i++) {
      rig.pipe(30);
      await cancelled(rig);
      await clock.settled(rig.driver.job.resume());
    }
    lost.remove();
    await rig.driver.checkpoint();
    rig.verify();
  });
});
