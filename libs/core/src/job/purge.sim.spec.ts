import { describe, expect, it } from '@jest/globals';
import type { JobTestOptions } from '@weir/testing';
import { type Clock, incarnation, type Log, type LogFactory, sleep, type TaskOverview } from '@weir/core';
import { repartitionTopic } from './internal-topics.js';
import { StagesRig, threeStages, twoStages } from './stages-rig.spec-d.js';
import { PURGE_INTERVAL_MS } from '../task/repartition-purge.js';

/** Repartition topics keep everything but what their readers have committed, and lose that. */
const TOPIC = repartitionTopic('test', incarnation(0), 'by-site');
const PARTITIONS = [0, 1, 2, 3];
const PURGE_POINTS = ['deleteRecords:send', 'deleteRecords:applied', 'deleteRecords:replied'] as const;
/** Rounds far apart, so that simulated minutes cost little. */
const CHECKPOINT_MS = 2_000;
const STEP_MS = 5_000;
/** A commit is definite before its markers are everywhere, and the group's offsets have one of their own: a purge may be faster than that. */
const MARKERS_MS = 100;
/** A purge takes what was committed when it began, at most an interval and a round ago; the rest is for restarts and commits under way. */
const MOST_BEHIND_MS = PURGE_INTERVAL_MS + 2 * CHECKPOINT_MS + STEP_MS + 10_000;

const start = (definition: typeof twoStages, seed: number, options: Partial<JobTestOptions> = {}): Promise<StagesRig> =>
  StagesRig.start(definition, seed, { settings: { checkpointing: { interval: CHECKPOINT_MS } }, ...options });

const startsOf = ({ driver }: StagesRig): number[] => PARTITIONS.map((partition) => driver.cluster.endPosition(TOPIC, partition).start);

function committedOf({ driver }: StagesRig): number[] {
  const committed = driver.cluster.committedOffsets('test');
  return PARTITIONS.map((partition) => committed.find((at) => at.topic === TOPIC && at.partition === partition)?.offset ?? 0);
}

/** Lets time pass; buries and restarts what a planned fault has killed. @throws the error that failed the job, if it did */
async function pass(rig: StagesRig, ms: number): Promise<void> {
  await rig.driver.advance(ms);
  if (!rig.driver.isAlive) return rig.crashAndRecover();
  if (rig.driver.overview().status !== 'FAILED') return;
  const outcome = await rig.driver.ended();
  if (outcome.status === 'FAILED') throw outcome.error;
}

