import { describe, expect, it } from '@jest/globals';
import { bytes, codec, type JobDefinition, json, topic } from '@weir/core';
import { InMemoryCluster, JobTestDriver, ManualClock, touches } from '@weir/testing';
import { ALERTS, SensorRig, sensorJob } from './sensor-rig.spec-d.js';

/** The traps that others fell into, by their numbers in testing.md; those of the Kafka wire itself are in libs/kafka. */
const CHANGELOG = 'test-0-0-changelog';
const DAY = 86_400_000;

const restoresOf = (rig: SensorRig) => rig.driver.overview().tasks.map((task) => task.restore!);

describe('trap 1: a restore whose last offset holds no record', () => {
  it('ends at a commit marker, an aborted batch and compacted-away records alike', async () => {
    const rig = await SensorRig.lifelike(1);
    rig.pipe(100);
    await rig.finish();
    // An aborted batch at the very end: the next owner's claim ends the dead one's open transaction.
    rig.pipe(20);
    rig.driver.cluster.faults.at('commit:send', { type: 'kill' });
    await rig.finish();
    await rig.driver.crash();
    rig.driver.disk.wipe();
    rig.driver.cluster.compact(CHANGELOG);
    await rig.driver.recover();
    expect(restoresOf(rig).map((restore) => restore.remaining)).toEqual([0, 0, 0, 0]);
    rig.pipe(50);
    await rig.finish();
    rig.verify();
  });

  it('ends where everything was aborted', async () => {
    const rig = await SensorRig.lifelike(2);
    rig.driver.cluster.faults.at('commit:send', { type: 'kill' }, { times: 6 });
    rig.pipe(30);
    await rig.finish();
    rig.verify();
  });
});

describe('trap 2: the reply to a commit is lost', () => {
  it('is asked for until it is definite, and the next transaction is a new one', async () => {
    const rig = await SensorRig.lifelike(3);
    const lost = rig.driver.cluster.faults.at('commit:applied', { type: 'lose' }, { times: 12 });
    for (let round = 0; round < 6; round++) {
      rig.pipe(30);
      expect(await rig.finish()).toBe(0);
    }
    expect(lost.hits).toBe(12);
    rig.verify();
  });
});

describe('trap 4: a transaction expires before its commit', () => {
  it('is a replay, not a loss, and not taken for a rival', async () => {
    const rig = await SensorRig.start({ seed: 4, settings: { checkpointing: { interval: 100, transactionTimeout: 1_000 } } });
    const slow = rig.driver.cluster.faults.at('addOffsets:send', { type: 'delay', ms: 5_000 }, { times: 6 });
    rig.pipe(200);
    await rig.finish();
    expect(slow.hits).toBe(6);
    const codes = rig.driver.telemetry.of('task-failed').map(({ error }) => (error as { code?: string }).code);
    expect(new Set(codes)).toEqual(new Set(['TRANSACTION_EXPIRED']));
    rig.verify();
  });
});

describe('trap 6: a local position that does not fit the data', () => {
  it('never comes of an unclean end: a store is used again, and only the tail is read', async () => {
    const rig = await SensorRig.lifelike(5);
    for (let round = 0; round < 10; round++) {
      rig.pipe(100);
      await rig.finish();
      rig.pipe(10);
      await rig.crashAndRecover();
      const restores = restoresOf(rig);
      expect(restores.map((restore) => restore.rebuildReason)).toEqual([undefined, undefined, undefined, undefined]);
      if (round > 0) expect(restores.map((restore) => restore.fromLocalState)).toEqual([true, true, true, true]);
      for (const { records } of restores) expect(records).toBeLessThanOrEqual(12); // at most the one commit that the store lacks
    }
    await rig.finish();
    rig.verify();
    expect(rig.driver.telemetry.of('store-rebuild')).toEqual([]);
  });

  it('is rebuilt once, not wiped at every start, when the changelog was truncated below it', async () => {
    const rig = await SensorRig.lifelike(6);
    rig.pipe(100);
    await rig.finish();
    await rig.driver.stop();
    const before = rig.driver.cluster.endPosition(CHANGELOG, 0);
    rig.driver.cluster.moveLeader(CHANGELOG, 0, { truncateTo: before.highWatermark - 2 });
    await rig.driver.recover().catch(() => undefined);
    const rebuilt = rig.driver.telemetry.of('store-rebuild');
    expect(rebuilt.map(({ task }) => task)).toEqual([0]);
    await rig.driver.crash();
    await rig.driver.recover().catch(() => undefined);
    expect(rig.driver.telemetry.of('store-rebuild')).toHaveLength(1);
  });

  it('is rebuilt when the changelog is another topic of the same name', async () => {
    const rig = await SensorRig.lifelike(7);
    rig.pipe(50);
    await rig.finish();
    const image = rig.driver.disk.image();
    await rig.driver.stop();

    const other = await SensorRig.lifelike(8);
    other.pipe(80);
    await other.finish();
    await other.driver.crash();
    other.driver.disk.restoreImage(image);
    await other.driver.recover();
    expect(other.driver.telemetry.of('store-rebuild')).toHaveLength(4);
    other.pipe(20);
    await other.finish();
    other.verify();
  });
});

