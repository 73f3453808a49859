import { describe, expect, it } from '@jest/globals';
import { CRASH_POINTS, type CrashPoint } from '@weir/testing';
import { ConnectRig } from './connect-rig.spec-d.js';

describe('a keyed job of two inputs, one of them shuffled', () => {
  it('has one state for both sides, a round for each checkpoint', async () => {
    const rig = await ConnectRig.start(1);
    rig.pipe(300);
    expect(await rig.finish()).toBe(0);
    rig.verify();
    await rig.verifyTimers();
    expect(rig.driver.overview().checkpoints.completed).toBeGreaterThan(5);
    expect(rig.driver.overview().checkpoints.failed).toBe(0);
  });

  const points = Object.keys(CRASH_POINTS).filter((point) => point !== 'midRestore') as CrashPoint[];
  it.each(points)('repeats and loses nothing when it is killed: %s', async (point) => {
    let hits = 0;
    for (let seed = 1; seed <= 3; seed++) {
      const rig = await ConnectRig.start(seed);
      for (let round = 0; round < 5; round++) {
        rig.pipe(50);
        const fault = rig.driver.cluster.faults.at(CRASH_POINTS[point], { type: 'kill' }, { skip: rig.random.between(0, 9) });
        await rig.finish();
        hits += fault.hits;
        fault.remove();
      }
      rig.verify();
      await rig.verifyTimers();
    }
    expect(hits).toBeGreaterThanOrEqual(8);
  });

  it.each([1, 2, 3, 4, 5, 6])('repeats and loses nothing when it is killed anywhere, again and again: seed %i', async (seed) => {
    const rig = await ConnectRig.start(seed);
    const kills = rig.driver.cluster.faults.randomly({
      points: ['append:send', 'append:applied', 'addOffsets:send', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied', 'fetch:replied', 'openWriter:applied'],
      probability: 0.006,
      action: () => ({ type: 'kill' }),
    });
    for (let round = 0; round < 15; round++) {
      rig.pipe(30);
      if (rig.random.chance(0.2)) rig.driver.disk.wipe();
      await rig.finish();
    }
    kills.remove();
    rig.verify();
    expect(kills.hits).toBeGreaterThan(3);
  });

  it.each([1, 2, 3])('repeats and loses nothing when tasks fail and restart alone: seed %i', async (seed) => {
    const rig = await ConnectRig.start(seed);
    const faults = rig.driver.cluster.faults.randomly({
      points: ['append:send', 'append:applied', 'addOffsets:send', 'commit:send', 'fetch:replied', 'openWriter:applied'],
      probability: 0.01,
      action: () => ({ type: 'fail', error: new Error('planned') }),
    });
    for (let round = 0; round < 15; round++) {
      rig.pipe(30);
      expect(await rig.finish()).toBe(0);
    }
    faults.remove();
    rig.verify();
    expect(rig.driver.telemetry.of('task-failed').length).toBeGreaterThan(3);
  });
});
