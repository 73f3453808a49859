import { describe, expect, it } from '@jest/globals';
import { offset, type TopicPartition } from '@weir/core';
import { collectRecords, recordsOfChunk } from '../log-record.js';
import { ManualClock } from '../manual-clock.js';
import { InMemoryCluster } from './in-memory-cluster.js';
import type { MemoryReader } from './memory-reader.js';

const ZERO: TopicPartition = { topic: 'topic', partition: 0 };
const ONE: TopicPartition = { topic: 'topic', partition: 1 };

interface Rig {
  readonly clock: ManualClock;
  readonly cluster: InMemoryCluster;
  readonly reader: MemoryReader;
  readonly wakes: () => number;
}

function rig(bufferBytes = 1_000, options: { chunkRows?: readonly [number, number]; travelMs?: readonly [number, number] } = {}): Rig {
  const clock = new ManualClock();
  const cluster = new InMemoryCluster({ clock, ...options });
  cluster.createTopic('topic', 2);
  let wakes = 0;
  const reader = cluster.log({ clock, clientId: 'client' }).openReader({ wake: () => wakes++, bufferBytes }) as MemoryReader;
  return { clock, cluster, reader, wakes: () => wakes };
}

const fill = (cluster: InMemoryCluster, partition: number, count: number): void => {
  for (let i = 0; i < count; i++) cluster.produce('topic', partition, [{ value: `value ${i}` }]);
};

