import { describe, expect, it } from '@jest/globals';
import { type FaultPoint, InMemoryCluster, type JobTestDriver, LIFELIKE, ManualClock } from '@weir/testing';
import { RecordWriter } from '../model/record-columns.js';
import type { Log } from '../ports/log.js';
import { controlTopic } from './internal-topics.js';
import { READINGS as STAGED, StagesRig, twoStages } from './stages-rig.spec-d.js';
import { ReplicaSet, type Work } from './replica-set.spec-d.js';
import { ALERTS, PARTITIONS, READINGS, sensorJob, SensorRig } from './sensor-rig.spec-d.js';
import { deleteState } from './state-deletion.js';

const checkpointing = { interval: 100, externalizedCheckpointRetention: 'DELETE_ON_CANCELLATION' } as const;
const settings = { checkpointing };
const statusOf = (driver: JobTestDriver): string => driver.overview().status;
/** Topics that Weir has made for itself, but for the control topic. */
const internal = ({ cluster }: JobTestDriver): string[] => cluster.topicNames().filter((name) => name.startsWith('test-') && name !== controlTopic('test'));
const desired = (cluster: InMemoryCluster): unknown => {
  const newest = cluster.committedRecords(controlTopic('test'), 0).filter(({ key }) => key?.toString() === 'desired').at(-1);
  return newest === undefined ? undefined : JSON.parse(newest.value!.toString());
};
const isDeleted = (cluster: InMemoryCluster): boolean => {
  const { state, incarnation: life = 0, deletes } = (desired(cluster) ?? {}) as { readonly state?: string; readonly incarnation?: number; readonly deletes?: unknown };
  return state === 'cancelled' && life > 0 && deletes === undefined;
};

const isAsked = (cluster: InMemoryCluster): boolean => cluster.committedRecords(controlTopic('test'), 0).some(({ key }) => key?.toString() === 'command');

async function cancelled(driver: JobTestDriver): Promise<void> {
  await driver.clock.settled(driver.job.cancel());
  await driver.until(() => statusOf(driver) === 'CANCELED' && isDeleted(driver.cluster));
}

async function resumed(driver: JobTestDriver): Promise<void> {
  await driver.clock.settled(driver.job.resume());
  await driver.until(() => driver.job.isReady());
}

/** How often each alert is among the outputs: once for each life that has read its input. */
const alertsBy = (rig: SensorRig): Map<string, number> => {
  const found = new Map<string, number>();
  for (const { value } of rig.driver.readAll(ALERTS)) found.set(`${value!.id}/${value!.n}`, (found.get(`${value!.id}/${value!.n}`) ?? 0) + 1);
  return found;
};
const timesOf = (rig: SensorRig): number[] => [...new Set(alertsBy(rig).values())];

/** Waits until every alert is there so often, and no more come. */
async function untilTimes(rig: SensorRig, times: number): Promise<void> {
  await rig.driver.until(() => [...alertsBy(rig).values()].reduce((sum, each) => sum + each, 0) >= times * rig.expectedAlerts);
  await rig.driver.advance(1_000);
  expect([timesOf(rig), alertsBy(rig).size]).toEqual([[times], rig.expectedAlerts]);
}

