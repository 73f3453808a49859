import { describe, expect, it } from '@jest/globals';
import { decodeEpochRecord } from '../checkpoint/epoch-record.js';
import { float64, utf8 } from '../codec/primitives.js';
import { WeirError } from '../errors/weir-error.js';
import type { JobDefinition } from '../job/job-definition.js';
import { type CheckpointId, checkpointId, offset } from '../model/brands.js';
import type { LogChunk } from '../ports/log.js';
import { EPOCH_RECORD_KEY, STATE_CATALOGUE_KEY } from '../state/stored-key.js';
import { topic } from '../topology/topic.js';
import { type LiveTask, LiveTasks } from './live-task.spec-d.js';
import { isRestartable } from '../restart/restart-strategy.js';
import { chunkOf, type Row } from './task-rig.spec-d.js';

const counting: JobDefinition['define'] = (streams) =>
  streams
    .source('in', topic('in', { key: utf8, value: utf8 }))
    .keyBy(utf8, (text) => text, { alreadyPartitioned: { partitioner: 'auto' } })
    .mapWithState('count', float64, (text, count = 0) => ({ state: count + 1, value: `${text}${count}` }))
    .sink('out', topic('out', { key: utf8, value: utf8 }));

const ONE = { partitions: 1 } as const;
const FIRST = checkpointId(1);
/** Rows from an offset on. */
const rowsAt = (from: number, ...values: readonly string[]): LogChunk => chunkOf('in', 0, values.map((value, i): Row => ({ value, offset: from + i })));
const settle = (tasks: LiveTasks): Promise<void> => tasks.clock.advance(0);
/** Transactions that a task has made, by what they appended. */
const appends = ({ writer }: LiveTask): string[] => writer.steps.filter((step) => step.startsWith('append'));
const recordOf = (tasks: LiveTasks) => decodeEpochRecord(tasks.backend.store.get(EPOCH_RECORD_KEY)!, 'changelog');

describe('the start of a task', () => {
  it('claims its id, gets its permit, restores and only then reads (I3)', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const order: string[] = [];
    const openWriter = tasks.log.openWriter.bind(tasks.log);
    const endPositions = tasks.log.endPositions.bind(tasks.log);
    tasks.log.openWriter = (options) => (order.push('claim'), openWriter(options));
    tasks.log.endPositions = (partitions) => (order.push(`ends of ${partitions[0]!.topic}`), endPositions(partitions));
    tasks.host.ownership.mayClaim = async () => void order.push('sure of it');
    tasks.host.ownership.permit = () => (order.push('permit'), Promise.resolve(tasks.permit));
    const { task, reader, writer } = await tasks.start();
    expect(order).toEqual(['sure of it', 'claim', 'permit', 'ends of app-0-0-changelog', 'ends of in']);
    expect([task.status, writer.transactionalId, reader.assigned]).toEqual(['RUNNING', 'app-0-0', [{ topic: 'in', partition: 0, offset: 0 }]]);
    expect(tasks.take()).toEqual(['0-0 INITIALIZING', '0-0 RUNNING']);
  });

  it('goes on where the epoch record says, whatever the log says', async () => {
    const before = new LiveTasks(counting, ONE);
    const first = await before.start();
    first.reader.feed(rowsAt(0, 'a', 'b'));
    await settle(before);
    first.task.trigger(FIRST);
    await settle(before);
    const after = new LiveTasks(counting, ONE);
    after.backend.store = before.backend.store;
    const { changelog } = after.plans[0]!;
    after.log.setEnds(changelog.topic, 0, 0, before.backend.store.position!.offset);
    const { reader, task } = await after.start(1);
    expect([reader.assigned[0]!.offset, task.lastBarrier, task.overview().attempt]).toEqual([2, 1, 1]);
  });

  it('ends where the permit is refused, with what was opened closed', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const fenced = new WeirError('fenced', 'NOT_OURS', "The task is another replica's.");
    tasks.host.ownership.permit = () => Promise.reject(fenced);
    const { ended, writer } = await tasks.start();
    expect(await ended).toEqual({ type: 'failed', error: fenced });
    expect([writer.steps, tasks.backend.acts]).toEqual([['close'], []]);
    expect(tasks.take()).toEqual(['0-0 INITIALIZING', '0-0 fails', '0-0 FAILED']);
  });

  it('is called off by a stop while it restores', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const { changelog } = tasks.plans[0]!;
    tasks.log.setEnds(changelog.topic, 0, 0, 1, 2);
    const { task, ended } = await tasks.start();
    task.stop();
    await tasks.clock.advance(20);
    expect(await ended).toEqual({ type: 'canceled' });
    expect(tasks.take()).toEqual(['0-0 INITIALIZING', '0-0 CANCELING', '0-0 CANCELED']);
  });
});

