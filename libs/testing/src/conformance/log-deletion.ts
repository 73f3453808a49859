import { expect } from '@jest/globals';
import { type Log, offset } from '@weir/core';
import { append, commitRows, endsOf, rejection, rows, type LogFixture } from './log-harness.js';
import type { ConformanceTest } from './log.js';

/** How a log gives up what nobody needs any more. */
export const deletionTests: readonly ConformanceTest[] = [
  ['begins each partition where it was told to, in the middle of an append, too, and leaves the others alone', beginsThere],
  ['changes nothing when it is asked again, or for an offset below the start', isIdempotent],
  ['L6: refuses a reader below the start with LOG_OFFSET_OUT_OF_RANGE', readerBelow],
  ['never disturbs a reader at or above the offset, whatever it has buffered', readerAbove],
  ['deletes everything up to the high watermark, and goes on with the offsets that follow', deletesAll],
  ['refuses an offset beyond the high watermark, and deletes nothing', refusesBeyondEnd],
  ['refuses a topic that is only compacted', refusesCompacted],
  ['leaves records of an open transaction above the offset to be committed', besideOpenTransaction],
  ['has nothing to do for no partitions', nothingToDo],
];

const below = (log: Log, topic: string, before: number, partition = 0): Promise<void> =>
  log.deleteRecordsBefore([{ topic, partition, offset: offset(before) }]);

async function beginsThere(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [one, other] = [await fixture.topic(log, 3), await fixture.topic(log)];
  const writer = await fixture.writer(log);
  for (const partition of [0, 1, 2]) await commitRows(writer, one, rows('a', 'b', 'c'), partition);
  await commitRows(writer, other, rows('a', 'b', 'c'));
  await log.deleteRecordsBefore([
    { topic: other, partition: 0, offset: offset(2) },
    { topic: one, partition: 2, offset: offset(1) },
    { topic: one, partition: 0, offset: offset(3) },
  ]);
  expect((await endsOf(log, one, 0)).start).toBe(3);
  expect((await endsOf(log, one, 1)).start).toBe(0);
  expect((await endsOf(log, one, 2)).start).toBe(1);
  expect((await endsOf(log, other)).start).toBe(2);
  const reading = fixture.reading(log);
  reading.assign(one, 2, 1);
  reading.assign(one, 1);
  reading.assign(other, 0, 2);
  await reading.toEnd(one, 2);
  await reading.toEnd(one, 1);
  await reading.toEnd(other);
  expect(reading.values(one, 2)).toEqual(['b', 'c']);
  expect(reading.values(one, 1)).toEqual(['a', 'b', 'c']);
  expect(reading.values(other)).toEqual(['c']);
}

async function isIdempotent(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  await commitRows(await fixture.writer(log), topic, rows('a', 'b', 'c'));
  for (const before of [2, 2, 1, 0]) {
    await below(log, topic, before);
    expect((await endsOf(log, topic)).start).toBe(2);
  }
}

async function readerBelow(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  await commitRows(await fixture.writer(log), topic, rows('a', 'b', 'c'));
  await below(log, topic, 2);
  const reading = fixture.reading(log);
  reading.assign(topic, 0, 1);
  expect(await reading.failure()).toMatchObject({ kind: 'invalid', code: 'LOG_OFFSET_OUT_OF_RANGE' });
  reading.assign(topic, 0, 2);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['c']);
}

async function readerAbove(fixture: LogFixture): Promise<void> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const reading = fixture.reading(otherLog);
  reading.assign(topic);
  const expected: string[] = [];
  for (let round = 0; round < 10; round++) {
    const values = Array.from({ length: 20 }, (_, i) => `${round}-${i}`);
    expected.push(...values);
    const { nextOffset } = await commitRows(writer, topic, rows(...values));
    // In odd rounds the reader has this round's rows only in its buffer, if at all.
    if (round % 2 === 0) await fixture.until('the rows are read', () => (reading.takeAll(), reading.position(topic) >= nextOffset));
    await below(log, topic, reading.position(topic));
  }
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(expected);
  expect((await endsOf(log, topic)).start).toBeGreaterThan(150);
}

async function deletesAll(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await commitRows(writer, topic, rows('a', 'b'));
  const { highWatermark } = await fixture.stable(log, topic);
  await below(log, topic, highWatermark);
  expect(await endsOf(log, topic)).toMatchObject({ start: highWatermark, lastStable: highWatermark, highWatermark });
  const reading = fixture.reading(log);
  reading.assign(topic, 0, highWatermark);
  const { firstOffset } = await commitRows(writer, topic, rows('c'));
  expect(firstOffset).toBe(highWatermark);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['c']);
}

async function refusesBeyondEnd(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  await commitRows(await fixture.writer(log), topic, rows('a', 'b'));
  const { highWatermark } = await fixture.stable(log, topic);
  const refusal = await rejection(below(log, topic, highWatermark + 1));
  expect(refusal).toMatchObject({ kind: 'invalid', code: 'LOG_DELETION_OUT_OF_RANGE' });
  expect(String(refusal)).toContain(topic);
  expect((await endsOf(log, topic)).start).toBe(0);
}

async function refusesCompacted(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const compacted = await fixture.topic(log, 1, { 'cleanup.policy': 'compact' });
  const both = await fixture.topic(log, 1, { 'cleanup.policy': 'compact,delete' });
  const writer = await fixture.writer(log);
  for (const topic of [compacted, both]) await commitRows(writer, topic, [{ key: 'a', value: '1' }, { key: 'b', value: '2' }]);
  expect(await rejection(below(log, compacted, 1))).toMatchObject({ kind: 'invalid' });
  await below(log, both, 1);
  expect((await endsOf(log, compacted)).start).toBe(0);
  expect((await endsOf(log, both)).start).toBe(1);
}

async function besideOpenTransaction(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  await commitRows(await fixture.writer(log), topic, rows('a', 'b'));
  const { highWatermark } = await fixture.stable(log, topic);
  const transaction = (await fixture.writer(log)).begin();
  await append(transaction, topic, rows('c', 'd'));
  await below(log, topic, highWatermark);
  expect(await endsOf(log, topic)).toMatchObject({ start: highWatermark, lastStable: highWatermark });
  await transaction.commit();
  const reading = fixture.reading(log);
  reading.assign(topic, 0, highWatermark);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['c', 'd']);
}

async function nothingToDo(fixture: LogFixture): Promise<void> {
  await (await fixture.client()).deleteRecordsBefore([]);
}
