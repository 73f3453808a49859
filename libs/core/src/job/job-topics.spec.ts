import { describe, expect, it } from '@jest/globals';
import { ManualClock, RecordingTelemetry } from '@weir/testing';
import { rejectionOf } from '../errors/thrown-by.spec-d.js';
import { WeirError } from '../errors/weir-error.js';
import { FakeLog } from '../task/fake-log.spec-d.js';
import { ensureChangelog, ensureOutput, ensureRepartition, type TopicsHost, untilReached, waitForInputs } from './job-topics.js';

const unreachable = (): WeirError => new WeirError('retry', 'UNREACHABLE', 'No broker answers.');

class Rig implements TopicsHost {
  readonly job = 'job';
  readonly clock = new ManualClock();
  readonly telemetry = new RecordingTelemetry();
  readonly log = new FakeLog();
  readonly waiting: (string | undefined)[] = [];
  readonly internalTopics = { maxMessageBytes: 100_000, replicationFactor: 3 };
  canceled = false;

  onWaiting(reason: string | undefined): void {
    this.waiting.push(reason);
  }
  isCanceled(): boolean {
    return this.canceled;
  }

  has(topic: string, partitions: number): this {
    this.log.topics.set(topic, { topic, topicId: `id-of-${topic}`, partitions, deleteRetentionMs: 1_000 });
    return this;
  }
}

describe('what needs the log', () => {
  it('is done at once where the log answers, and nobody waited', async () => {
    const rig = new Rig();
    expect(await untilReached(rig, () => Promise.resolve(5))).toBe(5);
    expect(rig.waiting).toStrictEqual([]);
  });

  it('is tried again every second until the log can be reached, and what is waited for is said', async () => {
    const rig = new Rig();
    let tries = 0;
    const done = untilReached(rig, () => (++tries < 4 ? Promise.reject(unreachable()) : Promise.resolve('reached')));
    await rig.clock.advance(2_999);
    expect(tries).toBe(3);
    await rig.clock.advance(1);
    expect(await done).toBe('reached');
    expect(rig.waiting).toStrictEqual([...Array.from({ length: 3 }, () => 'waiting for the log: No broker answers. [UNREACHABLE]'), undefined]);
  });

  it('fails at once with what waiting does not mend', async () => {
    const refused = new WeirError('invalid', 'REFUSED', 'No.');
    await expect(untilReached(new Rig(), () => Promise.reject(refused))).rejects.toBe(refused);
  });

  it('is not tried again once it was canceled', async () => {
    const rig = new Rig();
    let tries = 0;
    const done = untilReached(rig, () => (tries++, Promise.reject(unreachable())));
    await rig.clock.advance(0);
    rig.canceled = true;
    await rig.clock.advance(1_000);
    expect([await done, tries]).toEqual([undefined, 1]);
  });
});

describe('inputs', () => {
  it('are described, by name', async () => {
    const rig = new Rig().has('a', 3).has('b', 4);
    const found = await waitForInputs(rig.log, ['a', 'b'], rig);
    expect([...found!].map(([name, { partitions }]) => [name, partitions])).toEqual([
      ['a', 3],
      ['b', 4],
    ]);
    expect(rig.waiting).toStrictEqual([]);
  });

  it('that are missing are waited for and said to be, as long as they are', async () => {
    const rig = new Rig().has('a', 3);
    const done = waitForInputs(rig.log, ['a', 'b', 'c'], rig);
    await rig.clock.advance(2_500);
    const said = 'waiting for input topic "b", "c", which does not exist yet: create it, and the job goes on by itself';
    expect(rig.waiting).toStrictEqual([said, said, said]);
    rig.has('b', 1).has('c', 1);
    await rig.clock.advance(500);
    expect([(await done)!.size, rig.waiting.at(-1)]).toEqual([3, undefined]);
  });

  it('are waited for also while the log cannot be reached', async () => {
    const rig = new Rig();
    rig.log.failures.set('describeTopic', unreachable());
    const done = waitForInputs(rig.log, ['a'], rig);
    await rig.clock.advance(1_000);
    rig.has('a', 1);
    await rig.clock.advance(1_000);
    expect((await done)!.size).toBe(1);
    expect(rig.waiting.map((reason) => reason?.slice(0, 17))).toStrictEqual(['waiting for the l', undefined, 'waiting for input', undefined]);
  });

  it('are not waited for once it was canceled', async () => {
    const rig = new Rig();
    const done = waitForInputs(rig.log, ['a'], rig);
    await rig.clock.advance(0);
    rig.canceled = true;
    await rig.clock.advance(1_000);
    expect(await done).toBeUndefined();
  });
});

describe('an output', () => {
  it('is taken as it is where it exists', async () => {
    const rig = new Rig().has('out', 7);
    expect(await ensureOutput(rig.log, 'out', 3, rig)).toMatchObject({ partitions: 7 });
    expect([rig.log.created, rig.telemetry.events]).toEqual([[], []]);
  });

  it('is created with the partitions of the input where it is missing, and that is said', async () => {
    const rig = new Rig();
    expect(await ensureOutput(rig.log, 'out', 3, rig)).toMatchObject({ topic: 'out', partitions: 3 });
    expect(rig.log.created).toEqual([{ topic: 'out', partitions: 3, config: {} }]);
    expect(rig.telemetry.last('job-notice')!.message).toBe('Output topic "out" does not exist: creating it with 3 partitions, as the input has.');
  });
});

describe('a changelog', () => {
  it('is created compacted, one partition per task', async () => {
    const rig = new Rig();
    await ensureChangelog(rig.log, 'changelog', 4, rig);
    expect(rig.log.created).toEqual([{ topic: 'changelog', partitions: 4, replicationFactor: 3, config: { 'cleanup.policy': 'compact', 'max.message.bytes': '100000' } }]);
  });

  it('of another parallelism is refused, with the advice to keep the former', async () => {
    const rig = new Rig().has('changelog', 4);
    expect(await ensureChangelog(rig.log, 'changelog', 4, rig)).toMatchObject({ partitions: 4 });
    const thrown = await rejectionOf(ensureChangelog(rig.log, 'changelog', 8, rig));
    expect([thrown.code, thrown.kind]).toEqual(['PARALLELISM_CHANGED', 'invalid']);
    expect(thrown.message).toContain('written with parallelism 4, and the job now wants 8');
  });
});

describe('a repartition topic', () => {
  it('is created without retention, and refused with other partitions than the job has', async () => {
    const rig = new Rig();
    await ensureRepartition(rig.log, 'r', 4, rig);
    expect(rig.log.created).toMatchObject([{ topic: 'r', partitions: 4, replicationFactor: 3, config: { 'retention.ms': '-1', 'max.message.bytes': '100000' } }]);
    const thrown = await rejectionOf(ensureRepartition(rig.log, 'r', 8, rig));
    expect([thrown.code, thrown.kind]).toEqual(['INPUT_PARTITIONS_CHANGED', 'invalid']);
  });
});

describe('a topic that was just created', () => {
  it('is asked for until the log knows it', async () => {
    const rig = new Rig();
    const ensureTopics = rig.log.ensureTopics.bind(rig.log);
    rig.log.ensureTopics = async (topics) => {
      rig.clock.after(1_500, () => void ensureTopics(topics));
    };
    const done = ensureChangelog(rig.log, 'changelog', 4, rig);
    await rig.clock.advance(2_000);
    expect(await done).toMatchObject({ topic: 'changelog' });
  });
});