describe('a checkpoint of a task', () => {
  it('commits outputs, changes, catalogue and last the epoch record with the barrier, then acknowledges', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    live.reader.feed(rowsAt(0, 'a', 'b', 'a'));
    await settle(tasks);
    tasks.take();
    live.task.trigger(FIRST);
    await settle(tasks);
    expect(live.writer.steps).toEqual(['begin', 'append out-0:3 app-0-0-changelog-0:4', 'addOffsets', 'commit']);
    expect(live.writer.offsets).toEqual([{ topic: 'in', partition: 0, offset: 3 }]);
    expect(recordOf(tasks)).toMatchObject({ barrier: 1, inputs: [{ topic: 'in', topicId: 'id-of-in', partition: 0, offset: 3 }] });
    expect(tasks.take()).toEqual(['0-0 acknowledged 1']);
    expect(tasks.telemetry.last('task-commit')).toMatchObject({ checkpoint: 1, recordsIn: 3, recordsOut: 3, stateChanges: 4 });
  });

  it('tells with its acknowledgement what it took', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    live.reader.feed(rowsAt(0, 'a', 'b', 'a'));
    await settle(tasks);
    live.writer.before = (step) => (step === 'commit' ? new Promise((resolve) => void tasks.clock.after(7, resolve)) : undefined);
    live.task.trigger(FIRST);
    await tasks.clock.advance(7);
    live.task.endRound(FIRST);
    live.task.trigger(checkpointId(2)); // nothing changed
    await settle(tasks);
    const { bytes } = tasks.telemetry.last('task-commit')!;
    expect(bytes).toBeGreaterThan(0);
    const { stateBytes } = live.task;
    expect(stateBytes).toBeGreaterThan(0);
    expect(tasks.figures).toEqual([
      { bytes, stateChanges: 4, durationMs: 7, alignmentMs: 0, stateBytes },
      { bytes: 0, stateChanges: 0, durationMs: 0, alignmentMs: 0, stateBytes },
    ]);
  });

  it('writes the catalogue only where it changed', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    for (const id of [1, 2]) {
      live.reader.feed(rowsAt(id * 10, 'a'));
      await settle(tasks);
      live.task.trigger(checkpointId(id));
      await settle(tasks);
      live.task.endRound(checkpointId(id));
    }
    expect(tasks.backend.store.get(STATE_CATALOGUE_KEY)).toBeDefined();
    expect(appends(live)).toEqual(['append out-0:1 app-0-0-changelog-0:3', 'append out-0:1 app-0-0-changelog-0:2']);
  });

  it('acknowledges only once the store has it: a savepoint pins that state', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    tasks.take();
    let applied = (): void => undefined;
    tasks.backend.store.apply = () => new Promise((resolve) => (applied = resolve));
    live.task.trigger(FIRST);
    await settle(tasks);
    expect([live.writer.steps.at(-1), tasks.take()]).toEqual(['commit', []]);
    applied();
    await settle(tasks);
    expect(tasks.take()).toEqual(['0-0 acknowledged 1']);
  });

  it('is acknowledged without a transaction where nothing changed (R8)', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    live.task.trigger(FIRST);
    await settle(tasks);
    live.task.endRound(FIRST);
    const { length } = live.writer.steps;
    tasks.take();
    live.task.trigger(checkpointId(2));
    await settle(tasks);
    expect([live.writer.steps.length, tasks.take()]).toEqual([length, ['0-0 acknowledged 2']]);
  });

  it('waits for the commit before it, and computes on meanwhile', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    let commit = (): void => undefined;
    live.writer.before = (step) => (step === 'commit' ? new Promise((resolve) => (commit = resolve)) : undefined);
    live.task.commitPlain();
    await settle(tasks);
    live.reader.feed(rowsAt(0, 'a'));
    live.task.trigger(FIRST);
    await settle(tasks);
    expect([appends(live).length, live.task.overview().recordsIn, live.task.overview().recordsOut]).toEqual([1, 1, 0]);
    commit();
    await settle(tasks);
    expect(appends(live)).toHaveLength(2);
  });
});