describe('the reader of the in-memory log', () => {
  it('fetches ahead no more than its buffer allows, and goes on as chunks are taken', async () => {
    const { clock, cluster, reader } = rig(100, { chunkRows: [1, 3] });
    fill(cluster, 0, 200);
    reader.assign(ZERO, offset(0));
    let taken = 0;
    for (let i = 0; i < 300; i++) {
      await clock.advance(1);
      // A fetch that has room for part of a record brings the whole one: 16 bytes, lengths included.
      expect(reader.bufferedBytes(ZERO)).toBeLessThan(100 + 16);
      taken += reader.take()?.records.count ?? 0;
    }
    expect(taken).toBe(200);
    expect(clock.pendingTimers).toBe(0);
  });

  it('hands out partitions in turn', async () => {
    const { clock, cluster, reader } = rig(1_000, { chunkRows: [5, 5] });
    for (const partition of [0, 1]) fill(cluster, partition, 20);
    reader.assign(ZERO, offset(0));
    reader.assign(ONE, offset(0));
    await clock.advance(1);
    expect(Array.from({ length: 6 }, () => reader.take()?.partition)).toEqual([0, 1, 0, 1, 0, 1]);
  });

  it('fetches nothing of a paused partition, and keeps what is buffered', async () => {
    const { clock, cluster, reader } = rig(1_000);
    fill(cluster, 0, 3);
    reader.assign(ZERO, offset(0));
    await clock.advance(1);
    reader.pause(ZERO);
    fill(cluster, 0, 3);
    const buffered = reader.bufferedBytes(ZERO);
    await clock.advance(10);
    expect(reader.bufferedBytes(ZERO)).toBe(buffered);
    expect(buffered).toBeGreaterThan(0);
    expect(reader.take()).toBeUndefined();
    reader.resume(ZERO);
    await clock.advance(1);
    expect(recordsOfChunk(reader.take()!)).toHaveLength(3);
    expect(recordsOfChunk(reader.take()!)).toHaveLength(3);
  });

  it('fetches nothing either when it is paused before its first fetch', async () => {
    const { clock, cluster, reader } = rig(1_000);
    fill(cluster, 0, 3);
    reader.assign(ZERO, offset(0));
    reader.pause(ZERO);
    await clock.advance(10);
    expect(reader.bufferedBytes(ZERO)).toBe(0);
    reader.resume(ZERO);
    await clock.advance(1);
    expect(reader.take()?.records.count).toBe(3);
  });

  it('wakes after resume for what is buffered, and not from within it', async () => {
    const { clock, cluster, reader, wakes } = rig(1_000);
    fill(cluster, 0, 3);
    reader.assign(ZERO, offset(0));
    await clock.advance(1);
    reader.pause(ZERO);
    const before = wakes();
    reader.resume(ZERO);
    expect(wakes()).toBe(before);
    await clock.advance(1);
    expect(wakes()).toBe(before + 1);
  });

  it('throws LOG_OFFSET_OUT_OF_RANGE when retention overtakes it, once, and reads other partitions on', async () => {
    const { clock, cluster, reader } = rig(1);
    for (const partition of [0, 1]) fill(cluster, partition, 10);
    reader.assign(ZERO, offset(0));
    await clock.advance(1);
    cluster.deleteRecordsBefore('topic', 0, 8);
    expect(reader.take()?.nextOffset).toBe(1);
    await clock.advance(1);
    expect(() => reader.take()).toThrow(expect.objectContaining({ kind: 'invalid', code: 'LOG_OFFSET_OUT_OF_RANGE' }));
    reader.assign(ONE, offset(9));
    await clock.advance(1);
    expect(reader.take()?.partition).toBe(1);
    reader.assign(ZERO, offset(8));
    const records = await collectRecords(reader, (all) => all.length === 2, () => clock.advance(1));
    expect(records.map((record) => record.offset)).toEqual([8, 9]);
  });

  it('forgets a failure with the assignment that it belongs to', async () => {
    const { clock, cluster, reader } = rig();
    fill(cluster, 0, 1);
    reader.assign(ZERO, offset(50));
    await clock.advance(1);
    reader.assign(ZERO, offset(0));
    await clock.advance(1);
    expect(reader.take()?.records.count).toBe(1);
  });

  it('asks for a restart when its topic was deleted and created again, for another topic may not be read on', async () => {
    const { clock, cluster, reader } = rig();
    fill(cluster, 0, 5);
    reader.assign(ZERO, offset(0));
    await clock.advance(1);
    expect(reader.take()?.nextOffset).toBe(5);
    cluster.deleteTopic('topic');
    cluster.createTopic('topic', 2);
    fill(cluster, 0, 9);
    await clock.advance(200);
    expect(() => reader.take()).toThrow(expect.objectContaining({ kind: 'restart-task', code: 'LOG_TOPIC_REPLACED' }));
  });

  it('waits half a minute for a topic that is not there, then says so', async () => {
    const { clock, cluster, reader } = rig();
    reader.assign({ topic: 'later', partition: 0 }, offset(0));
    await clock.advance(29_000);
    cluster.createTopic('later', 1);
    cluster.produce('later', 0, [{ value: 'a' }]);
    await clock.advance(200);
    expect(reader.take()?.records.count).toBe(1);
    reader.assign({ topic: 'never', partition: 0 }, offset(0));
    await clock.advance(31_000);
    expect(() => reader.take()).toThrow(expect.objectContaining({ kind: 'restart-task', code: 'LOG_PARTITION_MISSING' }));
  });

  it('misses nothing that is written while the answer to an empty fetch travels', async () => {
    const { clock, cluster, reader } = rig(1_000, { travelMs: [10, 10] });
    reader.assign(ZERO, offset(0));
    await clock.advance(15);
    fill(cluster, 0, 1);
    await clock.advance(40);
    expect(reader.take()?.records.count).toBe(1);
  });

  it('drops a chunk that arrives after its partition was assigned anew', async () => {
    const { clock, cluster, reader } = rig(1_000, { travelMs: [10, 10] });
    fill(cluster, 0, 5);
    reader.assign(ZERO, offset(0));
    await clock.advance(15);
    reader.assign(ZERO, offset(3));
    const records = await collectRecords(reader, (_all, chunk) => chunk?.nextOffset === 5, () => clock.advance(1));
    expect(records.map((record) => record.offset)).toEqual([3, 4]);
  });
});
