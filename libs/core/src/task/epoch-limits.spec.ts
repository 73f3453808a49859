import { describe, expect, it } from '@jest/globals';
import { offset } from '../model/brands.js';
import type { LogChunk } from '../ports/log.js';
import { BroadcastLimits } from './broadcast-limits.js';
import { ChunkSlices, type ChunkSlice, EpochLimits } from './epoch-limits.js';
import { FakeReader } from './fake-log.spec-d.js';
import { RecordRetries } from './record-retries.js';
import { chunkOf, plansOf, type Row } from './task-rig.spec-d.js';
import { topic } from '../topology/topic.js';
import { utf8 } from '../codec/primitives.js';

const MIB = 1024 * 1024;
const rows = (count: number, value: string | Buffer, from = 0): Row[] => Array.from({ length: count }, (_, i) => ({ value, offset: from + i }));
const sliceOf = (count: number, value: string | Buffer): ChunkSlice => ({ chunk: chunkOf('in', 0, rows(count, value)), from: 0, to: count, next: offset(count) });
const limits = (): EpochLimits => new EpochLimits(100);

describe('an epoch', () => {
  it('is full once it holds 32 MiB of outputs, as many state changes as it may, or 64 MiB of input', () => {
    expect([limits().isFull(32 * MIB - 1, 99), limits().isFull(32 * MIB, 0), limits().isFull(0, 100)]).toEqual([false, true, true]);
    const reading = limits();
    const slice = sliceOf(1, Buffer.alloc(16 * MIB));
    for (let i = 0; i < 4; i++) {
      expect(reading.isFull(0, 0)).toBe(false);
      reading.processed(slice, 0, 0);
    }
    expect(reading.isFull(0, 0)).toBe(true);
    reading.frozen(1, 10);
    expect(reading.isFull(0, 0)).toBe(false);
  });

  it('is full once its state changes would take 64 MiB, if they are as large as those of the epochs before', () => {
    const after = limits();
    expect(after.isFull(0, 70)).toBe(false);
    after.frozen(3, 3 * MIB);
    expect([after.isFull(0, 63), after.isFull(0, 64)]).toEqual([false, true]);
    after.frozen(1_000, 1_000);
    expect([after.isFull(0, 64), after.isFull(0, 86)]).toEqual([false, true]);
    for (let i = 0; i < 20; i++) after.frozen(0, 0);
    expect(after.isFull(0, 99)).toBe(false);
  });
});

describe('a slice', () => {
  it('grows from one row to 4,096 while rows give little and take no time', () => {
    const cheap = limits();
    const seen: number[] = [];
    for (let i = 0; i < 14; i++) {
      seen.push(cheap.sliceRows);
      cheap.processed(sliceOf(1, 'v'), 10 * i, 0);
    }
    expect(seen).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 4_096]);
  });

  it('shrinks to what gives an eighth of the bound on outputs, and to one row at least', () => {
    const exploding = limits();
    for (let i = 0; i < 6; i++) exploding.processed(sliceOf(1, 'v'), 0, 0);
    exploding.processed(sliceOf(64, 'v'), 64 * MIB, 0);
    expect(exploding.sliceRows).toBe(4);
    exploding.processed(sliceOf(4, 'v'), 128 * MIB, 0);
    expect(exploding.sliceRows).toBe(1);
  });

  it('is short where the rows themselves are large', () => {
    const large = limits();
    for (let i = 0; i < 6; i++) large.processed(sliceOf(1, 'v'), 0, 0);
    large.processed(sliceOf(2, Buffer.alloc(MIB)), 0, 0);
    expect(large.sliceRows).toBe(4);
  });

  it('takes 25 milliseconds at most, as far as the rows before it can tell, and one row at least', () => {
    const slow = limits();
    for (let i = 0; i < 12; i++) slow.processed(sliceOf(64, 'v'), 0, 0.01);
    expect(slow.sliceRows).toBe(4_096);
    slow.processed(sliceOf(64, 'v'), 0, 160);
    expect(slow.sliceRows).toBe(10);
    slow.processed(sliceOf(1, 'v'), 0, 90);
    expect(slow.sliceRows).toBe(1);
  });

  it('of no rows changes nothing', () => {
    const before = limits();
    before.processed(sliceOf(0, 'v'), 0, 0);
    expect(before.sliceRows).toBe(1);
  });
});

describe('chunks', () => {
  const value = topic('in', { key: utf8, value: utf8 });
  const plan = plansOf((streams) => streams.source('in', value).sink('out', topic('out', { key: utf8, value: utf8 })), { partitions: 1 })[0]!;
  const retriedSlicesOf = (retries: RecordRetries, ...chunks: readonly LogChunk[]): ChunkSlices => {
    const reader = new FakeReader({ wake: () => undefined, bufferBytes: 1 });
    reader.feed(...chunks);
    return new ChunkSlices(reader, new BroadcastLimits(plan), () => reader.take(), retries);
  };
  const slicesOf = (...chunks: readonly LogChunk[]): ChunkSlices => retriedSlicesOf(new RecordRetries(), ...chunks);
  const shown = (slice: ChunkSlice | undefined): unknown => slice && [slice.from, slice.to, slice.next];

  it('are handed out in slices, each with the offset to go on at, which follows compaction', () => {
    const compacted = chunkOf('in', 0, [4, 7, 8, 20, 21].map((at) => ({ value: 'v', offset: at })));
    const slices = slicesOf({ ...compacted, nextOffset: offset(30) }, chunkOf('in', 0, rows(1, 'v', 30)));
    expect([slices.take(2), slices.take(2), slices.take(2), slices.take(2), slices.take(2)].map(shown)).toEqual([[0, 2, 8], [2, 4, 21], [4, 5, 30], [0, 1, 31], undefined]);
  });

  it('end before a record that is tried again, which is alone in its epoch (Q3)', () => {
    const retries = new RecordRetries();
    retries.next({ topic: 'in', partition: 0, offset: 2 }, 1);
    const slices = retriedSlicesOf(retries, chunkOf('in', 0, rows(4, 'v')));
    const take = (): unknown => [shown(slices.take(9)), slices.needsCommit];
    expect([take(), take(), take()]).toEqual([[[0, 2, 2], false], [undefined, true], [undefined, true]]);
    slices.frozen();
    expect(take()).toEqual([[2, 3, 3], true]);
    slices.frozen();
    retries.committed();
    expect(take()).toEqual([[3, 4, 4], false]);
  });

  it('without rows move the position all the same', () => {
    expect(shown(slicesOf({ ...chunkOf('in', 0, []), nextOffset: offset(9) }).take(2))).toEqual([0, 0, 9]);
  });
});