describe('a job that is cancelled with DELETE_ON_CANCELLATION', () => {
  it('leaves its control topic, inputs and outputs alone, and nothing on its disk; resumed it starts as for the first time', async () => {
    const rig = await SensorRig.lifelike(3, { settings });
    const { driver } = rig;
    rig.pipe(200);
    await untilTimes(rig, 1);
    expect([internal(driver), driver.disk.positions().size]).toEqual([['test-0-0-changelog'], PARTITIONS]);
    await cancelled(driver);
    expect([internal(driver), driver.disk.positions().size]).toEqual([[], 0]);
    expect(driver.cluster.topicNames()).toEqual(['alerts', 'readings', controlTopic('test')]);
    expect(driver.telemetry.of('job-notice').map(({ message }) => message)).toContainEqual(expect.stringContaining('its state is deleted (DELETE_ON_CANCELLATION): topics test-0-0-changelog.'));
    await driver.advance(60_000);
    expect([statusOf(driver), internal(driver)]).toEqual(['CANCELED', []]);
    await resumed(driver);
    await untilTimes(rig, 2);
    expect(internal(driver)).toEqual(['test-1-0-changelog']);
    expect([...driver.disk.positions().keys()]).toHaveLength(PARTITIONS);
    await driver.crash();
    await driver.recover();
    rig.pipe(1);
    await driver.advance(2_000);
    expect(timesOf(rig).filter((times) => times > 2)).toEqual([]); // the second life has commits of its own
  });

  it('is cancelled and resumed again and again, each time in another life', async () => {
    const rig = await SensorRig.lifelike(5, { settings });
    rig.pipe(60);
    for (let times = 1; times <= 3; times++) {
      await untilTimes(rig, times);
      await cancelled(rig.driver);
      expect(desired(rig.driver.cluster)).toMatchObject({ state: 'cancelled', incarnation: times });
      await resumed(rig.driver);
    }
    await untilTimes(rig, 4);
    expect(internal(rig.driver)).toEqual(['test-3-0-changelog']);
  });

  it('deletes the topics of its shuffles, too, and goes through all stages again', async () => {
    const rig = await StagesRig.start(twoStages, 7, { settings });
    const { driver } = rig;
    rig.pipe(100);
    await driver.until(() => rig.counts().length === 100);
    expect(internal(driver)).toHaveLength(3);
    await cancelled(driver);
    expect(internal(driver)).toEqual([]);
    await resumed(driver);
    await driver.until(() => rig.counts().length === 200);
    await driver.advance(2_000);
    expect(rig.counts()).toHaveLength(200);
    const counts = rig.counts().filter(({ site }) => site === rig.counts()[0]!.site).map(({ count }) => count);
    expect(counts.filter((count) => count === 1)).toHaveLength(2); // it counted from the beginning, once more
    driver.pipe(STAGED, 's1', { id: 's1', n: 1_000, t: 0 });
    await driver.until(() => rig.counts().length === 201);
  });

  it('keeps everything when it is stopped, crashes or fails', async () => {
    const rig = await SensorRig.start({ settings });
    rig.pipe(50);
    await rig.finish();
    await rig.driver.stop();
    await rig.driver.advance(10_000);
    await rig.driver.recover();
    await rig.crashAndRecover();
    rig.pipe(50);
    await rig.finish();
    rig.verify();
  });

  it('takes commands that come meanwhile once it has ended', async () => {
    const rig = await SensorRig.lifelike(9, { settings });
    rig.pipe(60);
    await untilTimes(rig, 1);
    const { clock, job, cluster } = rig.driver;
    await clock.settled(job.cancel());
    expect(isDeleted(cluster)).toBe(false);
    const resuming = job.resume();
    await rig.driver.until(() => isDeleted(cluster));
    await clock.settled(resuming);
    await untilTimes(rig, 2);
    expect(internal(rig.driver)).toEqual(['test-1-0-changelog']);
  });

  it('can be stopped while it begins anew, and is in its next life when it comes back', async () => {
    const rig = await SensorRig.lifelike(13, { settings });
    const { driver } = rig;
    rig.pipe(60);
    await untilTimes(rig, 1);
    await cancelled(driver);
    await driver.clock.settled(driver.job.resume());
    await driver.advance(5);
    await expect(driver.job.cancel()).rejects.toThrow('JOB_NOT_REACHED');
    expect(await driver.stop()).toEqual({ status: 'CANCELED' });
    await driver.recover();
    await untilTimes(rig, 2);
  });

  it('gives no permit to a task of the former life that claims its id late (I3, F2)', async () => {
    const rig = await SensorRig.lifelike(9, { settings });
    const { driver } = rig;
    rig.pipe(60);
    await untilTimes(rig, 1);
    await driver.crash();
    driver.cluster.faults.at('openWriter:replied', { type: 'delay', ms: 20_000 }, { when: ({ transactionalId }) => transactionalId === 'test-0-0' });
    driver.recoverWithoutWaiting();
    await driver.until(() => driver.overview().tasks.filter(({ status }) => status === 'RUNNING').length === PARTITIONS - 1);
    await driver.clock.settled(driver.job.cancel());
    await driver.until(() => isDeleted(driver.cluster));
    await resumed(driver);
    expect(driver.telemetry.of('task-failed').map(({ error }) => error.message)).toEqual([expect.stringContaining('the state of its life was deleted')]);
    await untilTimes(rig, 2);
  });

  it('says what the log refuses to delete, and is cancelled all the same', async () => {
    const rig = await SensorRig.start({ settings });
    const refusal = await rig.driver.clock.settled(rig.driver.cluster.log({ clock: rig.driver.clock, clientId: 'x' }).ensureTopics([{ topic: 'alerts', partitions: 99, config: {} }]).catch((thrown: Error) => thrown));
    rig.driver.cluster.faults.at('deleteTopics:send', { type: 'fail', error: refusal as Error });
    rig.pipe(50);
    await untilTimes(rig, 1);
    await cancelled(rig.driver);
    expect(internal(rig.driver)).toEqual(['test-0-0-changelog']);
    expect(rig.driver.telemetry.of('job-notice').map(({ message }) => message)).toContainEqual(expect.stringMatching(/^Topic "test-0-0-changelog" of the cancelled job is left: .* Delete it by hand/));
    await resumed(rig.driver);
    await untilTimes(rig, 2);
  });
});

