import { describe, expect, it } from '@jest/globals';
import { type InMemoryCluster, JobTestDriver, LIFELIKE, type LogRecord, touches } from '@weir/testing';
import { barrierIn, writeBarrier } from '../checkpoint/barrier.js';
import { decodeEpochRecord, type EpochRecord } from '../checkpoint/epoch-record.js';
import { float64, utf8 } from '../codec/primitives.js';
import { WeirError } from '../errors/weir-error.js';
import { checkpointId, type CheckpointId, offset } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import { EPOCH_RECORD_KEY } from '../state/stored-key.js';
import type { FakeReader, FakeWriter } from '../task/fake-log.spec-d.js';
import { LiveTasks } from '../task/live-task.spec-d.js';
import { Task } from '../task/task.js';
import { chunkOf, repartitionTopicOf, type Row } from '../task/task-rig.spec-d.js';
import { taskName } from '../task/task-plan.js';
import { topic } from '../topology/topic.js';
import { type Collector, KeyedBroadcastProcess } from '../topology/functions.js';
import type { RoundRecord, TriggeredRound } from '../control/control-record.js';
import { compileSettings } from './compile-settings.js';
import type { JobDefinition } from './job-definition.js';
import { StagesRig, twoStages } from './stages-rig.spec-d.js';

/**
 * The rules of rounds (design, section 5), by their numbers: each is seen where it is kept, and fails when the step that keeps it is taken out. The
 * simulation of apps/verifier holds them all against whole runs. Of R5 and R6 only what exists: stops with savepoints are not built yet.
 */
const single: JobDefinition['define'] = (streams) =>
  streams
    .source('in', topic('in', { key: utf8, value: utf8 }))
    .keyBy(utf8, (text) => text, { alreadyPartitioned: { partitioner: 'auto' } })
    .mapWithState('count', float64, (text, count = 0) => ({ state: count + 1, value: `${text}${count}` }))
    .sink('out', topic('out', { key: utf8, value: utf8 }));

const shuffled: JobDefinition['define'] = (streams) =>
  streams
    .source('in', topic('in', { key: utf8, value: utf8 }))
    .keyBy(utf8, (text) => text, { name: 'by-word' })
    .mapWithState('count', float64, (text, count = 0) => ({ state: count + 1, value: `${text}${count}` }))
    .sink('out', topic('out', { key: utf8, value: utf8 }));

const [ONE, TWO] = [checkpointId(1), checkpointId(2)] as const;
const REPARTITION = repartitionTopicOf('by-word');

interface Running {
  readonly live: LiveTasks;
  readonly task: Task;
  readonly reader: FakeReader;
  readonly writer: FakeWriter;
}

/** A task of a job of two partitions, running. */
async function run(define: JobDefinition['define'], name: string, live = new LiveTasks(define, { partitions: 2 })): Promise<Running> {
  const task = new Task(live.plans.find((plan) => taskName(plan) === name)!, 0, live.host);
  void task.run();
  await live.clock.advance(0);
  live.take();
  return { live, task, reader: live.log.readers.at(-1)!, writer: live.log.writers.at(-1)! };
}

/** The same task in another process, as a crash leaves it: on its store, and with the round that is open by the control topic. */
async function runAgain(define: JobDefinition['define'], name: string, { live: { backend } }: Running, open: CheckpointId | undefined): Promise<Running> {
  const live = new LiveTasks(define, { partitions: 2 });
  live.openRound = open;
  live.backend.store = backend.store;
  const { changelog } = live.plans.find((plan) => taskName(plan) === name)!;
  live.log.setEnds(changelog.topic, changelog.partition, 0, backend.store.position!.offset);
  const running = await run(define, name, live);
  running.writer.acknowledge = (result) => ({ ...result, firstOffset: offset(result.firstOffset + 100), nextOffset: offset(result.nextOffset + 100) });
  return running;
}

const input = (from: number, ...values: readonly string[]) => chunkOf('in', 0, values.map((value, i): Row => ({ value, offset: from + i })));
const transactions = ({ writer }: Running): string[] => writer.steps.filter((step) => step.startsWith('append'));
const settle = ({ live }: Running): Promise<void> => live.clock.advance(0);
const recordOf = ({ live }: Running): EpochRecord => decodeEpochRecord(live.backend.store.get(EPOCH_RECORD_KEY)!, 'changelog');

