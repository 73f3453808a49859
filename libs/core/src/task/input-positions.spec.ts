import { describe, expect, it } from '@jest/globals';
import type { EpochInput, EpochRecord } from '../checkpoint/epoch-record.js';
import { float64, utf8 } from '../codec/primitives.js';
import { rejectionOf, thrownBy } from '../errors/thrown-by.spec-d.js';
import type { JobDefinition } from '../job/job-definition.js';
import { checkpointId, incarnation, offset } from '../model/brands.js';
import type { StartPosition } from '../topology/topic.js';
import { topic } from '../topology/topic.js';
import { FakeLog } from './fake-log.spec-d.js';
import { InputPositions } from './input-positions.js';
import { plansOf, repartitionTopicOf } from './task-rig.spec-d.js';

const reading =
  (start: StartPosition = 'earliest'): JobDefinition['define'] =>
  (streams) =>
    streams.source('in', topic('in', { key: utf8, value: utf8 }), { start }).sink('out', topic('out', { key: utf8, value: utf8 }));

const shuffling: JobDefinition['define'] = (streams) =>
  void streams
    .source('in', topic('in', { key: utf8, value: utf8 }))
    .keyBy(utf8, (text) => text, { name: 'r' })
    .filterWithState('f', float64, () => ({ state: 1, keep: true }));
const SHUFFLE = repartitionTopicOf('r');

/** Task 1 of 2, which owns partitions 1 and 3 of 4. */
const plan = (start?: StartPosition) => plansOf(reading(start), { settings: { parallelism: 2 } })[1]!;
const logOf = (name = 'in'): FakeLog => {
  const log = new FakeLog();
  for (let partition = 0; partition < 4; partition++) log.setEnds(name, partition, 10 * partition, 100 + partition);
  return log;
};
const record = (...inputs: readonly (Partial<EpochInput> & { readonly partition: number; readonly at: number })[]): EpochRecord => ({
  version: 1,
  sequence: 0,
  incarnation: incarnation(0),
  barrier: checkpointId(3),
  inputs: inputs.map(({ at, ...input }) => ({ topic: 'in', topicId: 'id-of-in', barriers: [], ...input, offset: offset(at) })),
});

describe('the first positions of a task', () => {
  it.each([
    ['earliest', [10, 30]],
    ['latest', [101, 103]],
  ] as const)('are those of its own partitions where its source says: %s', async (start, offsets) => {
    const positions = await InputPositions.of(plan(start), undefined, logOf());
    expect(positions.offsets()).toEqual([1, 3].map((partition, i) => ({ topic: 'in', partition, offset: offsets[i] })));
    expect(positions.changed).toBe(true);
  });

  it('are those of the epoch record, without a look at the log', async () => {
    const log = logOf();
    const positions = await InputPositions.of(plan(), record({ partition: 1, at: 55 }, { partition: 3, at: 66 }), log);
    expect(positions.offsets().map((each) => each.offset)).toEqual([55, 66]);
    expect([positions.changed, log.endPositionCalls]).toEqual([false, 0]);
  });

  it('are those of the record where it has them, and of the source where it has not', async () => {
    const positions = await InputPositions.of(plan('latest'), record({ partition: 3, at: 66 }), logOf());
    expect(Object.fromEntries(positions.offsets().map((each) => [each.partition, each.offset]))).toEqual({ 1: 101, 3: 66 });
    expect(positions.changed).toBe(true);
  });

  it('are refused where the topic is another one of the same name', async () => {
    const thrown = await rejectionOf(InputPositions.of(plan(), record({ partition: 1, at: 55, topicId: 'before' }), logOf()));
    expect([thrown.code, thrown.kind]).toEqual(['INPUT_TOPIC_REPLACED', 'invalid']);
    expect(thrown.message).toContain('(id id-of-in, recorded before)');
  });

  it('are refused where the topic had another number of partitions, also by a task that reads none of the new ones', async () => {
    const known = record({ partition: 1, at: 55, partitions: 3 }, { partition: 3, at: 66, partitions: 3 });
    const thrown = await rejectionOf(InputPositions.of(plan(), known, logOf()));
    expect([thrown.code, thrown.kind, thrown.context]).toEqual(['INPUT_PARTITIONS_CHANGED', 'invalid', { topic: 'in', recorded: 3, found: 4 }]);
  });
});

