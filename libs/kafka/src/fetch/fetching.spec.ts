import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { clockOf, offset, sleep, type Log, type LogReader } from '@weir/core';
import { kafkaLogOn } from '../kafka-log.js';
import { AT } from '../batch/batch-format.js';
import { batch } from '../spec/batches.js';
import { ScriptedCluster, type HeldFetch } from '../spec/scripted-cluster.js';
import { CODE } from '../wire/error-codes.js';

const clock = clockOf(globalThis);
const BUFFER_BYTES = 64 * 1024;

let cluster: ScriptedCluster;
let log: Log;
let reader: LogReader;
let wakes = 0;

beforeEach(() => {
  cluster = new ScriptedCluster();
  cluster.topics.set('t', [
    { node: 1, epoch: 3 },
    { node: 1, epoch: 3 },
  ]);
  log = kafkaLogOn(cluster, { brokers: ['broker:9092'], requestTimeoutMs: 1_000 }, clock);
  wakes = 0;
  reader = log.openReader({ wake: () => wakes++, bufferBytes: BUFFER_BYTES });
});
afterEach(() => log.close());

const at = (partition: number): { topic: string; partition: number } => ({ topic: 't', partition });
const tick = (): Promise<void> => sleep(clock, 1);
const values = (): string[] => {
  const found: string[] = [];
  for (let chunk = reader.take(); chunk !== undefined; chunk = reader.take()) {
    for (let i = 0; i < chunk.records.count; i++) found.push(chunk.records.value(i)!.toString());
  }
  return found;
};
/** Answers with one batch for partition 0, from where it was asked for. */
const give = (fetch: HeldFetch, ...texts: string[]): void =>
  fetch.answer(({ partition, position }) =>
    partition === 0 ? { records: batch({ base: position, values: texts }), lastStable: position + texts.length } : {},
  );

describe('a leader that moves', () => {
  it.each([
    'NOT_LEADER_OR_FOLLOWER',
    'FENCED_LEADER_EPOCH',
    'UNKNOWN_LEADER_EPOCH',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'KAFKA_STORAGE_ERROR',
  ] as const)('is found again after %s, and reading goes on where it was', async (name) => {
    reader.assign(at(0), offset(0));
    const first = await cluster.fetch();
    expect(first.partitions[0]).toMatchObject({ position: 0, leaderEpoch: 3 });
    give(first, 'a', 'b');
    const second = await cluster.fetch();
    cluster.topics.set('t', [
      { node: 2, epoch: 4 },
      { node: 2, epoch: 4 },
    ]);
    second.answer(() => ({ error: CODE[name] }));
    const third = await cluster.fetch();
    expect(third.node).toBe(2);
    expect(third.partitions[0]).toMatchObject({ position: 2, leaderEpoch: 4 });
    give(third, 'c');
    await tick();
    expect(values()).toEqual(['a', 'b', 'c']);
  });

  it.each(['unreachable', 'reply lost'] as const)('is found again when its broker is gone: %s', async (kind) => {
    reader.assign(at(0), offset(5));
    const first = await cluster.fetch();
    cluster.topics.set('t', [{ node: 2, epoch: 4 }]);
    first.fail(kind);
    const second = await cluster.fetch();
    expect(second.node).toBe(2);
    expect(second.partitions[0]!.position).toBe(5);
  });

  it('is not taken back because a broker that is behind says so', async () => {
    cluster.topics.set('t', [{ node: 2, epoch: 9 }]);
    reader.assign(at(0), offset(0));
    const first = await cluster.fetch();
    expect(first.node).toBe(2);
    cluster.topics.set('t', [{ node: 1, epoch: 8 }]);
    first.answer(() => ({ error: CODE.UNKNOWN_LEADER_EPOCH }));
    await sleep(clock, 100);
    expect(cluster.unseen).toBe(0);
    expect(cluster.metadataAsked).toBeGreaterThan(2);
    cluster.topics.set('t', [{ node: 2, epoch: 10 }]);
    expect((await cluster.fetch()).node).toBe(2);
  });
});

describe('a topic that does not exist', () => {
  it('is waited for, and read once it is there', async () => {
    reader.assign({ topic: 'later', partition: 0 }, offset(0));
    await sleep(clock, 50);
    expect(cluster.unseen).toBe(0);
    expect(reader.take()).toBeUndefined();
    cluster.topics.set('later', [{ node: 1, epoch: 0 }]);
    const fetch = await cluster.fetch();
    expect(fetch.partitions[0]!.topic).toBe('later');
  });

  it('is not asked for any more once it is unassigned', async () => {
    reader.assign({ topic: 'later', partition: 0 }, offset(0));
    await sleep(clock, 30);
    reader.unassign({ topic: 'later', partition: 0 });
    await sleep(clock, 30);
    const before = cluster.metadataAsked;
    await sleep(clock, 100);
    expect(cluster.metadataAsked).toBe(before);
  });
});

