import { describe, expect, it } from '@jest/globals';
import { CRASH_POINTS, type CrashPoint, SNAPSHOT_POINTS, touches } from '@weir/testing';
import { SnapshotJobRig } from './snapshot-job-rig.spec-d.js';

const SEEDS = [1, 2, 3];

describe('a job with its state in snapshots that is killed', () => {
  it.each(SNAPSHOT_POINTS)('at %s repeats and loses nothing', async (point) => {
    let hits = 0;
    for (const seed of SEEDS) {
      const rig = await SnapshotJobRig.start(seed);
      // What can be deleted comes of 16 checkpoints of a task.
      const rounds = point.startsWith('delete') ? 24 : 6;
      for (let round = 0; round < rounds; round++) {
        rig.pipe(360 / rounds);
        const fault = rig.place.faults.at(point, { type: 'kill' }, { skip: rig.random.between(0, 5) });
        await rig.finish();
        if (round % 2 === 0) await rig.crashAndRecover();
        await rig.finish();
        hits += fault.hits;
        fault.remove();
      }
      await rig.verify();
      expect(rig.expectedAlerts).toBeGreaterThan(50);
    }
    expect(hits).toBeGreaterThanOrEqual(SEEDS.length);
  });

  it.each(Object.keys(CRASH_POINTS) as CrashPoint[])('at %s of its log repeats and loses nothing', async (point) => {
    let hits = 0;
    for (const seed of SEEDS) {
      const rig = await SnapshotJobRig.start(seed);
      for (let round = 0; round < 6; round++) {
        rig.pipe(60);
        const when = point === 'midRestore' ? touches('test-0-0-changelog') : (): boolean => true;
        const fault = rig.driver.cluster.faults.at(CRASH_POINTS[point], { type: 'kill' }, { when, skip: rig.random.between(0, 5) });
        if (point === 'midRestore') await rig.crashAndRecover();
        await rig.finish();
        hits += fault.hits;
        fault.remove();
      }
      await rig.crashAndRecover();
      rig.pipe(10);
      await rig.finish();
      await rig.verify();
    }
    expect(hits).toBeGreaterThanOrEqual(SEEDS.length);
  });

  it.each([1, 2, 3, 4])('anywhere, again and again, repeats and loses nothing, and leaves nothing behind: seed %i', async (seed) => {
    const rig = await SnapshotJobRig.start(seed);
    const kills = [
      rig.place.faults.randomly(SNAPSHOT_POINTS, 0.01, { type: 'kill' }),
      rig.driver.cluster.faults.randomly({
        points: ['append:applied', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied', 'openWriter:applied'],
        probability: 0.01,
        action: () => ({ type: 'kill' }),
      }),
    ];
    for (let round = 0; round < 40; round++) {
      rig.pipe(30);
      await rig.finish();
    }
    expect(kills.map(({ hits }) => hits > 0)).toEqual([true, true]);
    for (const kill of kills) kill.remove();
    await rig.crashAndRecover();
    for (let round = 0; round < 3; round++) {
      rig.pipe(60); // every task commits, and deletes
      await rig.finish();
      await rig.driver.advance(1_000);
    }
    await rig.verify();
    expect(rig.unnamed.filter((name) => !/delta-[1-9]$|base$/.test(name))).toEqual([]); // what housekeeping has just made waits for a commit
  });
});

describe('a job with its state in snapshots', () => {
  it('goes on when files cannot be deleted, and deletes them later', async () => {
    const rig = await SnapshotJobRig.start(1);
    const denied = rig.place.faults.at('delete:send', { type: 'fail', error: new Error('denied') }, { times: 100 });
    for (let round = 0; round < 20; round++) {
      rig.pipe(40);
      await rig.finish();
    }
    await rig.verify();
    expect([denied.hits > 0, rig.unnamed.length > 0]).toEqual([true, true]);
    denied.remove();
    await rig.crashAndRecover();
    await rig.driver.advance(1_000);
    expect(rig.unnamed.filter((name) => name.endsWith('delta-0'))).toEqual([]);
  });

  it('starts a task again whose snapshot could not be written, from its last commit', async () => {
    const rig = await SnapshotJobRig.start(2);
    const full = rig.place.faults.at('create:send', { type: 'fail', error: new Error('no space left') }, { skip: 3, times: 5 });
    for (let round = 0; round < 5; round++) {
      rig.pipe(40);
      await rig.finish();
    }
    await rig.verify();
    expect(full.hits).toBe(5);
  });

  it.each([1, 2, 3])('whose application id two processes use loses nothing to the one that is fenced: seed %i', async (seed) => {
    const rig = await SnapshotJobRig.start(seed);
    rig.pipe(60);
    await rig.finish();
    const rival = rig.startRival();
    for (let round = 0; round < 20; round++) {
      rig.pipe(20);
      await rig.driver.advance(rig.random.between(1, 300));
    }
    await rival.crash();
    await rig.crashAndRecover();
    rig.pipe(20);
    await rig.finish();
    await rig.verify();
    expect(rig.driver.telemetry.of('task-failed').some(({ error }) => 'kind' in error && error.kind === 'fenced')).toBe(true);
  });

  it('is refused on a backend that recovers from the changelog, and goes on where it was on its own', async () => {
    const rig = await SnapshotJobRig.start(1);
    rig.pipe(60);
    await rig.finish();
    await rig.driver.crash();
    const names = rig.place.names();
    await expect(rig.startOnDisk()).rejects.toMatchObject({
      code: 'STATE_BACKEND_CHANGED',
      message: expect.stringMatching(/the state backend filesystem, whose state lies in snapshots; and rocksdb is configured/) as unknown,
    });
    expect(rig.place.names()).toEqual(names);
    await rig.crashAndRecover();
    rig.pipe(60);
    await rig.finish();
    await rig.verify();
  });

  it('does not begin without a file that its epoch record names: the job fails, and says which', async () => {
    const rig = await SnapshotJobRig.start(1);
    rig.pipe(60);
    await rig.finish();
    const [lost] = rig.place.names();
    const content = rig.place.content(lost!);
    await rig.driver.crash();
    rig.place.put(lost!, undefined);
    await expect(rig.driver.recover()).rejects.toMatchObject({ code: 'SNAPSHOT_MISSING', message: expect.stringContaining(lost!) as unknown });
    await rig.driver.crash();
    rig.place.put(lost!, content);
    await rig.crashAndRecover();
    await rig.verify();
  });
});
