import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { encodeEpochRecord, type EpochRecord, withSnapshot } from '../checkpoint/epoch-record.js';
import type { RestorePlan } from '../checkpoint/restore-plan.js';
import { rejectionOf } from '../errors/thrown-by.spec-d.js';
import { WeirError } from '../errors/weir-error.js';
import { checkpointId, incarnation, offset, taskIndex } from '../model/brands.js';
import type { LogChunk } from '../ports/log.js';
import { encodeCatalogue, type StateCatalogue } from '../state/state-catalogue.js';
import { EPOCH_RECORD_KEY, STATE_CATALOGUE_KEY } from '../state/stored-key.js';
import { FakeBackend } from '../state/fake-store.spec-d.js';
import { FakeLog } from './fake-log.spec-d.js';
import { restore, type Restored, type RestoreProgress } from './restore.js';
import { Signal } from '../model/signal.js';
import { chunkOf, type Row } from './task-rig.spec-d.js';

const WALL = 1_700_000_000_000;
const RETENTION_MS = 86_400_000;
const RECORD: EpochRecord = { version: 1, incarnation: incarnation(0), barrier: checkpointId(4), sequence: 0, inputs: [] };
const CATALOGUE: StateCatalogue = { version: 1, job: 'job', parallelism: 1, maxParallelism: 128, inputs: {}, operators: {} };
const EPOCH_ROW: Row = { key: EPOCH_RECORD_KEY, value: encodeEpochRecord(RECORD) };

class Rig {
  readonly clock = new ManualClock({ wall: WALL });
  readonly log = new FakeLog();
  readonly backend = new FakeBackend();
  readonly signal = new Signal();
  readonly plans: RestorePlan[] = [];
  readonly progress: RestoreProgress[] = [];
  canceled = false;

  /** A changelog from `start` to `end`, all of it decided. */
  constructor(start: number, end: number) {
    this.log.setEnds('changelog', 1, start, end);
  }

  /** As if the store had been used up to `position`. */
  storeAt(position: number, ageMs = 1_000): this {
    this.backend.store.position = { offset: offset(position), topicId: 'id', leaderEpoch: 3, writtenAt: WALL - ageMs };
    return this;
  }

  /** Chunks that the changelog's reader hands out, once there is one. */
  run(chunks: readonly (LogChunk | Error)[] = [], distrust?: string): Promise<Restored | undefined> {
    const openReader = this.log.openReader.bind(this.log);
    this.log.openReader = (options) => {
      const reader = openReader(options);
      reader.feed(...chunks);
      return reader;
    };
    return restore({
      log: this.log,
      backend: this.backend,
      clock: this.clock,
      scope: { applicationId: 'app', incarnation: incarnation(0), subTopology: 0, task: taskIndex(1) },
      distrust,
      changelog: { topic: 'changelog', topicId: 'id', partition: 1, deleteRetentionMs: RETENTION_MS },
      stableTimeoutMs: 1_000,
      onPlan: (plan) => void this.plans.push(plan),
      onProgress: (progress) => void this.progress.push(progress),
      signal: this.signal,
      isCanceled: () => this.canceled,
    });
  }

  get assigned(): unknown {
    return this.log.readers.map((reader) => reader.assigned.map((each) => each.offset));
  }
}

/** Rows from an offset on, in a chunk that ends at `next`: offsets may be missing behind them, as markers and compacted rows are. */
const chunk = (from: number, rows: readonly Row[], next = from + rows.length): LogChunk => ({
  ...chunkOf('changelog', 1, rows.map((row, i) => ({ ...row, offset: from + i }))),
  nextOffset: offset(next),
});
const row = (key: string, value: string | null = 'v'): Row => ({ key, value });