/** What upstream tasks have put into the first partition of the shuffle: words, and barriers as `writer id`. */
function shuffledChunk(from: number, ...what: readonly (string | readonly [writer: string, id: CheckpointId])[]) {
  return chunkOf(
    REPARTITION,
    0,
    what.map((each, i): Row => (typeof each === 'string' ? { key: each, value: each, offset: from + i } : { key: null, value: barrier(...each), offset: from + i })),
  );
}

function barrier(writer: string, id: CheckpointId): Buffer {
  const out = new RecordWriter();
  writeBarrier(out, { id, writer }, 0);
  return out.columns.value(0)!;
}

describe('R1: between committing barrier n and the end of n', () => {
  it('a task computes on with no transaction open, whatever asks for a commit: another one does, or it is to leave', async () => {
    const running = await run(single, '0-0');
    running.reader.feed(input(0, 'a'));
    running.task.trigger(ONE);
    await settle(running);
    running.reader.feed(input(1, 'b', 'c'));
    await settle(running);
    running.task.commitPlain();
    await settle(running);
    expect([transactions(running).length, running.task.overview().recordsIn]).toEqual([1, 3]);
    running.task.stop();
    await running.live.clock.advance(5_000);
    expect([transactions(running).length, running.writer.steps.at(-1), running.task.status]).toEqual([1, 'commit', 'CANCELING']);
    running.task.endRound(ONE);
    await settle(running);
    expect([transactions(running).length, running.task.status]).toEqual([2, 'CANCELED']);
  });

  it('a frozen epoch commits as it stands, barrier included, although n was abandoned meanwhile; the next commit carries none', async () => {
    const running = await run(single, '0-0');
    let appended = (): void => undefined;
    running.writer.before = (step) => (step.startsWith('append') ? new Promise((resolve) => (appended = resolve)) : undefined);
    running.reader.feed(input(0, 'a'));
    running.task.trigger(ONE);
    await settle(running);
    running.task.endRound(ONE);
    running.reader.feed(input(1, 'b'));
    running.writer.before = () => undefined;
    appended();
    await settle(running);
    expect([recordOf(running).barrier, running.live.take()]).toEqual([1, ['0-0 acknowledged 1']]);
    running.task.commitPlain();
    await settle(running);
    expect([recordOf(running).barrier, recordOf(running).inputs[0]!.offset, running.live.take()]).toEqual([1, 2, []]);
  });
});

/** A run of two stages in which one task of each stage is slow, so that rounds stay open for a while. */
async function slowRun(seed: number): Promise<StagesRig> {
  const rig = await StagesRig.start(twoStages, seed);
  const { faults } = rig.driver.cluster;
  for (const id of ['test-0-1', 'test-1-2']) {
    faults.randomly({ points: ['append:send'], probability: 1, when: ({ transactionalId }) => transactionalId === id, action: () => ({ type: 'delay', ms: 150 }) });
  }
  for (let i = 0; i < 40; i++) {
    rig.pipe(6);
    await rig.driver.advance(25);
  }
  await rig.finish();
  rig.verify();
  return rig;
}

interface Sent {
  readonly writer: string;
  readonly barrier: number | undefined;
}

/** What lies in the shuffle of a run, in its order: who wrote it, and whether it is a barrier. Of committed transactions. */
const sentIn = ({ driver: { cluster } }: StagesRig, partition: number): Sent[] =>
  cluster
    .allRecords('test-0-by-site-repartition', partition)
    .filter(({ kind, outcome }) => kind === 'record' && outcome === 'committed')
    .map((record) => ({ writer: record.transactionalId!, barrier: barrierOf(record) }));

function barrierOf({ key, value }: LogRecord): number | undefined {
  const row = new RecordWriter();
  row.add(0, key, value);
  return barrierIn(row.columns, 0)?.id;
}

describe('R2: alignment needs no buffers', () => {
  it('for behind its barrier n a task sends nothing until all have sent theirs: no reader comes by a record that it would have to keep', async () => {
    for (const seed of [1, 2, 3]) {
      const rig = await slowRun(seed);
      // Purged by its readers, so what is left is what came last; all of it is looked at while it is there by the readers themselves.
      const partitions = [0, 1, 2, 3].map((partition) => sentIn(rig, partition));
      for (const sent of partitions) {
        const open = new Map<string, number>();
        for (const { writer, barrier: id } of sent) {
          if (id !== undefined) open.set(writer, id);
          else {
            const own = open.get(writer);
            const behind = [...open.values()].filter((other) => own !== undefined && other < own);
            expect([seed, writer, own, behind]).toEqual([seed, writer, own, []]);
          }
        }
      }
    }
  });
});