describe('R1: from the commit with barrier n to the end of n', () => {
  async function committed(): Promise<{ readonly tasks: LiveTasks; readonly live: LiveTask }> {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    live.task.trigger(FIRST);
    await settle(tasks);
    live.reader.feed(rowsAt(0, 'a'));
    await settle(tasks);
    return { tasks, live };
  }

  it('a task computes on and commits nothing, whatever asks for it', async () => {
    const { tasks, live } = await committed();
    live.task.commitPlain();
    await settle(tasks);
    live.task.stop();
    await settle(tasks);
    expect(appends(live)).toHaveLength(1);
    expect(live.task.overview().recordsIn).toBe(1);
  });

  it('its end lets what was asked for happen', async () => {
    const { tasks, live } = await committed();
    live.task.commitPlain();
    await settle(tasks);
    live.task.endRound(FIRST);
    await settle(tasks);
    expect(appends(live)).toHaveLength(2);
    expect(recordOf(tasks)).toMatchObject({ barrier: 1, inputs: [{ offset: 1 }] });
  });

  it('the end of an older round changes nothing', async () => {
    const { tasks, live } = await committed();
    live.task.endRound(checkpointId(0));
    live.task.commitPlain();
    await settle(tasks);
    expect(appends(live)).toHaveLength(1);
  });

  it('a barrier that is not frozen yet is dropped with its round', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    live.task.trigger(FIRST);
    live.task.endRound(FIRST);
    await settle(tasks);
    expect([appends(live), live.task.lastBarrier]).toEqual([[], 0]);
  });
});

describe('R3: a task that starts while a round is open', () => {
  /** A task that has committed barrier 1 before, with `open` being the open round now. */
  async function restarted(open: CheckpointId | undefined): Promise<{ readonly tasks: LiveTasks; readonly live: LiveTask }> {
    const before = new LiveTasks(counting, ONE);
    const first = await before.start();
    first.reader.feed(rowsAt(0, 'a'));
    await settle(before);
    first.task.trigger(FIRST);
    await settle(before);
    const tasks = new LiveTasks(counting, ONE);
    tasks.openRound = open;
    tasks.backend.store = before.backend.store;
    tasks.log.setEnds(tasks.plans[0]!.changelog.topic, 0, 0, before.backend.store.position!.offset);
    const live = await tasks.start(1);
    // Behind what the first attempt has written.
    live.writer.acknowledge = (result) => ({ ...result, firstOffset: offset(result.firstOffset + 100), nextOffset: offset(result.nextOffset + 100) });
    live.reader.feed(rowsAt(1, 'b'));
    await settle(tasks);
    return { tasks, live };
  }

  it('and has committed its barrier, commits nothing until it ends (R1)', async () => {
    const { tasks, live } = await restarted(FIRST);
    live.task.commitPlain();
    await settle(tasks);
    expect(appends(live)).toEqual([]);
    live.task.endRound(FIRST);
    await settle(tasks);
    expect(appends(live)).toHaveLength(1);
  });

  it('and has committed its barrier, never sends it a second time', async () => {
    const { tasks, live } = await restarted(FIRST);
    live.task.trigger(FIRST);
    live.task.endRound(FIRST);
    await settle(tasks);
    expect([appends(live), tasks.take()]).toEqual([[], ['0-0 INITIALIZING', '0-0 RUNNING']]);
  });

  it('and has not committed its barrier, joins it', async () => {
    const { tasks, live } = await restarted(checkpointId(2));
    live.task.trigger(checkpointId(2));
    await settle(tasks);
    expect([appends(live).length, live.task.lastBarrier]).toEqual([1, 2]);
  });

  it('knows by a later trigger that the round is over', async () => {
    const { tasks, live } = await restarted(FIRST);
    live.task.trigger(checkpointId(2));
    await settle(tasks);
    expect([appends(live).length, live.task.lastBarrier]).toEqual([1, 2]);
  });
});