describe('a restore', () => {
  it('builds an empty store from the start of the changelog, and reads where the task stands', async () => {
    const rig = new Rig(10, 14);
    const catalogueRow = { key: STATE_CATALOGUE_KEY, value: encodeCatalogue(CATALOGUE) };
    const restored = await rig.run([chunk(10, [row('a'), catalogueRow, EPOCH_ROW], 14)]);
    expect([restored!.record, restored!.catalogue]).toEqual([RECORD, CATALOGUE]);
    expect([rig.assigned, rig.plans]).toEqual([[[10]], [{ type: 'rebuild', from: 10, reason: undefined }]]);
    expect(restored!.store.position).toEqual({ offset: 14, topicId: 'id', leaderEpoch: 4, writtenAt: WALL });
  });

  it('reads only the tail behind a store that can be used', async () => {
    const rig = new Rig(0, 100).storeAt(97);
    rig.backend.store.applyNow(chunk(0, [row('old'), EPOCH_ROW]).records);
    const restored = await rig.run([chunk(97, [row('new'), EPOCH_ROW], 100)]);
    expect([rig.assigned, rig.plans]).toEqual([[[97]], [{ type: 'from-position', from: 97 }]]);
    expect([restored!.store.get(Buffer.from('old')), restored!.store.get(Buffer.from('new'))]).toEqual([Buffer.from('v'), Buffer.from('v')]);
    expect(rig.backend.acts).toEqual(['open']);
  });

  it('reads nothing where the store is at the end', async () => {
    const rig = new Rig(0, 100).storeAt(100);
    rig.backend.store.applyNow(chunk(0, [EPOCH_ROW]).records);
    expect((await rig.run())!.record).toEqual(RECORD);
    expect([rig.assigned, rig.progress]).toEqual([[[]], [{ records: 0, offsets: 0, remaining: 0 }]]);
  });

  it('of a task that never ran gives nothing, and writes nothing', async () => {
    const rig = new Rig(0, 0);
    const restored = await rig.run();
    expect([restored!.record, restored!.catalogue, restored!.store.position]).toEqual([undefined, undefined, undefined]);
  });

  it('follows what was read, not the last record: it ends in markers, aborted batches and compacted rows (trap 1)', async () => {
    const rig = new Rig(0, 50);
    const restored = await rig.run([chunk(0, [row('a'), EPOCH_ROW], 20), chunk(20, [], 35), chunk(35, [row('b')], 40), chunk(40, [], 50)]);
    expect([restored!.store.position!.offset, restored!.store.get(Buffer.from('b'))]).toEqual([50, Buffer.from('v')]);
  });

  it('of an emptied changelog says in the store that it was seen', async () => {
    const rig = new Rig(50, 50);
    const restored = await rig.run();
    expect(restored!.store.position).toMatchObject({ offset: 50, leaderEpoch: 4 });
  });

  it('applies each chunk with its position, and says how it gets on until nothing remains', async () => {
    const rig = new Rig(0, 100);
    await rig.run([chunk(0, [row('a'), row('b')], 40), chunk(40, [EPOCH_ROW], 100)]);
    expect(rig.backend.store.applied.map(({ rows, position }) => [rows, position.offset])).toEqual([
      [2, 40],
      [1, 100],
    ]);
    expect(rig.progress).toEqual([
      { records: 2, offsets: 40, remaining: 60 },
      { records: 3, offsets: 100, remaining: 0 },
      { records: 3, offsets: 100, remaining: 0 },
    ]);
  });

  it('waits for the log where nothing is fetched yet', async () => {
    const rig = new Rig(0, 2);
    const running = rig.run();
    await rig.clock.advance(0);
    rig.log.readers[0]!.feed(chunk(0, [row('a')], 1));
    await rig.clock.advance(0);
    rig.log.readers[0]!.feed(chunk(1, [EPOCH_ROW], 2));
    expect((await running)!.record).toEqual(RECORD);
    expect(rig.log.readers[0]!.closed).toBe(true);
  });
});