describe('trap 8: local state older than delete.retention.ms', () => {
  const toggles = topic('toggles', { key: bytes, value: json<boolean>() });
  it('is rebuilt, so that deleted keys do not come back', async () => {
    const states = topic('states', { key: json<string>(), value: json<boolean>() });
    /** Keeps a state while it is on, deletes it when it goes off, and puts out whether there was one. */
    const job: JobDefinition = {
      define: (streams) =>
        streams
          .source('toggles', toggles)
          .keyBy(json<string>(), () => 'k', { alreadyPartitioned: { partitioner: 'auto' } })
          .mapWithState('toggle', json<boolean>(), (on, state) => ({ state: on ? true : undefined, value: state ?? false }))
          .sink('states', states),
    };
    const driver = await JobTestDriver.start(job, { topics: { toggles: 1, states: 1 }, outputs: ['states'] });
    const pipe = async (on: boolean) => {
      driver.pipe(toggles, null, on);
      await driver.checkpoint();
    };
    await pipe(true);
    const stale = driver.disk.image();
    await pipe(false); // a tombstone, which the stale image lacks
    await driver.stop();
    await driver.advance(2 * DAY);
    driver.cluster.compact(CHANGELOG);
    await driver.advance(2 * DAY);
    driver.cluster.compact(CHANGELOG);
    driver.disk.restoreImage(stale);
    await driver.recover();
    expect(driver.telemetry.of('store-rebuild').map(({ reason }) => reason)).toEqual([expect.stringContaining('deleted keys might come back')]);
    driver.read(states);
    await pipe(true);
    expect(driver.read(states).map(({ value }) => value)).toEqual([false]);
  });

  it('is used, however old, when nothing was committed since', async () => {
    const rig = await SensorRig.lifelike(9);
    rig.pipe(50);
    await rig.finish();
    await rig.driver.stop();
    await rig.driver.advance(30 * DAY);
    await rig.driver.recover();
    expect(restoresOf(rig).map((restore) => restore.fromLocalState)).toEqual([true, true, true, true]);
    rig.pipe(50);
    await rig.finish();
    rig.verify();
  });
});

describe('trap 10: a restore of a long changelog', () => {
  it('holds one chunk at a time, and says how it gets on until nothing remains', async () => {
    const rig = await SensorRig.start({ seed: 10, sensors: 2_000, network: { chunkRows: [50, 50] } });
    for (let round = 0; round < 10; round++) {
      rig.pipe(2_000);
      await rig.finish();
    }
    await rig.driver.crash();
    rig.driver.disk.wipe();
    rig.driver.telemetry.clear();
    await rig.driver.recover();
    for (const { records, remaining } of restoresOf(rig)) {
      expect(records).toBeGreaterThan(1_000);
      expect(remaining).toBe(0);
    }
    const last = new Map(rig.driver.telemetry.of('restore-progress').map((event) => [event.task, event]));
    expect([...last.values()].map(({ remaining, etaMs }) => [remaining, etaMs])).toEqual([[0, 0], [0, 0], [0, 0], [0, 0]]);
    rig.verify();
  });
});

