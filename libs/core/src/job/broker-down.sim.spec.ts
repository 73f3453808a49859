import { describe, expect, it } from '@jest/globals';
import { InMemoryCluster, JobTestDriver, LIFELIKE, ManualClock } from '@weir/testing';
import { WeirError } from '../errors/weir-error.js';
import { ALERTS, PARTITIONS, READINGS, sensorJob } from './sensor-rig.spec-d.js';

const DOWN = new WeirError('retry', 'LOG_UNREACHABLE', 'nobody answers');
const CALLS = ['describeTopic:send', 'ensureTopics:send', 'endPositions:send', 'openWriter:send', 'openAppender:send'] as const;

describe('trap 13: the broker is down at the first start, and there are more replicas than partitions', () => {
  it('waits, says so, is not ready, and comes up when the broker does', async () => {
    const clock = new ManualClock({ seed: 1 });
    const cluster = new InMemoryCluster({ ...LIFELIKE, clock, seed: 1 });
    const down = CALLS.map((point) => cluster.faults.at(point, { type: 'fail', error: DOWN }, { times: Infinity }));
    const options = { topics: { readings: PARTITIONS, alerts: PARTITIONS }, outputs: ['alerts'], clock, cluster, settings: { checkpointing: { interval: 100 }, group: { sessionTimeout: 1_000 } } };
    const replicas = Array.from({ length: PARTITIONS + 2 }, () => JobTestDriver.startWithoutWaiting(sensorJob, options));
    replicas[0]!.pipe(READINGS, 's1', { id: 's1', n: 1, t: 1 });
    replicas[0]!.pipe(READINGS, 's1', { id: 's1', n: 2, t: 20 });
    await clock.advance(60_000);
    for (const { job, telemetry } of replicas) {
      expect([job.isReady(), job.overview().status]).toEqual([false, 'INITIALIZING']);
      expect(job.overview().reason).toContain('waiting for the log: nobody answers');
      expect(telemetry.of('job-waiting')).toHaveLength(1); // said once, not with every attempt
    }
    for (const fault of down) fault.remove();
    await clock.waitUntil(() => replicas.every(({ job }) => job.isReady()) && replicas[0]!.readAll(ALERTS).length > 0, 120_000);
    expect(replicas[0]!.readAll(ALERTS).map(({ value }) => value!.n)).toEqual([2]);
    const running = replicas.map((replica) => replica.overview().tasks.filter(({ status }) => status === 'RUNNING').length);
    expect([...running].sort()).toEqual([0, 0, 1, 1, 1, 1]);
    for (const replica of replicas) await replica.crash();
  });
});
