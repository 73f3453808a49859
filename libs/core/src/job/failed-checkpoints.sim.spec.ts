import { describe, expect, it } from '@jest/globals';
import type { CallFacts } from '@weir/testing';
import { StagesRig, twoStages } from './stages-rig.spec-d.js';

const CHECKPOINTING = { interval: 100, timeout: 1_000 } as const;
const RESTARTS = { type: 'fixed-delay', attempts: 1_000_000, delay: 10 } as const;

/** A job whose task 0-1 cannot finish a commit for a while. */
async function heldUp(tolerableFailedCheckpoints: number, heldMs: number): Promise<StagesRig> {
  const settings = { checkpointing: { ...CHECKPOINTING, tolerableFailedCheckpoints }, restartStrategy: RESTARTS };
  const rig = await StagesRig.start(twoStages, 5, { settings });
  rig.pipe(40);
  await rig.finish();
  rig.pipe(40);
  const when = ({ partitions }: CallFacts): boolean => partitions.some(({ topic, partition }) => topic === 'test-0-0-changelog' && partition === 1);
  rig.driver.cluster.faults.at('append:send', { type: 'delay', ms: heldMs }, { when });
  await rig.finish();
  return rig;
}

describe('a checkpoint that times out', () => {
  it('restarts the tasks that have not acknowledged it, alone, and nothing is lost or repeated', async () => {
    const rig = await heldUp(0, 1_500);
    const failed = rig.driver.telemetry.of('task-failed');
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.every(({ error }) => error.message.includes('[CHECKPOINT_NOT_TOLERATED]'))).toBe(true);
    expect(failed.some(({ subTopology, task }) => subTopology === 0 && task === 1)).toBe(true);
    // The sources beside it had committed the barrier long before.
    expect(failed.some(({ subTopology, task }) => subTopology === 0 && task !== 1)).toBe(false);
    rig.verify();
    expect(rig.driver.overview().checkpoints.failed).toBe(1);
  });

  it('restarts nothing while it is tolerated', async () => {
    const rig = await heldUp(1, 1_500);
    expect(rig.driver.telemetry.of('task-failed')).toEqual([]);
    expect(rig.driver.overview().checkpoints.failed).toBe(1);
    rig.verify();
  });
});

describe('the history of rounds of a job', () => {
  it('has the last ten, each with what its tasks took', async () => {
    const rig = await StagesRig.start(twoStages, 5);
    rig.pipe(100);
    await rig.finish();
    await rig.driver.advance(250);
    const { history } = rig.driver.overview().checkpoints;
    const complete = history.filter(({ outcome }) => outcome === 'completed');
    expect([history.length <= 10, complete.length > 1]).toEqual([true, true]);
    for (const { tasks } of complete) expect(tasks.map(({ task }) => task)).toEqual(rig.driver.overview().tasks.map(({ subTopology, task }) => `${subTopology}-${task}`).sort());
    expect(complete.some(({ tasks }) => tasks.some(({ bytes, stateChanges }) => bytes > 0 && stateChanges > 0))).toBe(true);
  });
});