describe('the buffer', () => {
  it('stops fetching of a partition when it is full, and goes on once there is room again', async () => {
    reader.assign(at(0), offset(0));
    const full = 'x'.repeat(BUFFER_BYTES * 0.4);
    give(await cluster.fetch(), full);
    give(await cluster.fetch(), full);
    await sleep(clock, 20);
    expect(cluster.unseen).toBe(0);
    expect(values()).toHaveLength(2);
    expect((await cluster.fetch()).partitions[0]!.position).toBe(2);
  });

  it('asks for half of itself at a time, so that one half is fetched while the other is computed on', async () => {
    reader.assign(at(0), offset(0));
    expect((await cluster.fetch()).partitions[0]!.maxBytes).toBe(BUFFER_BYTES / 2);
  });

  it('has the next fetch under way before what came is taken', async () => {
    reader.assign(at(0), offset(0));
    give(await cluster.fetch(), 'a');
    const next = await cluster.fetch();
    expect(next.partitions[0]!.position).toBe(1);
    expect(values()).toEqual(['a']);
  });

  it('keeps what it has while its partition is paused, hands out none of it, and fetches nothing', async () => {
    reader.assign(at(0), offset(0));
    const first = await cluster.fetch();
    reader.pause(at(0));
    give(first, 'a');
    await sleep(clock, 20);
    expect(cluster.unseen).toBe(0);
    expect(reader.take()).toBeUndefined();
    const before = wakes;
    reader.resume(at(0));
    expect(wakes).toBe(before);
    await tick();
    expect(wakes).toBeGreaterThan(before);
    expect(values()).toEqual(['a']);
    expect((await cluster.fetch()).partitions[0]!.position).toBe(1);
  });

  it('drops an answer that comes after its partition was assigned elsewhere', async () => {
    reader.assign(at(0), offset(0));
    const stale = await cluster.fetch();
    reader.assign(at(0), offset(10));
    const fresh = await cluster.fetch();
    expect(fresh.partitions[0]!.position).toBe(10);
    give(stale, 'stale');
    give(fresh, 'fresh');
    await tick();
    expect(values()).toEqual(['fresh']);
  });
});

describe('a request that waits at the broker', () => {
  it('does not hold up a partition that is assigned meanwhile', async () => {
    reader.assign(at(0), offset(0));
    const long = await cluster.fetch();
    expect(long.maxWaitMs).toBe(250);
    reader.assign(at(1), offset(0));
    const short = await cluster.fetch();
    expect(short.partitions.map(({ partition }) => partition)).toEqual([1]);
    expect(short.role).not.toBe(long.role);
    expect(short.maxWaitMs).toBeLessThan(long.maxWaitMs);
  });

  it('has all partitions in it again once nothing comes', async () => {
    reader.assign(at(0), offset(0));
    const long = await cluster.fetch();
    reader.assign(at(1), offset(0));
    const short = await cluster.fetch();
    long.answer(() => ({}));
    await sleep(clock, 10);
    expect(cluster.unseen).toBe(0);
    short.answer(() => ({}));
    const joined = await cluster.fetch();
    expect(joined.partitions.map(({ partition }) => partition).sort()).toEqual([0, 1]);
    expect(joined.maxWaitMs).toBe(250);
  });

  it('serves two readers at the same position, and has a partition once', async () => {
    const other = log.openReader({ wake: () => undefined, bufferBytes: BUFFER_BYTES });
    reader.assign(at(0), offset(0));
    other.assign(at(0), offset(0));
    const fetch = await cluster.fetch();
    expect(fetch.partitions).toHaveLength(1);
    give(fetch, 'a');
    await tick();
    expect(values()).toEqual(['a']);
    expect(other.take()?.records.value(0)?.toString()).toBe('a');
  });
});

