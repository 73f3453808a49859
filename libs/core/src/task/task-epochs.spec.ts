import { describe, expect, it } from '@jest/globals';
import { decodeEpochRecord } from '../checkpoint/epoch-record.js';
import type { Codec } from '../codec/codec.js';
import { bytes, utf8 } from '../codec/primitives.js';
import type { JobDefinition } from '../job/job-definition.js';
import { offset } from '../model/brands.js';
import { NULL, RecordColumns } from '../model/record-columns.js';
import type { LogChunk } from '../ports/log.js';
import { EPOCH_RECORD_KEY } from '../state/stored-key.js';
import { topic } from '../topology/topic.js';
import { type LiveTask, LiveTasks } from './live-task.spec-d.js';
import { chunkOf, type Row } from './task-rig.spec-d.js';

const ONE = { partitions: 1 } as const;
/** Rows from an offset on. */
const rowsAt = (from: number, ...values: readonly string[]): LogChunk => chunkOf('in', 0, values.map((value, i): Row => ({ value, offset: from + i })));
const settle = (tasks: LiveTasks): Promise<void> => tasks.clock.advance(0);
/** Transactions that a task has made, by what they appended. */
const appends = ({ writer }: LiveTask): string[] => writer.steps.filter((step) => step.startsWith('append'));
const recordOf = (tasks: LiveTasks) => decodeEpochRecord(tasks.backend.store.get(EPOCH_RECORD_KEY)!, 'changelog');

describe('a task among others', () => {
  const dropping: JobDefinition['define'] = (streams) =>
    streams
      .source('in', topic('in', { key: bytes, value: bytes }))
      .filter(() => false)
      .sink('out', topic('out', { key: bytes, value: bytes }));

  /** As many records as a turn may take, with neither key nor value. */
  function fullTurn(from: number): LogChunk {
    const records = new RecordColumns();
    records.reserve(20_000);
    records.count = 20_000;
    records.keyStart.fill(NULL);
    records.valueStart.fill(NULL);
    for (let i = 0; i < records.count; i++) records.offset[i] = from + i;
    return { topic: 'in', partition: 0, records, nextOffset: offset(from + 20_000), lastStable: offset(1e9) };
  }

  it('gives them their turn between two of its own, however often it is woken meanwhile', async () => {
    const tasks = new LiveTasks(dropping, ONE);
    const live = await tasks.start();
    const turns: (() => void)[] = [];
    tasks.clock.after = (_ms, run) => {
      turns.push(run);
      return () => undefined;
    };
    live.reader.feed(...Array.from({ length: 10 }, (_, i) => fullTurn(i * 20_000)));
    await settle(tasks);
    for (let woken = 0; woken < 3; woken++) {
      live.reader.options.wake();
      await settle(tasks);
    }
    expect(turns).toHaveLength(1);
    turns.shift()!();
    await settle(tasks);
    expect(turns).toHaveLength(1);
  });

  it('gives them their turn after a tenth of a second, however few records that took', async () => {
    let ms = 0;
    let seen = 0;
    const slow: JobDefinition['define'] = (streams) =>
      streams
        .source('in', topic('in', { key: bytes, value: bytes }))
        .filter(() => {
          ms += 10;
          seen++;
          return false;
        })
        .sink('out', topic('out', { key: bytes, value: bytes }));
    const tasks = new LiveTasks(slow, ONE);
    tasks.clock.monotonic = () => ms;
    const live = await tasks.start();
    const turns: (() => void)[] = [];
    tasks.clock.after = (_ms, run) => {
      turns.push(run);
      return () => undefined;
    };
    live.reader.feed(fullTurn(0));
    await settle(tasks);
    const first = seen;
    turns.shift()!();
    await settle(tasks);
    // A slice of 25 ms is under way when the time is over.
    expect([first, seen - first].every((rows) => rows >= 10 && rows <= 12)).toBe(true);
  });

  it('takes no more input while its epoch is full, and commits it early', async () => {
    const flooding: JobDefinition['define'] = (streams) =>
      streams
        .source('in', topic('in', { key: utf8, value: utf8 }))
        .flatMap<string>((_, out) => {
          out.collect('as much as an epoch holds');
        })
        .sink('out', topic('out', { key: utf8, value: huge }));
    const tasks = new LiveTasks(flooding, ONE);
    const live = await tasks.start();
    let commit = (): void => undefined;
    live.writer.before = (step) => (step === 'commit' ? new Promise((resolve) => (commit = resolve)) : undefined);
    live.reader.feed(rowsAt(0, 'a'), rowsAt(1, 'b'), rowsAt(2, 'c'));
    await settle(tasks);
    expect([appends(live), live.reader.queue.length]).toEqual([['append out-0:1 app-0-0-changelog-0:2'], 1]);
    commit();
    await settle(tasks);
    expect([appends(live).length, live.reader.queue.length]).toEqual([2, 0]);
  });

  it('commits early once the changes of its state would be as large as an epoch may be, as those of the epoch before were', async () => {
    const keyed = { alreadyPartitioned: { partitioner: 'murmur2' } } as const;
    const keeping: JobDefinition['define'] = (streams) =>
      streams
        .source('in', topic('in', { key: utf8, value: utf8 }))
        .keyBy(utf8, (value) => value, keyed)
        .mapWithState('keep', huge, (value) => ({ state: value, value }))
        .sink('out', topic('out', { key: utf8, value: utf8 }));
    const tasks = new LiveTasks(keeping, ONE);
    const live = await tasks.start();
    live.reader.feed(rowsAt(0, 'a'));
    await settle(tasks);
    expect(appends(live)).toEqual([]);
    live.task.commitPlain();
    await settle(tasks);
    expect(appends(live)).toHaveLength(1);
    live.reader.feed(rowsAt(1, 'b'), rowsAt(2, 'c'), rowsAt(3, 'd'));
    await settle(tasks);
    expect(appends(live)).toHaveLength(2);
    expect([recordOf(tasks).inputs[0]!.offset, live.reader.queue.length]).toEqual([3, 0]);
  });
});

describe('a chunk of rows that give a lot', () => {
  it('is processed and committed in parts, and goes on where the commit left it after a crash', async () => {
    const tasks = new LiveTasks((streams) => streams.source('in', topic('in', { key: utf8, value: utf8 })).sink('out', topic('out', { key: utf8, value: mebibytes })), ONE);
    const live = await tasks.start();
    live.reader.feed(rowsAt(0, ...Array.from({ length: 200 }, () => 'v')));
    await settle(tasks);
    const parts = appends(live).map((step) => Number(/out-0:(\d+)/.exec(step)?.[1] ?? 0));
    expect(parts).toEqual([35, 32, 32, 32, 32, 32]);
    expect(recordOf(tasks).inputs[0]!.offset).toBe(195);
  });
});

/** Takes 1 MiB for a value. */
const mebibytes: Codec<string> = {
  id: 'mebibytes',
  version: 1,
  encode: (_, out) => {
    out.reserve(1024 * 1024);
    out.length += 1024 * 1024;
  },
  decode: () => '',
};

/** Takes 32 MiB for a value, of which it writes none. */
const huge: Codec<string> = {
  id: 'huge',
  version: 1,
  encode: (_, out) => {
    out.reserve(32 * 1024 * 1024);
    out.length += 32 * 1024 * 1024;
  },
  decode: () => '',
};