describe('a coordinator that dies while it deletes', () => {
  const points: readonly [string, FaultPoint, number][] = [
    ['when the cancellation is recorded', 'commit:applied', 0],
    ['before the first id is claimed', 'openWriter:send', 0],
    ['when the first id is claimed', 'openWriter:applied', 0],
    ['between two ids', 'openWriter:send', 2],
    ['before the topics are deleted', 'deleteTopics:send', 0],
    ['when a topic is deleted', 'deleteTopics:applied', 0],
    ['when all is deleted, and that is not recorded', 'deleteTopics:replied', 0],
  ];

  it.each(points)('is succeeded by its next process, which ends what it has begun: %s (F1)', async (_, point, skip) => {
    const rig = await SensorRig.lifelike(11, { settings });
    const { driver } = rig;
    rig.pipe(100);
    await untilTimes(rig, 1);
    const isDue = (facts: { readonly transactionalId?: string }): boolean =>
      point === 'commit:applied' ? facts.transactionalId === 'test-coordinator' && isAsked(driver.cluster) : facts.transactionalId !== 'test-coordinator';
    const killing = driver.cluster.faults.at(point, { type: 'kill' }, { skip, when: isDue });
    void driver.job.cancel().catch(() => undefined);
    await driver.clock.waitUntil(() => !driver.isAlive);
    expect(killing.hits).toBe(1);
    await driver.crash();
    driver.recoverWithoutWaiting();
    await driver.until(() => statusOf(driver) === 'CANCELED' && isDeleted(driver.cluster));
    expect(driver.cluster.describeTopic('test-0-0-changelog')).toBeUndefined();
    await driver.advance(1_000);
    expect(driver.disk.positions().size).toBe(0);
    await resumed(driver);
    await untilTimes(rig, 2);
    expect(internal(driver)).toEqual(['test-1-0-changelog']);
  });
});

describe('replicas of a job that is cancelled with DELETE_ON_CANCELLATION', () => {
  const work = (): Work => ({
    definition: sensorJob,
    topics: { readings: PARTITIONS, alerts: PARTITIONS },
    outputs: ['alerts'],
    tasks: PARTITIONS,
    pipe: (driver, records) => {
      for (let n = 0; n < records; n++) driver.pipe(READINGS, `s${n % 7}`, { id: `s${n % 7}`, n, t: (n % 2) * 40 });
    },
    isDone: () => true,
    verify: () => undefined,
  });
  const alertsOf = (set: ReplicaSet): number => set.drivers[0]!.readAll(ALERTS).length;
  const all = (set: ReplicaSet, status: string): boolean => set.drivers.every((driver) => statusOf(driver) === status);

  it.each([0, 1])('all delete what they have, and all begin anew, with %i standbys', async (standbys) => {
    const set = await ReplicaSet.start(work(), 2, 21, false, { standbys, checkpointing });
    set.pipe(100);
    await set.clock.waitUntil(() => alertsOf(set) > 0, 60_000);
    await set.clock.advance(5_000);
    const before = alertsOf(set);
    await set.clock.settled(set.drivers[1]!.job.cancel());
    await set.clock.waitUntil(() => all(set, 'CANCELED') && isDeleted(set.cluster), 60_000);
    await set.clock.advance(1_000);
    expect([internal(set.drivers[0]!), ...set.drivers.map(({ disk }) => disk.positions().size)]).toEqual([[], 0, 0]);
    await set.clock.settled(set.drivers[0]!.job.resume());
    await set.untilShared(2);
    await set.clock.waitUntil(() => alertsOf(set) >= 2 * before, 60_000);
    await set.clock.advance(5_000);
    expect([alertsOf(set), internal(set.drivers[0]!)]).toEqual([2 * before, ['test-1-0-changelog']]);
    expect(set.drivers.flatMap(({ telemetry }) => telemetry.of('job-status')).filter(({ to }) => to === 'FAILED')).toEqual([]);
    await set.end();
  });

  it('are succeeded by one that has slept through it all, as a stranger: what it held is dropped, and it begins anew with them (F2)', async () => {
    const set = await ReplicaSet.start(work(), 2, 22, false, { checkpointing });
    set.pipe(100);
    await set.clock.waitUntil(() => alertsOf(set) > 0, 60_000);
    await set.clock.advance(5_000);
    const before = alertsOf(set);
    const [awake, asleep] = [set.drivers[0]!, set.drivers[1]!];
    asleep.pause();
    await set.clock.settled(awake.job.cancel());
    await set.clock.waitUntil(() => statusOf(awake) === 'CANCELED' && isDeleted(set.cluster), 60_000);
    await set.clock.settled(awake.job.resume());
    await set.clock.waitUntil(() => alertsOf(set) >= 2 * before, 60_000);
    asleep.resume();
    await set.untilShared(2);
    await set.clock.advance(5_000);
    expect([alertsOf(set), internal(awake)]).toEqual([2 * before, ['test-1-0-changelog']]);
    expect(asleep.disk.positions().size).toBeGreaterThan(0);
    expect(Object.keys(Object.fromEntries(asleep.disk.image())).filter((name) => name.startsWith('test/0/'))).toEqual([]);
    await set.end();
  });
});