describe('R3: a task that restarts while round n is open', () => {
  it('and has committed barrier n, sends no second one, and commits nothing until n has ended', async () => {
    const before = await run(single, '0-0');
    before.reader.feed(input(0, 'a'));
    before.task.trigger(ONE);
    await settle(before);
    const again = await runAgain(single, '0-0', before, ONE);
    again.task.trigger(ONE);
    again.reader.feed(input(1, 'b'));
    await settle(again);
    again.task.commitPlain();
    await settle(again);
    expect([transactions(again), again.task.lastBarrier]).toEqual([[], 1]);
    again.task.endRound(ONE);
    again.task.commitPlain();
    await settle(again);
    expect(transactions(again)).toHaveLength(1);
  });

  it('knows of the barriers that it has seen by its epoch record: they do not come again', async () => {
    const before = await run(shuffled, '1-0');
    before.reader.feed(shuffledChunk(0, ['0-0', ONE], 'a'));
    await settle(before);
    before.task.commitPlain();
    await settle(before);
    expect(recordOf(before).inputs[0]!.barriers).toEqual([1, 0]);
    const again = await runAgain(shuffled, '1-0', before, ONE);
    again.task.trigger(ONE);
    again.reader.feed(shuffledChunk(2, ['0-1', ONE]));
    await settle(again);
    expect(again.live.take()).toEqual(['1-0 acknowledged 1']);
  });
});

describe('R4: a task that fails', () => {
  it('abandons the round at once, which is no failed checkpoint; until it is back the others commit without barriers, and its late barriers are ignored', async () => {
    const rig = await StagesRig.start(twoStages, 4, { settings: { restartStrategy: { type: 'fixed-delay', attempts: 10, delay: 900 }, checkpointing: { interval: 100, tolerableFailedCheckpoints: 0 } } });
    rig.pipe(20);
    await rig.driver.advance(500);
    const failure = new WeirError('restart-task', 'PLANNED', 'As planned.');
    rig.driver.cluster.faults.at('append:send', { type: 'fail', error: failure }, { when: ({ transactionalId }) => transactionalId === 'test-1-0' });
    rig.pipe(20);
    await rig.driver.until(() => rig.driver.telemetry.of('task-failed').length === 1);
    const commits = rig.driver.telemetry.of('task-commit').length;
    await rig.driver.advance(50);
    const { checkpoints } = rig.driver.overview();
    expect([rig.driver.telemetry.last('checkpoint-failed'), checkpoints.failed]).toEqual([expect.objectContaining({ outcome: 'abandoned' }), 0]);
    const { completed } = checkpoints;
    for (let i = 0; i < 6; i++) {
      rig.pipe(10);
      await rig.driver.advance(100);
    }
    const since = rig.driver.telemetry.of('task-commit').slice(commits);
    expect(since.filter(({ subTopology, checkpoint }) => subTopology === 0 && checkpoint === undefined).length).toBeGreaterThan(3);
    expect(rig.driver.overview().checkpoints.completed).toBe(completed);
    await rig.driver.until(() => rig.driver.overview().checkpoints.completed > completed);
    await rig.finish();
    rig.verify();
  });
});

describe('R5: a record behind the barrier of its sender', () => {
  it('proves that the round was abandoned: it is processed at once, neither kept nor dropped, and the next round aligns', async () => {
    const running = await run(shuffled, '1-0');
    running.task.trigger(ONE);
    running.reader.feed(shuffledChunk(0, 'a', ['0-0', ONE], 'b')); // 0-1 has died before its barrier
    await settle(running);
    expect([running.task.overview().recordsIn, transactions(running)]).toEqual([3, []]);
    running.task.trigger(TWO);
    running.reader.feed(shuffledChunk(3, ['0-0', TWO], ['0-1', TWO]));
    await settle(running);
    expect([running.live.take(), recordOf(running).inputs[0]!.barriers]).toEqual([['1-0 acknowledged 2'], [2, 2]]);
  });
});