describe('a batch that does not fit into the answer', () => {
  const large = (): Buffer => batch({ base: 0, values: ['x'.repeat(500)] });

  it('leads the next request, where the broker sends it whatever its size', async () => {
    reader.assign(at(0), offset(0));
    reader.assign(at(1), offset(0));
    const first = await cluster.fetch();
    const [leading, cut] = first.partitions.map(({ partition }) => partition);
    first.answer(({ partition }) => (partition === cut ? { records: large().subarray(0, 100), lastStable: 1 } : {}));
    const second = await cluster.fetch();
    expect(second.partitions.map(({ partition }) => partition)).toEqual([cut, leading]);
    second.answer(({ partition }) => (partition === cut ? { records: large(), lastStable: 1 } : {}));
    await tick();
    expect(values()).toEqual(['x'.repeat(500)]);
  });

  it('is damage when it is cut although it led', async () => {
    reader.assign(at(0), offset(0));
    (await cluster.fetch()).answer(() => ({ records: large().subarray(0, 100), lastStable: 1 }));
    await tick();
    expect(() => reader.take()).toThrow(expect.objectContaining({ kind: 'data', code: 'KAFKA_BATCH_DAMAGED' }));
  });
});

describe('trap 1: the end of what can be read', () => {
  it('is reached although compaction has removed everything up to it', async () => {
    reader.assign(at(0), offset(4));
    for (let answers = 0; answers < 6; answers++) (await cluster.fetch()).answer(() => ({ lastStable: 9 + answers }));
    while (wakes === 0) await tick();
    const chunk = reader.take();
    expect(chunk).toMatchObject({ nextOffset: 9 }); // the least end that was named: what came later may have records
    expect(chunk!.records.count).toBe(0);
    expect((await cluster.fetch()).partitions[0]!.position).toBe(9);
  });

  it('is not jumped to where a broker has sent nothing by mistake: it is asked again, and what comes then is read', async () => {
    reader.assign(at(0), offset(4));
    for (let answers = 0; answers < 5; answers++) (await cluster.fetch()).answer(() => ({ lastStable: 6 }));
    const next = await cluster.fetch();
    expect(next.partitions[0]!.position).toBe(4);
    give(next, 'a', 'b');
    await tick();
    expect(values()).toEqual(['a', 'b']);
    // Nothing is kept of the former doubt.
    for (let answers = 0; answers < 5; answers++) (await cluster.fetch()).answer(() => ({ lastStable: 9 }));
    expect((await cluster.fetch()).partitions[0]!.position).toBe(6);
    expect(reader.take()).toBeUndefined();
  });

  it('is not jumped to where an answer was merely full: the partition leads the next request first', async () => {
    reader.assign(at(0), offset(4));
    reader.assign(at(1), offset(4));
    const first = await cluster.fetch();
    const left = first.partitions[1]!.partition;
    first.answer(({ partition }) => (partition === left ? { lastStable: 9 } : {}));
    const second = await cluster.fetch();
    expect(second.partitions[0]).toMatchObject({ partition: left, position: 4 });
    expect(reader.take()).toBeUndefined();
  });

  it('is not jumped to over records that lie in tiered storage, which the broker could not get at', async () => {
    cluster.starts.local = 100;
    reader.assign(at(0), offset(4));
    for (let answers = 0; answers < 8; answers++) (await cluster.fetch()).answer(() => ({ lastStable: 9 }));
    const next = await cluster.fetch();
    expect(next.partitions[0]!.position).toBe(4);
    expect(reader.take()).toBeUndefined();
  });
});

describe('a position outside the log', () => {
  it('is an error that names topic, partition, offset, start and end, until the partition is assigned anew', async () => {
    cluster.starts = { earliest: 200, local: 200, latest: 900 };
    reader.assign(at(1), offset(10));
    (await cluster.fetch()).answer(() => ({ error: CODE.OFFSET_OUT_OF_RANGE }));
    while (wakes === 0) await tick();
    const error = expect.objectContaining({
      kind: 'invalid',
      code: 'LOG_OFFSET_OUT_OF_RANGE',
      context: { topic: 't', partition: 1, offset: 10, start: 200, end: 900 },
    });
    expect(() => reader.take()).toThrow(error);
    expect(() => reader.take()).toThrow(error);
    reader.assign(at(1), offset(200));
    expect(reader.take()).toBeUndefined();
  });

  it('is no error when a new leader says so wrongly', async () => {
    cluster.starts = { earliest: 0, local: 0, latest: 900 };
    reader.assign(at(0), offset(10));
    (await cluster.fetch()).answer(() => ({ error: CODE.OFFSET_OUT_OF_RANGE }));
    give(await cluster.fetch(), 'a');
    await tick();
    expect(values()).toEqual(['a']);
  });
});