describe('a stop', () => {
  it('commits what there is without a barrier, closes everything and ends', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    live.reader.feed(rowsAt(0, 'a'));
    await settle(tasks);
    tasks.take();
    live.task.stop();
    live.reader.feed(rowsAt(1, 'not read any more'));
    expect(await live.ended).toEqual({ type: 'canceled' });
    expect(live.writer.steps.slice(-2)).toEqual(['commit', 'close']);
    expect([live.reader.closed, tasks.backend.store.closed, recordOf(tasks).inputs[0]!.offset]).toEqual([true, true, 1]);
    expect(tasks.take()).toEqual(['0-0 CANCELING', '0-0 CANCELED']);
  });

  it('needs no transaction where nothing changed', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    live.task.commitPlain();
    await settle(tasks);
    live.task.stop();
    await live.ended;
    expect(appends(live)).toHaveLength(1);
  });

  it('waits for the commit under way, so that its outcome is known', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    let commit = (): void => undefined;
    live.writer.before = (step) => (step === 'commit' ? new Promise((resolve) => (commit = resolve)) : undefined);
    live.task.commitPlain();
    await settle(tasks);
    live.task.stop();
    await settle(tasks);
    expect(tasks.backend.store.closed).toBe(false);
    commit();
    expect(await live.ended).toEqual({ type: 'canceled' });
  });
});

describe('a failure', () => {
  it('of a commit ends the task with it, everything closed and the store as it was', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    const fenced = new WeirError('fenced', 'FENCED', 'Another one.');
    live.writer.before = (step) => {
      if (step === 'commit') throw fenced;
    };
    live.task.trigger(FIRST);
    expect(await live.ended).toEqual({ type: 'failed', error: fenced });
    expect([live.writer.steps.at(-1), live.reader.closed, tasks.backend.store.closed, tasks.backend.store.applied]).toEqual(['close', true, true, []]);
    expect(tasks.take().slice(-1)).toEqual(['0-0 FAILED']);
  });

  it('of a function ends the task only when the commit under way has its outcome, and drops what was not committed', async () => {
    const tasks = new LiveTasks(counting, ONE);
    const live = await tasks.start();
    let commit = (): void => undefined;
    live.writer.before = (step) => (step === 'commit' ? new Promise((resolve) => (commit = resolve)) : undefined);
    live.task.commitPlain();
    await settle(tasks);
    live.reader.feed(chunkOf('in', 0, [{ value: Buffer.from([0xff]), offset: 0 }]));
    await settle(tasks);
    expect(tasks.backend.store.closed).toBe(false);
    expect(tasks.take().slice(-1)).toEqual(['0-0 fails']); // said at once, so that the round is abandoned (R4)
    commit();
    expect(await live.ended).toMatchObject({ type: 'failed', error: { code: 'RECORD_UNDECODABLE' } });
    expect(appends(live)).toHaveLength(1);
    expect(tasks.backend.store.position).toBeDefined();
  });

  it('of closing fails a task that was stopped, and does not hide an earlier one', async () => {
    const stopped = new LiveTasks(counting, ONE);
    const first = await stopped.start();
    first.reader.close = () => Promise.reject(new Error('cannot close'));
    first.task.stop();
    expect(await first.ended).toMatchObject({ type: 'failed', error: { message: 'cannot close' } });
    expect(stopped.backend.store.closed).toBe(true);
    const failed = new LiveTasks(counting, ONE);
    const second = await failed.start();
    second.reader.close = () => Promise.reject(new Error('cannot close'));
    second.reader.feed(new Error('lost'));
    expect(await second.ended).toMatchObject({ type: 'failed', error: { message: 'lost' } });
  });
});

describe('isRestartable', () => {
  it('is what another attempt may mend', () => {
    const restartable = (['retry', 'restart-task', 'rebuild-state', 'fenced', 'invalid', 'data', 'internal'] as const).filter((kind) => isRestartable(new WeirError(kind, 'X', 'x')));
    expect(restartable).toEqual(['retry', 'restart-task', 'rebuild-state', 'fenced']);
    expect(isRestartable(new TypeError('a bug'))).toBe(true);
  });
});
