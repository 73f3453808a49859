import { describe, expect, it } from '@jest/globals';
import { INPUT_CHECK_MS } from './input-watch.js';
import { PARTITIONS, SensorRig } from './sensor-rig.spec-d.js';

/** The rig pipes by the number of partitions that a topic has, as producers do: new partitions get records at once. */
const CHANGED = { status: 'FAILED', error: { kind: 'invalid', code: 'INPUT_PARTITIONS_CHANGED', context: { topic: 'readings', recorded: PARTITIONS, found: PARTITIONS + 2 } } };

describe('partitions added to an input', () => {
  it('end a running job within the interval of its checks, with an error that says savepoint and restore', async () => {
    const rig = await SensorRig.lifelike(1);
    rig.pipe(50);
    await rig.finish();
    rig.driver.cluster.addPartitions('readings', 2);
    await rig.driver.advance(2 * INPUT_CHECK_MS);
    const outcome = await rig.driver.ended();
    expect(outcome).toMatchObject(CHANGED);
    expect((outcome as { error: Error }).error.message).toMatch(/has 6 partitions, .* when it had 4.*[Tt]ake a savepoint .* restore/);
    rig.verify();
  });

  it('are met by a start, although nothing but the record of each task knows how many there were', async () => {
    const rig = await SensorRig.lifelike(2);
    rig.pipe(50);
    await rig.finish();
    await rig.driver.stop();
    rig.driver.cluster.addPartitions('readings', 2);
    const before = rig.driver.clock.monotonic();
    rig.driver.recoverWithoutWaiting();
    expect(await rig.driver.ended()).toMatchObject(CHANGED);
    expect(rig.driver.clock.monotonic() - before).toBeLessThan(INPUT_CHECK_MS);
  });

  it('are met by a task that starts again meanwhile', async () => {
    const rig = await SensorRig.lifelike(3);
    rig.pipe(50);
    await rig.finish();
    rig.pipe(50);
    rig.driver.cluster.addPartitions('readings', 2);
    rig.driver.disk.failApply(new Error('no space left on device'));
    expect(await rig.driver.ended()).toMatchObject(CHANGED);
    expect(rig.driver.clock.monotonic()).toBeLessThan(INPUT_CHECK_MS);
  });

  it('do not end a job whose log cannot be asked: it looks again', async () => {
    const rig = await SensorRig.lifelike(4);
    const fault = rig.driver.cluster.faults.at('describeTopic:send', { type: 'fail', error: new Error('planned') }, { times: 2 });
    for (let round = 0; round < 4; round++) {
      rig.pipe(10);
      await rig.driver.advance(INPUT_CHECK_MS);
    }
    expect(fault.hits).toBe(2);
    await rig.finish();
    rig.verify();
  });
});

describe('an input that is deleted and created again while the job runs', () => {
  it('ends the job: the recorded offsets are those of another topic', async () => {
    const rig = await SensorRig.lifelike(5);
    rig.pipe(50);
    await rig.finish();
    rig.driver.cluster.deleteTopic('readings');
    rig.driver.cluster.createTopic('readings', PARTITIONS);
    expect(await rig.driver.ended()).toMatchObject({ status: 'FAILED', error: { kind: 'invalid', code: 'INPUT_TOPIC_REPLACED' } });
  });
});