describe('the order of a deletion', () => {
  /** A writer of the former life with an open transaction, while the state is deleted. @returns what becomes of its commit */
  async function zombie(claims: (log: Log) => Pick<Log, 'openWriter' | 'deleteTopics'>): Promise<string> {
    const clock = new ManualClock({ seed: 4 });
    const cluster = new InMemoryCluster({ clock, seed: 4, ...LIFELIKE });
    for (const topic of ['out', 'app-0-0-changelog']) cluster.createTopic(topic, 1);
    const writer = await clock.settled(cluster.log({ clock, clientId: 'zombie' }).openWriter({ transactionalId: 'app-0-0', transactionTimeoutMs: 60_000 }));
    const transaction = writer.begin();
    const records = new RecordWriter();
    records.begin(0);
    records.keyDone();
    records.valueDone();
    records.end();
    await clock.settled(transaction.append([{ topic: 'out', partition: 0, records: records.columns }]));
    const deletion = deleteState(
      { topics: ['app-0-0-changelog'], transactionalIds: ['app-0-0'] },
      {
        clock,
        log: claims(cluster.log({ clock, clientId: 'coordinator' })),
        transactionTimeoutMs: 60_000,
        areTasksUp: () => false,
        wait: () => Promise.resolve(),
        mayClaim: () => Promise.resolve(),
        goesOn: () => true,
        onNotice: () => undefined,
      },
    );
    expect(await clock.settled(deletion)).toBe(true);
    expect(cluster.describeTopic('app-0-0-changelog')).toBeUndefined();
    return clock.settled(transaction.commit().then(() => 'committed', (thrown: { kind: string }) => thrown.kind));
  }

  it('fences whoever still holds an id, before it deletes anything (F2)', async () => {
    expect(await zombie((log) => log)).toBe('fenced');
  });

  it('is what keeps the former life from committing: without the claims it does (sabotage)', async () => {
    const noClaims = (log: Log): Pick<Log, 'openWriter' | 'deleteTopics'> => ({
      openWriter: async ({ transactionalId }) => ({ transactionalId, begin: () => { throw new Error('nobody writes'); }, close: async () => undefined }),
      deleteTopics: (topics) => log.deleteTopics(topics),
    });
    expect(await zombie(noClaims)).toBe('committed');
  });

  it('waits for tasks that still end, but not for ever; and is left to the successor by who leads no more', async () => {
    const clock = new ManualClock({ seed: 4 });
    const cluster = new InMemoryCluster({ clock, seed: 4 });
    const said: string[] = [];
    const waited: number[] = [];
    const host = (leads: () => boolean) => ({
      clock,
      log: cluster.log({ clock, clientId: 'coordinator' }),
      transactionTimeoutMs: 60_000,
      areTasksUp: () => true,
      wait: async (until: number) => {
        waited.push(until);
        await new Promise<void>((resolve) => clock.after(until - clock.monotonic(), resolve));
      },
      mayClaim: () => Promise.resolve(),
      goesOn: leads,
      onNotice: (message: string) => void said.push(message),
    });
    expect(await clock.settled(deleteState({ topics: ['never-there'], transactionalIds: [] }, host(() => true)))).toBe(true);
    expect([waited, said]).toEqual([[5_000], [expect.stringContaining('never-there')]]);
    expect(await clock.settled(deleteState({ topics: ['never-there'], transactionalIds: ['app-0-0'] }, host(() => false)))).toBe(false);
    expect(cluster.producerEpoch('app-0-0')).toBeUndefined();
  });
});
