import { describe, expect, it } from '@jest/globals';
import { float64, type JobDefinition, type OutOfRangePolicy, topic, utf8 } from '@weir/core';
import { JobTestDriver, type JobTestOptions } from '@weir/testing';

/** Trap 7: the topic's retention passes the offset that a job has committed, while it stands still or while it is slow. */
const IN = topic('in', { key: utf8, value: utf8 });
const OUT = topic('out', { key: utf8, value: utf8 });

/** Numbers the records of each key, so that a skipped one shows in what follows, and a repeated one too. */
const counting = (onOffsetOutOfRange?: OutOfRangePolicy): JobDefinition => ({
  define: (streams) =>
    streams
      .source('readings', IN, onOffsetOutOfRange === undefined ? {} : { onOffsetOutOfRange })
      .keyBy(utf8, (value) => value.slice(0, 1), { alreadyPartitioned: { partitioner: () => 0 } })
      .mapWithState<number, string>('count', float64, (value, count = 0) => ({ state: count + 1, value: `${value}:${count + 1}` }))
      .sink('out', OUT),
});

const OPTIONS: JobTestOptions = { topics: { in: 1, out: 1 }, outputs: ['out'], settings: { checkpointing: { interval: 100 } } };

const start = (policy?: OutOfRangePolicy, options: Partial<JobTestOptions> = {}): Promise<JobTestDriver> => JobTestDriver.start(counting(policy), { ...OPTIONS, ...options });

const pipe = (driver: JobTestDriver, from: number, to: number): void => {
  for (let n = from; n <= to; n++) driver.pipe(IN, 'k', `k${n}`);
};
const outputs = (driver: JobTestDriver): (string | null)[] => driver.readAll(OUT).map(({ value }) => value);
const resets = (driver: JobTestDriver) => driver.telemetry.of('input-reset').map(({ source, partition, from, to, policy }) => ({ source, partition, from, to, policy }));

/** A job that has read k1 to k3, then stood still while k4 to k9 came, and retention took all below offset 7 (k8). */
async function overtaken(policy?: OutOfRangePolicy): Promise<JobTestDriver> {
  const driver = await start(policy);
  pipe(driver, 1, 3);
  await driver.checkpoint();
  await driver.stop();
  pipe(driver, 4, 9);
  driver.cluster.deleteRecordsBefore('in', 0, 7);
  return driver;
}

describe('trap 7: retention passed the committed offset while the job stood still', () => {
  it('fails the job by default, and says what is gone and what to do', async () => {
    const driver = await overtaken();
    driver.recoverWithoutWaiting();
    const outcome = await driver.ended();
    expect(outcome).toMatchObject({ status: 'FAILED', error: { kind: 'invalid', code: 'INPUT_RECORDS_GONE', context: { topic: 'in', partition: 0, offset: 3, start: 7 } } });
    const { message } = (outcome as { error: Error }).error;
    expect(message).toContain('Source readings is to go on at offset 3 of in partition 0, and the log begins at 7: up to 4 records');
    expect(message).toContain('set onOffsetOutOfRange of source readings to earliest (at 7) or latest');
    expect(outputs(driver)).toEqual(['k1:1', 'k2:2', 'k3:3']);
    expect(resets(driver)).toEqual([]);
  });

  it('goes on at the oldest record there is, if the source says earliest, and says what it skipped', async () => {
    const driver = await overtaken('earliest');
    await driver.recover();
    await driver.checkpoint();
    expect(outputs(driver)).toEqual(['k1:1', 'k2:2', 'k3:3', 'k8:4', 'k9:5']);
    expect(resets(driver)).toEqual([{ source: 'readings', partition: 0, from: 3, to: 7, policy: 'earliest' }]);
  });

  it('goes on at the end, if the source says latest', async () => {
    const driver = await overtaken('latest');
    await driver.recover();
    await driver.until(() => resets(driver).length > 0);
    pipe(driver, 10, 11);
    await driver.checkpoint();
    expect(outputs(driver)).toEqual(['k1:1', 'k2:2', 'k3:3', 'k10:4', 'k11:5']);
    expect(resets(driver)).toEqual([{ source: 'readings', partition: 0, from: 3, to: 9, policy: 'latest' }]);
  });

  it('is said again by a start that finds nothing committed behind it, and not by one that does', async () => {
    const driver = await overtaken('earliest');
    driver.cluster.faults.at('commit:send', { type: 'kill' });
    await driver.recover();
    await expect(driver.checkpoint()).rejects.toThrow('killed');
    await driver.crash();
    await driver.recover();
    await driver.checkpoint();
    expect(resets(driver).map(({ from }) => from)).toEqual([3, 3]);
    await driver.crash();
    await driver.recover();
    await driver.checkpoint();
    expect(resets(driver)).toHaveLength(2);
    expect(outputs(driver)).toEqual(['k1:1', 'k2:2', 'k3:3', 'k8:4', 'k9:5']);
  });
});