describe('trap 15: keys of every sort', () => {
  const raw = topic('raw', { key: bytes, value: bytes });
  const counted = topic('counted', { key: bytes, value: json<number>() });
  const countJob: JobDefinition = {
    define: (streams) =>
      streams
        .source('raw', raw)
        .keyBy(bytes, (value) => value, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .mapWithState('count', json<number>(), (_value, count = 0) => ({ state: count + 1, value: count + 1 }))
        .sink('counted', counted),
  };
  const KEYS = ['', '00000000', '0000000000', 'fffe8001', 'ff', 'ffff01', 'ffff02', 'fffe', 'c3a9', 'efbfbd', 'eda080'].map((hex) => Buffer.from(hex, 'hex'));
  const LONG = Buffer.alloc(100_000, 7);
  /** A name for a key that is short enough to print. */
  const nameOf = (key: Uint8Array): string => (key.length > 8 ? `${key.length} bytes` : Buffer.from(key).toString('hex'));

  it('keep apart, before and after a crash with and without local state', async () => {
    const driver = await JobTestDriver.start(countJob, { topics: { raw: 4, counted: 4 }, outputs: ['counted'] });
    const keys = [...KEYS, LONG];
    for (let round = 1; round <= 3; round++) {
      for (const key of keys) driver.pipe(raw, key, key);
      await driver.checkpoint();
      const seen = driver.read(counted).map(({ key, value }) => [nameOf(key!), value]);
      expect(seen.sort()).toEqual(keys.map((key) => [nameOf(key), round]).sort());
      await driver.crash();
      if (round === 2) driver.disk.wipe();
      await driver.recover();
    }
  });

  it('refuses a null key by name and place', async () => {
    const nullable = codec<Uint8Array | null>({ id: 'nullable', encode: (value) => value ?? Buffer.alloc(0), decode: () => null });
    const job: JobDefinition = {
      define: (streams) =>
        streams
          .source('raw', topic('raw', { key: bytes, value: nullable }))
          .keyBy(bytes, (value) => value as Uint8Array, { alreadyPartitioned: { partitioner: 'auto' } })
          .filterWithState('any', json<number>(), () => ({ state: 1, keep: true })),
    };
    const driver = await JobTestDriver.start(job, { topics: { raw: 1 } });
    driver.pipe(raw, Buffer.from('k'), Buffer.from('v'));
    await expect(driver.checkpoint()).rejects.toThrow(/KEY_NULL/);
    expect(driver.overview().status).toBe('FAILED');
  });
});

describe('a rival with the same application id', () => {
  it('is told apart from an expired transaction: one of the two gives up with the reason, and every reading counts once', async () => {
    const clock = new ManualClock({ seed: 11 });
    const cluster = new InMemoryCluster({ clock, seed: 11 });
    const rig = await SensorRig.start({ clock, cluster, seed: 11 });
    rig.pipe(50);
    await rig.finish();
    const rival = JobTestDriver.startWithoutWaiting(sensorJob, { topics: {}, clock, cluster, seed: 12, settings: { checkpointing: { interval: 100 } } });
    for (let i = 0; i < 100; i++) {
      rig.pipe(5);
      await clock.advance(500);
    }
    const statuses = [rig.driver.overview().status, rival.overview().status];
    expect(statuses).toContain('FAILED');
    const failed = statuses[0] === 'FAILED' ? rig.driver : rival;
    expect(failed.overview().reason).toContain('FENCED_REPEATEDLY');
    expect(rig.driver.readAll(ALERTS)).toHaveLength(rig.expectedAlerts);
  });
});

describe('a commit that cannot be written to the disk', () => {
  it('restarts its task alone, and nothing is lost', async () => {
    const rig = await SensorRig.lifelike(12);
    rig.pipe(100);
    await rig.finish();
    rig.driver.disk.failApply(new Error('no space left on device'));
    rig.pipe(100);
    await rig.finish();
    expect(rig.driver.telemetry.of('task-failed')).toHaveLength(1);
    expect(rig.driver.overview().tasks.map(({ attempt }) => attempt).sort()).toEqual([0, 0, 0, 1]);
    rig.pipe(10);
    await rig.finish();
    rig.verify();
  });
});

describe('a topic that the job reads is deleted and created again', () => {
  it('refuses the recorded offsets, which belong to the other topic', async () => {
    const rig = await SensorRig.lifelike(13);
    rig.pipe(50);
    await rig.finish();
    await rig.driver.stop();
    rig.driver.cluster.deleteTopic('readings');
    rig.driver.cluster.createTopic('readings', 4);
    await expect(rig.driver.recover()).rejects.toThrow(/INPUT_TOPIC_REPLACED/);
  });
});

describe('what the fault plan strikes', () => {
  it('is reached: restores read the changelog through fetches that touch it', async () => {
    const rig = await SensorRig.lifelike(14);
    rig.pipe(50);
    await rig.finish();
    await rig.driver.crash();
    rig.driver.disk.wipe();
    const seen = rig.driver.cluster.faults.at('fetch:replied', { type: 'run', run: () => undefined }, { when: touches(CHANGELOG), times: 1_000 });
    await rig.driver.recover();
    expect(seen.hits).toBeGreaterThan(0);
  });
});