describe('before it reads', () => {
  it('waits until the last stable offset is the high watermark (I3)', async () => {
    const rig = new Rig(0, 2);
    rig.log.setEnds('changelog', 1, 0, 1, 2);
    const running = rig.run([chunk(0, [row('a'), EPOCH_ROW])]);
    await rig.clock.advance(500);
    expect([rig.backend.acts, rig.log.endPositionCalls > 10]).toEqual([[], true]);
    rig.log.setEnds('changelog', 1, 0, 2);
    await rig.clock.advance(20);
    expect((await running)!.record).toEqual(RECORD);
  });

  it('gives up waiting after its time, and names the offset that holds it back', async () => {
    const rig = new Rig(0, 2);
    rig.log.setEnds('changelog', 1, 0, 1, 2);
    const failed = rejectionOf(rig.run());
    await rig.clock.advance(1_000);
    const thrown = await failed;
    expect([thrown.code, thrown.kind]).toEqual(['CHANGELOG_BLOCKED', 'restart-task']);
    expect(thrown.message).toContain('An open transaction holds changelog-1 back at offset 1 of 2 after 1000 ms.');
  });

  it('ends at once where it is canceled while it waits', async () => {
    const rig = new Rig(0, 2);
    rig.log.setEnds('changelog', 1, 0, 1, 2);
    const running = rig.run();
    rig.canceled = true;
    await rig.clock.advance(20);
    expect([await running, rig.backend.acts]).toEqual([undefined, []]);
  });
});

describe('a store that cannot be used', () => {
  it('is closed, destroyed and built anew, and why is told', async () => {
    const rig = new Rig(10, 14).storeAt(99);
    const before = rig.backend.store;
    const restored = await rig.run([chunk(10, [EPOCH_ROW], 14)]);
    expect([rig.backend.acts, before.closed, rig.assigned]).toEqual([['open', 'destroy', 'open'], true, [[10]]]);
    expect(rig.plans).toEqual([{ type: 'rebuild', from: 10, reason: "its position 99 is beyond the changelog's end 14" }]);
    expect(restored!.store).not.toBe(before);
  });

  it('because its files are damaged is destroyed unopened', async () => {
    const rig = new Rig(0, 1).storeAt(1);
    const damaged = new WeirError('rebuild-state', 'STATE_DAMAGED', 'A file is cut.');
    rig.backend.openFailures.push(damaged);
    await rig.run([chunk(0, [EPOCH_ROW])]);
    expect(rig.backend.acts).toEqual(['open', 'destroy', 'open']);
    expect(rig.plans).toEqual([{ type: 'rebuild', from: 0, reason: damaged.message }]);
  });

  it('because the attempt before found it damaged is destroyed before it is opened', async () => {
    const rig = new Rig(0, 1).storeAt(1);
    await rig.run([chunk(0, [EPOCH_ROW])], 'a read failed');
    expect(rig.backend.acts).toEqual(['destroy', 'open']);
    expect(rig.plans).toEqual([{ type: 'rebuild', from: 0, reason: 'a read failed' }]);
  });

  it('because another process has it is left alone', async () => {
    const rig = new Rig(0, 1);
    const locked = new WeirError('retry', 'STATE_LOCKED', 'Another process has it.');
    rig.backend.openFailures.push(locked);
    await expect(rig.run()).rejects.toBe(locked);
    expect(rig.backend.acts).toEqual(['open']);
  });
});