describe('a log that lost what was read of it', () => {
  it('is told of the epoch of the batch before each position, and where it parts from that is the end of the log', async () => {
    reader.assign(at(0), offset(5));
    const first = await cluster.fetch();
    expect(first.partitions[0]).toMatchObject({ position: 5, lastEpoch: -1 });
    const records = batch({ base: 5, values: ['a', 'b'] });
    records.writeInt32BE(3, AT.leaderEpoch);
    first.answer(() => ({ records, lastStable: 7 }));
    const second = await cluster.fetch();
    expect(second.partitions[0]).toMatchObject({ position: 7, lastEpoch: 3 });
    second.answer(() => ({ divergesAt: 6 }));
    await tick();
    expect(reader.take()!.records.count).toBe(2);
    expect(() => reader.take()).toThrow(
      expect.objectContaining({ code: 'LOG_OFFSET_OUT_OF_RANGE', context: { topic: 't', partition: 0, offset: 7, start: 0, end: 6 } }),
    );
  });

  it('is read on where it parts from what was read behind the position, as Kafka does', async () => {
    reader.assign(at(0), offset(5));
    give(await cluster.fetch(), 'a');
    (await cluster.fetch()).answer(() => ({ divergesAt: 9 }));
    const third = await cluster.fetch();
    expect(third.partitions[0]).toMatchObject({ position: 6, lastEpoch: -1 });
    give(third, 'b');
    await tick();
    expect(values()).toEqual(['a', 'b']);
  });
});

describe('a topic that is deleted and created again', () => {
  it('is not read on, however its offsets fit', async () => {
    reader.assign(at(0), offset(0));
    give(await cluster.fetch(), 'a');
    const second = await cluster.fetch();
    cluster.recreated.set('t', 1);
    second.answer(() => ({ error: CODE.UNKNOWN_TOPIC_ID }));
    await expect(
      (async () => {
        for (;;) {
          reader.take();
          await tick();
        }
      })(),
    ).rejects.toMatchObject({ kind: 'restart-task', code: 'LOG_TOPIC_REPLACED' });
    expect(cluster.unseen).toBe(0);
  });
});

describe('a partition that is assigned anew', () => {
  it('stays paused', async () => {
    reader.assign(at(0), offset(0));
    give(await cluster.fetch(), 'a');
    reader.pause(at(0));
    reader.assign(at(0), offset(0));
    await sleep(clock, 20);
    expect(reader.take()).toBeUndefined();
    reader.resume(at(0));
    give(await cluster.fetch(), 'b');
    await tick();
    expect(values()).toEqual(['b']);
  });
});

describe('damage in one partition', () => {
  it('is a data error at take, behind the batches before it, and nothing behind it is fetched', async () => {
    const bad = batch({ base: 1, values: ['bad'] });
    bad[70]! ^= 1;
    reader.assign(at(0), offset(0));
    (await cluster.fetch()).answer(() => ({ records: Buffer.concat([batch({ base: 0, values: ['good'] }), bad]), lastStable: 2 }));
    await tick();
    expect(reader.take()!.records.value(0)!.toString()).toBe('good');
    for (let i = 0; i < 2; i++) {
      expect(() => reader.take()).toThrow(
        expect.objectContaining({ kind: 'data', context: expect.objectContaining({ partition: 0, offset: 1 }) }),
      );
    }
  });

  it('that makes no sense from its head on stops the fetching of the partition', async () => {
    const bad = batch({ base: 0, values: ['bad'] });
    bad.writeInt32BE(-5, 8);
    reader.assign(at(0), offset(0));
    (await cluster.fetch()).answer(() => ({ records: bad, lastStable: 2 }));
    await sleep(clock, 20);
    expect(cluster.unseen).toBe(0);
    expect(() => reader.take()).toThrow(expect.objectContaining({ kind: 'data' }));
  });

  it('is not what an answer has that leaves the partition out, as a broker that throttles does', async () => {
    reader.assign(at(0), offset(0));
    const fetch = await cluster.fetch();
    fetch.answer(() => undefined);
    const next = await cluster.fetch();
    expect(next.partitions[0]!.position).toBe(0);
  });
});

describe('aborted transactions', () => {
  it('are dropped by the list of their own answer', async () => {
    reader.assign(at(0), offset(0));
    const records = Buffer.concat([
      batch({ base: 0, values: ['dropped'], producerId: 1 }),
      batch({ base: 1, values: ['kept'], producerId: 2 }),
    ]);
    (await cluster.fetch()).answer(() => ({ records, lastStable: 2, aborted: [{ producerId: 1, firstOffset: 0 }] }));
    await tick();
    expect(values()).toEqual(['kept']);
  });
});