describe('trap 7: retention overtakes a slow task', () => {
  /** Fetches take so long that records which come meanwhile can be deleted before the next one. */
  const SLOW: Partial<JobTestOptions> = { network: { fetchMs: [2_000, 2_000] } };

  it.each(['fail', 'earliest', 'latest'] as const)('as it does one that starts: %s', async (policy) => {
    const driver = await start(policy, SLOW);
    pipe(driver, 1, 3);
    await driver.checkpoint();
    pipe(driver, 4, 9);
    driver.cluster.deleteRecordsBefore('in', 0, 7);
    if (policy === 'fail') {
      expect(await driver.ended()).toMatchObject({ status: 'FAILED', error: { code: 'INPUT_RECORDS_GONE' } });
      return;
    }
    await driver.until(() => resets(driver).length > 0);
    pipe(driver, 10, 10);
    await driver.checkpoint();
    expect(outputs(driver)).toEqual(['k1:1', 'k2:2', 'k3:3', ...(policy === 'earliest' ? ['k8:4', 'k9:5', 'k10:6'] : ['k10:4'])]);
    expect(resets(driver)).toEqual([{ source: 'readings', partition: 0, from: 3, to: policy === 'earliest' ? 7 : 9, policy }]);
  });

  it('never holds against a first start, which begins wherever the topic begins', async () => {
    const driver = JobTestDriver.startWithoutWaiting(counting('fail'), { ...OPTIONS, ...SLOW });
    pipe(driver, 1, 9);
    await driver.until(() => driver.overview().status === 'RUNNING');
    driver.cluster.deleteRecordsBefore('in', 0, 7);
    await driver.checkpoint();
    expect(outputs(driver)).toEqual(['k8:1', 'k9:2']);
    expect(resets(driver)).toEqual([{ source: 'readings', partition: 0, from: 0, to: 7, policy: 'earliest' }]);
  });
});

describe('a log that has lost its tail below the committed offset', () => {
  async function truncated(policy: OutOfRangePolicy): Promise<JobTestDriver> {
    const driver = await start(policy);
    pipe(driver, 1, 3);
    await driver.checkpoint();
    await driver.stop();
    driver.cluster.moveLeader('in', 0, { truncateTo: 1 });
    return driver;
  }

  it('fails the job by default, and says so', async () => {
    const driver = await truncated('fail');
    driver.recoverWithoutWaiting();
    expect(await driver.ended()).toMatchObject({ status: 'FAILED', error: { kind: 'invalid', code: 'INPUT_TRUNCATED', context: { offset: 3, end: 1 } } });
  });

  it.each(['earliest', 'latest'] as const)('is read on from its end, never again from its start: %s', async (policy) => {
    const driver = await truncated(policy);
    await driver.recover();
    await driver.until(() => resets(driver).length > 0);
    pipe(driver, 7, 8);
    await driver.until(() => outputs(driver).length === 5);
    expect(outputs(driver)).toEqual(['k1:1', 'k2:2', 'k3:3', 'k7:4', 'k8:5']);
    expect(resets(driver)).toEqual([{ source: 'readings', partition: 0, from: 3, to: 1, policy }]);
  });
});