describe('trap 8: deleted keys do not come back', () => {
  it('a store older than its changelog keeps tombstones is rebuilt', async () => {
    const rig = new Rig(0, 100).storeAt(50, RETENTION_MS + 1);
    await rig.run([chunk(0, [EPOCH_ROW], 100)]);
    expect(rig.plans[0]).toMatchObject({ type: 'rebuild', reason: expect.stringContaining('deleted keys might come back') as unknown });
  });

  it('a restore that is cut short leaves a store as old as what it was built on, for tombstones that it did not reach may be so old', async () => {
    const rig = new Rig(0, 100).storeAt(50, RETENTION_MS - 1_000);
    const running = rig.run([chunk(50, [row('a')], 60), new Error('cut short')]);
    await expect(running).rejects.toThrow('cut short');
    expect(rig.backend.store.position).toMatchObject({ offset: 60, writtenAt: WALL - RETENTION_MS + 1_000 });
    const later = new Rig(0, 100);
    later.backend.store = rig.backend.store;
    await later.clock.advance(2_000);
    await later.run([chunk(0, [EPOCH_ROW], 100)]);
    expect(later.plans[0]).toMatchObject({ type: 'rebuild' });
  });

  it('a rebuild that is cut short is as old as its beginning', async () => {
    const rig = new Rig(0, 100);
    const running = rig.run([chunk(0, [row('a')], 30)]);
    await rig.clock.advance(5_000);
    rig.log.readers[0]!.feed(chunk(30, [row('b')], 60), new Error('cut short'));
    await expect(running).rejects.toThrow('cut short');
    expect(rig.backend.store.position).toMatchObject({ offset: 60, writtenAt: WALL });
  });

  it('a store is young again once it has reached the end', async () => {
    const rig = new Rig(0, 100).storeAt(50, 1_000_000);
    await rig.run([chunk(50, [EPOCH_ROW], 100)]);
    expect(rig.backend.store.position!.writtenAt).toBe(WALL);
  });
});

describe('a restore that does not end well', () => {
  it('closes store and reader when the log fails, and throws what it threw', async () => {
    const rig = new Rig(0, 100);
    const failure = new WeirError('data', 'DAMAGED', 'A batch is damaged.');
    await expect(rig.run([chunk(0, [row('a')], 40), failure])).rejects.toBe(failure);
    expect([rig.backend.store.closed, rig.log.readers[0]!.closed, rig.backend.store.position!.offset]).toEqual([true, true, 40]);
  });

  it('closes the store when the log cannot say what it must know of it, so that the next attempt can open it', async () => {
    const rig = new Rig(0, 100).storeAt(50);
    const failure = new WeirError('retry', 'UNREACHABLE', 'No broker answers.');
    rig.log.failures.set('epochEnd', failure);
    await expect(rig.run()).rejects.toBe(failure);
    expect(rig.backend.store.closed).toBe(true);
  });

  it('closes both when it is canceled between two chunks, and keeps what it has read', async () => {
    const rig = new Rig(0, 100);
    const running = rig.run([chunk(0, [row('a')], 40)]);
    await rig.clock.advance(0);
    rig.canceled = true;
    rig.signal.raise();
    expect(await running).toBeUndefined();
    expect([rig.backend.store.closed, rig.log.readers[0]!.closed, rig.backend.store.position!.offset]).toEqual([true, true, 40]);
  });

  it('goes on where one that was cut short had come to', async () => {
    const rig = new Rig(0, 100);
    await expect(rig.run([chunk(0, [row('a')], 40), new Error('cut short')])).rejects.toThrow('cut short');
    const next = new Rig(0, 100);
    next.backend.store = rig.backend.store;
    await next.run([chunk(40, [EPOCH_ROW], 100)]);
    expect([next.assigned, next.backend.store.get(Buffer.from('a'))]).toEqual([[[40]], Buffer.from('v')]);
  });
});

describe('what the store says of the task', () => {
  it('is refused where it has state and no epoch record: never a reset', async () => {
    const rig = new Rig(3, 5);
    const thrown = await rejectionOf(rig.run([chunk(3, [row('a'), row('b')])]));
    expect([thrown.code, thrown.kind]).toEqual(['STATE_WITHOUT_OFFSETS', 'invalid']);
    expect(thrown.message).toContain('Changelog changelog-1 has state (2 records) and no epoch record');
    expect(rig.backend.store.closed).toBe(true);
  });

  it('lets go of the scan with which it looked for state', async () => {
    const rig = new Rig(3, 5);
    let ended = false;
    rig.backend.store.scan = function* () {
      try {
        yield { key: Buffer.from('a'), value: Buffer.from('v') };
      } finally {
        ended = true;
      }
    };
    await rejectionOf(rig.run([chunk(3, [row('a'), row('b')])]));
    expect(ended).toBe(true);
  });

  it.each([
    ['an epoch record', EPOCH_RECORD_KEY, 'EPOCH_RECORD_UNREADABLE'],
    ['a catalogue', STATE_CATALOGUE_KEY, 'STATE_INCOMPATIBLE'],
  ])('is refused where %s is damaged', async (_, key, code) => {
    const rig = new Rig(0, 2);
    const thrown = await rejectionOf(rig.run([chunk(0, [EPOCH_ROW, { key, value: 'null' }])]));
    expect(thrown.code).toBe(code);
    expect(thrown.message).toContain('changelog-1');
    expect(rig.backend.store.closed).toBe(true);
  });
});