describe('positions', () => {
  it('advance, and tell a change from none', async () => {
    const positions = await InputPositions.of(plan(), record({ partition: 1, at: 55 }, { partition: 3, at: 66 }), logOf());
    positions.advance('in', 1, offset(55), offset(60));
    expect(positions.changed).toBe(false);
    positions.advance('in', 1, offset(58), offset(60));
    expect(positions.changed).toBe(true);
    positions.settle();
    expect(positions.changed).toBe(false);
    expect(positions.offsets()[0]).toEqual({ topic: 'in', partition: 1, offset: 58 });
  });

  it('never go back (I7)', async () => {
    const positions = await InputPositions.of(plan(), record({ partition: 1, at: 55 }, { partition: 3, at: 66 }), logOf());
    const thrown = thrownBy(() => positions.advance('in', 3, offset(65), offset(70)));
    expect([thrown.code, thrown.kind]).toEqual(['INVARIANT_BROKEN', 'internal']);
    expect(thrown.message).toContain('in-3 went back from 66 to 65');
  });

  it('go back only where the log does not have them any more', async () => {
    const positions = await InputPositions.of(plan(), record({ partition: 1, at: 55 }), logOf());
    expect([positions.isUntouched('in', 1), positions.isUntouched('in', 3)]).toEqual([false, true]);
    positions.settle();
    positions.reset('in', 1, offset(20));
    positions.advance('in', 3, offset(31), offset(60));
    expect([positions.nextOf('in', 1), positions.changed, positions.isUntouched('in', 3)]).toEqual([20, true, false]);
  });

  it('are handed out as copies, for the commit and for the epoch record', async () => {
    const positions = await InputPositions.of(plan(), record({ partition: 1, at: 55 }, { partition: 3, at: 66 }), logOf());
    const [offsets, inputs] = [positions.offsets(), positions.epochInputs()];
    positions.advance('in', 1, offset(99), offset(99));
    expect(offsets[0]!.offset).toBe(55);
    expect(inputs).toEqual([
      { topic: 'in', topicId: 'id-of-in', partition: 1, offset: 55, barriers: [], partitions: 4 },
      { topic: 'in', topicId: 'id-of-in', partition: 3, offset: 66, barriers: [], partitions: 4 },
    ]);
  });

  it('tell how far behind the log they are, and never less than nothing', async () => {
    const positions = await InputPositions.of(plan(), undefined, logOf());
    expect(positions.lag).toBe(101 - 10 + (103 - 30));
    positions.advance('in', 1, offset(105), offset(104));
    expect(positions.lag).toBe(103 - 30);
  });
});

describe('positions in a repartition topic', () => {
  const downstream = () => plansOf(shuffling, { partitions: 2, settings: { parallelism: 2 } })[3]!;

  it('begin at its start, with no barrier from any upstream task', async () => {
    const positions = await InputPositions.of(downstream(), undefined, logOf(SHUFFLE));
    expect(positions.offsets()).toEqual([{ topic: SHUFFLE, partition: 1, offset: 10 }]);
    expect(positions.epochInputs()[0]!.barriers).toEqual([0, 0]);
    expect(positions.alignment.isNeeded).toBe(true);
  });

  it('go on with the barriers of the epoch record, which keep those that come', async () => {
    const known = record({ topic: SHUFFLE, topicId: `id-of-${SHUFFLE}`, partition: 1, at: 20, barriers: [checkpointId(3), checkpointId(2)] });
    const positions = await InputPositions.of(downstream(), known, logOf(SHUFFLE));
    expect(positions.alignment.holds(checkpointId(3))).toBe(false);
    positions.onBarrier(SHUFFLE, 1, { id: checkpointId(3), writer: '0-1' });
    expect(positions.alignment.holds(checkpointId(3))).toBe(true);
    expect(positions.epochInputs()[0]!.barriers).toEqual([3, 3]);
  });

  it('know the tasks that may send barriers', async () => {
    const positions = await InputPositions.of(downstream(), undefined, logOf(SHUFFLE));
    const thrown = thrownBy(() => positions.onBarrier(SHUFFLE, 1, { id: checkpointId(1), writer: '0-2' }));
    expect([thrown.code, thrown.kind]).toEqual(['BARRIER_FROM_STRANGER', 'invalid']);
    expect(thrown.message).toContain('is from task 0-2; expected one of 0-0, 0-1');
  });
});