describe('R7: more than one concurrent checkpoint', () => {
  it('is refused with the reason', () => {
    const settings = (maxConcurrentCheckpoints: number) => compileSettings({ applicationId: 'a', checkpointing: { maxConcurrentCheckpoints } });
    expect(() => settings(2)).toThrow(/maxConcurrentCheckpoints.*between its barrier and the end of the round a task commits nothing/s);
    expect(settings(1).applicationId).toBe('a');
  });
});

describe('R8: a task of which nothing has changed', () => {
  it('skips its transaction where it is single-stage, and sends its barriers where it is not', async () => {
    const made: string[][] = [];
    for (const define of [single, shuffled]) {
      const running = await run(define, '0-0');
      for (const id of [ONE, TWO]) {
        running.task.trigger(id); // the first commit of all says where the inputs begin
        await settle(running);
        running.task.endRound(id);
      }
      expect(running.live.take()).toEqual(['0-0 acknowledged 1', '0-0 acknowledged 2']);
      made.push(transactions(running).slice(1));
    }
    expect(made).toEqual([[], [expect.stringContaining(`${REPARTITION}-0:1 ${REPARTITION}-1:1`)]]);
  });
});

describe('R9: a trigger names the end of each broadcast partition', () => {
  const RULES = topic('rules', { key: utf8, value: float64 });
  const joined: JobDefinition = {
    define: (streams) =>
      streams
        .source('in', topic('in', { key: utf8, value: utf8 }))
        .keyBy(utf8, (text) => text, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .connect(streams.source('rules', RULES).broadcast())
        .process('ruled', () => new Ruled())
        .keyBy(utf8, (text) => text, { name: 'again', value: utf8 })
        .mapWithState('count', float64, (text, count = 0) => ({ state: count + 1, value: text }))
        .sink('out', topic('out', { key: utf8, value: utf8 })),
  };

  it('and every task has read exactly so far, and no farther, in its part of the round, however unevenly they read', async () => {
    const driver = await JobTestDriver.start(joined, { topics: { in: 4, rules: 2, out: 1 }, outputs: ['out'], network: LIFELIKE, seed: 9, settings: { checkpointing: { interval: 100 } } });
    const { cluster } = driver;
    cluster.faults.randomly({ points: ['fetch:replied'], probability: 0.3, when: touches('rules'), action: (_, random) => ({ type: 'delay', ms: random.between(0, 200) }) });
    for (let i = 0; i < 60; i++) {
      driver.pipe(RULES, 'limit', i, { partition: i % 2 });
      driver.pipe(topic('in', { key: utf8, value: utf8 }), `k${i % 7}`, `k${i % 7}`);
      await driver.advance(20);
    }
    const rounds = cluster.committedRecords('test-control', 0).filter(({ key }) => key?.toString() === 'round').map(({ value }) => JSON.parse(value!.toString()) as RoundRecord);
    const completed = rounds.flatMap((round) => (round.type === 'ended' && round.outcome === 'completed' ? [round.id] : []));
    expect(completed.length).toBeGreaterThanOrEqual(3);
    for (const id of completed) {
      const { broadcastEnds } = rounds.find((round): round is TriggeredRound => round.type === 'triggered' && round.id === id)!;
      const ends = broadcastEnds.map(({ partition, offset: end }) => [partition, end] as const);
      expect([0, 1, 2, 3].map((task) => [id, task, rulesReadBy(cluster, task, id)])).toEqual([0, 1, 2, 3].map((task) => [id, task, ends]));
    }
  });

  class Ruled extends KeyedBroadcastProcess<string, string, number, string> {
    override process(text: string, out: Collector<string>): void {
      out.collect(text);
    }
    override processBroadcast(): void {
      // what is read is what counts here
    }
  }

  /** How far a task had read the rules in its part of a round: in its first epoch record with that barrier. */
  function rulesReadBy(cluster: InMemoryCluster, task: number, id: CheckpointId): (readonly [number, number])[] {
    const records = cluster.committedRecords('test-0-0-changelog', task).filter(({ key }) => EPOCH_RECORD_KEY.equals(key!));
    const cut = records.map(({ value }) => decodeEpochRecord(value!, 'changelog')).find(({ barrier: own }) => own === id);
    return (cut?.inputs ?? []).filter(({ topic: name }) => name === 'rules').map(({ partition, offset: at }) => [partition, at] as const);
  }
});