describe('a store that keeps snapshots', () => {
  const REFERRING = withSnapshot(RECORD, { backend: 'filesystem', files: ['f'], kept: [], rows: 3 });
  const referringRow: Row = { key: EPOCH_RECORD_KEY, value: encodeEpochRecord(REFERRING) };

  const snapshotRig = (...rows: readonly Row[]): Rig => {
    const rig = new Rig(0, rows.length);
    rig.backend.kind = 'filesystem';
    rig.backend.store.keepSnapshots().rows = chunk(0, [row('a'), row('b', 'loaded')]).records;
    return rig;
  };

  it('is loaded with the snapshot that the epoch record names', async () => {
    const rig = snapshotRig(referringRow);
    const restored = await rig.run([chunk(0, [referringRow])]);
    expect([restored!.record, restored!.store.get(Buffer.from('b'))]).toEqual([REFERRING, Buffer.from('loaded')]);
    expect(rig.progress.at(-1)).toEqual({ records: 2, offsets: 2, remaining: 1 });
  });

  it('loads nothing for a task that never committed', async () => {
    const rig = snapshotRig();
    expect((await rig.run())!.store.get(Buffer.from('b'))).toBeUndefined();
  });

  it('is closed when it is canceled while it loads', async () => {
    const rig = snapshotRig(referringRow);
    const { snapshots } = rig.backend.store;
    const load = snapshots!.load.bind(snapshots);
    snapshots!.load = (reference, goOn) => {
      rig.canceled = true;
      return load(reference, goOn);
    };
    expect(await rig.run([chunk(0, [referringRow])])).toBeUndefined();
    expect(rig.backend.store.closed).toBe(true);
  });

  it('is closed when the snapshot cannot be loaded', async () => {
    const rig = snapshotRig(referringRow);
    const damaged = new WeirError('invalid', 'SNAPSHOT_DAMAGED', 'A file is cut.');
    rig.backend.store.snapshots!.load = () => Promise.reject(damaged);
    await expect(rig.run([chunk(0, [referringRow])])).rejects.toBe(damaged);
    expect(rig.backend.store.closed).toBe(true);
  });

  it('is refused the state that another backend left in the changelog: what is recorded, what is configured, what to do', async () => {
    const rig = snapshotRig(row('a'), EPOCH_ROW);
    const thrown = await rejectionOf(rig.run([chunk(0, [row('a'), EPOCH_ROW])]));
    expect([thrown.code, thrown.kind, rig.backend.store.closed]).toEqual(['STATE_BACKEND_CHANGED', 'invalid', true]);
    expect(thrown.message).toContain('Changelog changelog-1 was written by a job with the state backend memory or rocksdb, whose state lies in the changelog; and filesystem is configured');
    expect(thrown.message).toContain('Configure memory or rocksdb again');
  });

  it('is not used for what a store of another sort is to restore: the same the other way round', async () => {
    const rig = new Rig(0, 1);
    const thrown = await rejectionOf(rig.run([chunk(0, [referringRow])]));
    expect([thrown.code, rig.backend.store.closed]).toEqual(['STATE_BACKEND_CHANGED', true]);
    expect(thrown.message).toContain('the state backend filesystem, whose state lies in snapshots; and rocksdb is configured');
  });
});
