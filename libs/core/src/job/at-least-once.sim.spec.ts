import { describe, expect, it } from '@jest/globals';
import type { LogFactory } from '@weir/core';
import { SensorRig } from './sensor-rig.spec-d.js';
import { StagesRig, threeStages } from './stages-rig.spec-d.js';

const SETTINGS = { settings: { checkpointing: { interval: 100, mode: 'AT_LEAST_ONCE' } } } as const;

/** Kills anywhere in a commit, and while outputs are on their way. @returns how many outputs were repeated, and how often it was killed */
async function killed(seed: number, log?: (factory: LogFactory) => LogFactory): Promise<{ readonly repeated: number; readonly kills: number }> {
  const rig = await SensorRig.lifelike(seed, { ...SETTINGS, ...(log === undefined ? {} : { log }) });
  const kills = rig.driver.cluster.faults.randomly({
    points: ['publish:send', 'publish:applied', 'append:send', 'append:applied', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied', 'fetch:replied'],
    probability: 0.01,
    action: () => ({ type: 'kill' }),
  });
  // Outputs that take longer than a commit.
  const delays = rig.driver.cluster.faults.randomly({
    points: ['publish:send'],
    probability: 0.3,
    action: () => ({ type: 'delay', ms: 300 }),
    when: ({ partitions }) => partitions.some(({ topic }) => topic === 'alerts'),
  });
  for (let round = 0; round < 20; round++) {
    rig.pipe(30);
    if (rig.random.chance(0.2)) rig.driver.disk.wipe();
    await rig.finish();
  }
  kills.remove();
  delays.remove();
  await rig.crashAndRecover();
  await rig.finish();
  return { repeated: rig.verifyAtLeastOnce(), kills: kills.hits };
}

/** Outputs are taken for acknowledged when they are sent. */
const hasty = (factory: LogFactory): LogFactory => ({
  open: async (context) => {
    const log = await factory.open(context);
    return new Proxy(log, {
      get: (target, name) => {
        if (name === 'openAppender') {
          return async () => {
            const appender = await target.openAppender();
            return {
              append: (appends: Parameters<typeof appender.append>[0]) => {
                const sent = appender.append(appends);
                if (!appends.some(({ topic }) => topic === 'alerts')) return sent;
                sent.catch(() => undefined);
                return Promise.resolve([]);
              },
              close: () => appender.close(),
            };
          };
        }
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    });
  },
});

describe('a job in mode AT_LEAST_ONCE', () => {
  it('puts out at once, before any commit, and each output once where nothing goes wrong', async () => {
    const rig = await SensorRig.start({ settings: { checkpointing: { interval: 60_000, mode: 'AT_LEAST_ONCE' } } });
    rig.pipe(200);
    await rig.driver.advance(1_000);
    expect(rig.driver.telemetry.of('task-commit')).toEqual([]);
    expect(rig.driver.cluster.committedRecords('alerts', 0).length).toBeGreaterThan(0);
    await rig.finish();
    expect(rig.verifyAtLeastOnce()).toBe(0);
  });

  it('loses nothing when it is killed anywhere, keeps its state exact, and repeats at most what was not committed', async () => {
    let [repeated, kills] = [0, 0];
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const each = await killed(seed);
      repeated += each.repeated;
      kills += each.kills;
    }
    expect(kills).toBeGreaterThan(40);
    expect(repeated).toBeGreaterThan(0);
  });

  it('loses nothing when outputs are refused: the task restarts from its last commit', async () => {
    const rig = await SensorRig.lifelike(2, SETTINGS);
    const refusals = rig.driver.cluster.faults.randomly({
      points: ['publish:send'],
      probability: 0.1,
      action: () => ({ type: 'fail', error: new Error('planned') }),
      when: ({ partitions }) => partitions.some(({ topic }) => topic === 'alerts'),
    });
    for (let round = 0; round < 10; round++) {
      rig.pipe(30);
      expect(await rig.finish()).toBe(0);
    }
    refusals.remove();
    expect([refusals.hits > 3, rig.driver.telemetry.of('task-failed').length > 3]).toEqual([true, true]);
    rig.verifyAtLeastOnce();
  });

  it('loses nothing on its way through shuffles, and rounds go on', async () => {
    for (const seed of [1, 2, 3]) {
      const rig = await StagesRig.start(threeStages, seed, SETTINGS);
      const kills = rig.driver.cluster.faults.randomly({
        points: ['publish:send', 'publish:applied', 'append:applied', 'commit:send', 'commit:applied', 'fetch:replied'],
        probability: 0.004,
        action: () => ({ type: 'kill' }),
      });
      for (let round = 0; round < 8; round++) {
        rig.pipe(40);
        await rig.finish(); // may be early, for repeated ones are counted, too
      }
      kills.remove();
      await rig.crashAndRecover();
      await rig.driver.advance(10_000);
      expect([...new Set(rig.counts().map(({ n }) => n))].sort((a, b) => a - b)).toEqual(Array.from({ length: 320 }, (_, n) => n));
      expect(rig.driver.overview().checkpoints.completed).toBeGreaterThan(5);
      expect(kills.hits).toBeGreaterThan(1);
    }
  });

  it('is caught losing outputs if offsets are committed before these are acknowledged', async () => {
    let caught = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      try {
        await killed(seed, hasty);
      } catch {
        caught++;
      }
    }
    expect(caught).toBeGreaterThanOrEqual(3);
  });
});
