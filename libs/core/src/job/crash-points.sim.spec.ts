import { describe, expect, it } from '@jest/globals';
import { CRASH_POINTS, type CrashPoint, touches } from '@weir/testing';
import { SensorRig } from './sensor-rig.spec-d.js';

const CHANGELOG = 'test-0-0-changelog';

describe('a job that is killed at a named point', () => {
  const points = Object.keys(CRASH_POINTS).filter((point) => point !== 'midRestore') as CrashPoint[];

  it.each(points)('repeats and loses nothing: %s', async (point) => {
    let hits = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const rig = await SensorRig.lifelike(seed);
      for (let round = 0; round < 6; round++) {
        rig.pipe(60);
        const fault = rig.driver.cluster.faults.at(CRASH_POINTS[point], { type: 'kill' }, { skip: rig.random.between(0, 5) });
        await rig.finish();
        hits += fault.hits;
        fault.remove();
      }
      rig.pipe(10);
      await rig.finish();
      rig.verify();
      expect(rig.expectedAlerts).toBeGreaterThan(50);
    }
    expect(hits).toBeGreaterThanOrEqual(20);
  });

  it('repeats and loses nothing: in the middle of a restore, with the store rebuilt from the start', async () => {
    let hits = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const rig = await SensorRig.lifelike(seed);
      for (let round = 0; round < 5; round++) {
        rig.pipe(60);
        await rig.finish();
        await rig.driver.crash();
        if (round % 2 === 0) rig.driver.disk.wipe();
        const fault = rig.driver.cluster.faults.at(CRASH_POINTS.midRestore, { type: 'kill' }, { when: touches(CHANGELOG), skip: rig.random.between(0, 3), times: 2 });
        await rig.crashAndRecover();
        await rig.finish();
        hits += fault.hits;
        fault.remove();
      }
      rig.verify();
    }
    expect(hits).toBeGreaterThanOrEqual(10);
  });

  it('repeats and loses nothing when the reply to the commit is lost and asked for again', async () => {
    const rig = await SensorRig.lifelike(3);
    const lost = rig.driver.cluster.faults.randomly({ points: ['commit:applied', 'commit:send', 'append:applied', 'addOffsets:applied'], probability: 0.3, action: () => ({ type: 'lose' }) });
    for (let round = 0; round < 10; round++) {
      rig.pipe(40);
      await rig.finish();
    }
    rig.verify();
    expect(lost.hits).toBeGreaterThan(10);
  });
});

describe('a job that is killed anywhere, again and again', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('repeats and loses nothing: seed %i', async (seed) => {
    const rig = await SensorRig.lifelike(seed);
    const { faults } = rig.driver.cluster;
    const kills = faults.randomly({
      points: ['append:send', 'append:applied', 'addOffsets:send', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied', 'fetch:replied', 'openWriter:applied', 'endPositions:replied', 'epochEnd:replied'],
      probability: 0.01,
      action: () => ({ type: 'kill' }),
    });
    for (let round = 0; round < 25; round++) {
      rig.pipe(30);
      if (rig.random.chance(0.2)) rig.driver.disk.wipe();
      await rig.finish();
    }
    kills.remove();
    await rig.crashAndRecover();
    await rig.finish();
    rig.verify();
    expect(kills.hits).toBeGreaterThan(5);
  });
});