describe('the repartition topic of a running job', () => {
  it.each([1, 2, 3])('begins where its reader committed lately, never above, through crashes: seed %i', async (seed) => {
    const rig = await start(twoStages, seed);
    const kills = rig.driver.cluster.faults.randomly({
      points: ['append:applied', 'commit:send', 'commit:applied', 'commit:replied', ...PURGE_POINTS],
      probability: 0.01,
      action: () => ({ type: 'kill' }),
    });
    const committedThen: number[][] = [];
    const behind = Math.ceil(MOST_BEHIND_MS / STEP_MS);
    for (let step = 0; step < 48; step++) {
      rig.pipe(20);
      await pass(rig, STEP_MS);
      const starts = startsOf(rig);
      await pass(rig, MARKERS_MS);
      const committed = committedOf(rig);
      committedThen.push(committed);
      for (const partition of PARTITIONS) {
        expect(starts[partition]).toBeLessThanOrEqual(committed[partition]!);
        expect(starts[partition]).toBeGreaterThanOrEqual(committedThen[step - behind]?.[partition] ?? 0);
      }
    }
    expect(kills.hits).toBeGreaterThan(3);
    kills.remove();
    await rig.finish();
    rig.verify();
    expect(Math.min(...startsOf(rig))).toBeGreaterThan(50);
  });

  it.each(PURGE_POINTS)('is read on without loss when the process dies at a purge: %s', async (point) => {
    for (let seed = 1; seed <= 3; seed++) {
      const rig = await start(threeStages, seed);
      const fault = rig.driver.cluster.faults.at(point, { type: 'kill' }, { skip: 2 * seed, times: 4 });
      for (let round = 0; round < 10; round++) {
        rig.pipe(40);
        await pass(rig, 11_000);
      }
      await rig.finish();
      rig.verify();
      expect(fault.hits).toBe(4);
    }
  });

  it('stands in the way of no commit when purges fail or never come back', async () => {
    const rig = await start(twoStages, 1);
    const { faults } = rig.driver.cluster;
    const fails = faults.at('deleteRecords:send', { type: 'fail', error: new Error('planned') }, { times: 8 });
    const hangs = faults.at('deleteRecords:applied', { type: 'delay', ms: 10 * PURGE_INTERVAL_MS }, { times: Infinity });
    for (let round = 0; round < 12; round++) {
      rig.pipe(20);
      await rig.driver.advance(10_000);
    }
    expect(await rig.finish()).toBe(0);
    rig.verify();
    expect(fails.hits).toBe(8);
    expect(hangs.hits).toBeGreaterThan(0);
    expect(rig.driver.telemetry.of('task-failed')).toEqual([]);
    expect(rig.driver.overview().checkpoints.failed).toBe(0);
  });

  it('is not purged any more by the last commits of a job that stops', async () => {
    const rig = await start(twoStages, 1, { settings: { checkpointing: { interval: 2 * PURGE_INTERVAL_MS } } });
    const { driver } = rig;
    const purges = (): number => driver.cluster.faults.passed('deleteRecords:send');
    const behindShuffle = (): TaskOverview[] => driver.overview().tasks.filter(({ subTopology }) => subTopology === 1);
    const readBehindShuffle = (): number => behindShuffle().reduce((sum, { recordsIn }) => sum + recordsIn, 0);
    rig.pipe(40);
    await driver.advance(3 * PURGE_INTERVAL_MS);
    const [before, readBefore] = [purges(), readBehindShuffle()];
    expect(before).toBeGreaterThan(0);
    // Amid the next round: what is read behind the shuffle is in the last commit, at which another purge would be due.
    rig.pipe(40);
    while (readBehindShuffle() === readBefore) await driver.advance(1);
    expect(purges()).toBe(before);
    expect(await driver.stop(10 * PURGE_INTERVAL_MS)).toMatchObject({ status: 'CANCELED' });
    await driver.advance(PURGE_INTERVAL_MS);
    expect(purges()).toBe(before);
  });
});

/** Deletes what the next epoch needs: waits until more was written than is committed, and deletes that, too. */
const greedily =
  (log: Log, clock: Clock): Log['deleteRecordsBefore'] =>
  async (partitions) => {
    for (;;) {
      const ends = await log.endPositions(partitions);
      if (ends.some(({ lastStable }, i) => lastStable > partitions[i]!.offset)) {
        return log.deleteRecordsBefore(ends.map(({ topic, partition, lastStable }) => ({ topic, partition, offset: lastStable })));
      }
      await sleep(clock, 1);
    }
  };

const greedy = (factory: LogFactory): LogFactory => ({
  open: async (context) => {
    const log = await factory.open(context);
    const over = greedily(log, context.clock);
    return new Proxy(log, {
      get: (target, name) => {
        const value = name === 'deleteRecordsBefore' ? over : (Reflect.get(target, name, target) as unknown);
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    });
  },
});

describe('the checks of these simulations', () => {
  it.each([1, 2, 3, 4, 5, 6])('catch a purge that takes what a crashed epoch has to read again: seed %i', async (seed) => {
    const rig = await start(twoStages, seed, { log: greedy });
    rig.driver.cluster.faults.at('deleteRecords:applied', { type: 'kill' }, { times: 3 });
    const run = async (): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        rig.pipe(20);
        await pass(rig, CHECKPOINT_MS);
      }
    };
    await expect(run()).rejects.toMatchObject({ code: 'LOG_OFFSET_OUT_OF_RANGE' });
  });
});
