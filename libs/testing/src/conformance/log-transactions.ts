import { expect } from '@jest/globals';
import { generation, offset, type LogWriter } from '@weir/core';
import { abortRows, append, commitRows, endsOf, rejection, rows, type LogFixture } from './log-harness.js';
import type { ConformanceTest } from './log.js';

/** What becomes visible, and when. */
export const visibilityTests: readonly ConformanceTest[] = [
  ['L2: shows nothing of an open transaction, whose first offset is the last stable one, and all of it after the commit', openIsInvisible],
  ['L3: makes the appends to several partitions and topics visible with one commit, offsets among them', atomicCommit],
  ['L3: drops the appends to several partitions and topics with one abort', atomicAbort],
  ['L2: holds back what others committed behind an open transaction, until that one has ended', heldBack],
  ['L2: keeps the records of two writers apart whose transactions are interleaved in one partition', interleaved],
  ['L2: passes over aborted records at the start, in the middle and at the end, and its position gets to the end', abortedAnywhere],
  ['L2: passes over two aborts of one writer, among commits of its own and of another', twoAborts],
  ['L2: passes over aborted records when it begins to read in the middle of them', fromWithinAborted],
  ['L2: hands out a committed key of four zero bytes, also next to aborted ones', zeroKeys],
];

async function openIsInvisible(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await commitRows(writer, topic, rows('committed'));
  const before = await fixture.stable(log, topic);
  const reading = fixture.reading(log);
  reading.assign(topic);
  const transaction = writer.begin();
  const result = await append(transaction, topic, rows('open 1', 'open 2'));
  const during = await endsOf(log, topic);
  expect([during.lastStable, during.highWatermark]).toEqual([result.firstOffset, result.nextOffset]);
  expect(result.firstOffset).toBe(before.highWatermark);
  await reading.until(topic, 0, during.lastStable);
  expect(await reading.quiet()).toBe(0);
  expect(reading.values(topic)).toEqual(['committed']);
  await transaction.commit();
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['committed', 'open 1', 'open 2']);
}

async function atomicCommit(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [one, other] = [await fixture.topic(log, 2), await fixture.topic(log)];
  const writer = await fixture.writer(log);
  const reading = fixture.reading(log);
  const places = [
    [one, 0],
    [one, 1],
    [other, 0],
  ] as const;
  for (const [topic, partition] of places) reading.assign(topic, partition);
  const transaction = writer.begin();
  await transaction.append(places.map(([topic, partition]) => ({ topic, partition, records: rows('a', 'b') })));
  await append(transaction, other, rows('c'));
  await transaction.addOffsets(fixture.group(), [{ topic: one, partition: 0, offset: offset(5) }]);
  expect(await reading.quiet()).toBe(0);
  await transaction.commit();
  for (const [topic, partition] of places) await reading.toEnd(topic, partition);
  expect(places.map(([topic, partition]) => reading.values(topic, partition))).toEqual([
    ['a', 'b'],
    ['a', 'b'],
    ['a', 'b', 'c'],
  ]);
}

async function atomicAbort(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [one, other] = [await fixture.topic(log, 2), await fixture.topic(log)];
  const writer = await fixture.writer(log);
  const transaction = writer.begin();
  const places = [
    [one, 0],
    [one, 1],
    [other, 0],
  ] as const;
  await transaction.append(places.map(([topic, partition]) => ({ topic, partition, records: rows('dropped') })));
  await transaction.addOffsets(fixture.group(), [{ topic: one, partition: 0, offset: offset(5) }]);
  await transaction.abort();
  for (const [topic, partition] of places) await commitRows(writer, topic, rows('kept'), partition);
  const reading = fixture.reading(log);
  for (const [topic, partition] of places) reading.assign(topic, partition);
  for (const [topic, partition] of places) {
    await reading.toEnd(topic, partition);
    expect(reading.values(topic, partition)).toEqual(['kept']);
  }
}

async function heldBack(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const [slow, fast] = [await fixture.writer(log), await fixture.writer(log)];
  const open = slow.begin();
  const { firstOffset } = await append(open, topic, rows('slow 1'));
  await commitRows(fast, topic, rows('fast 1'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  expect(await reading.quiet()).toBe(0);
  expect((await endsOf(log, topic)).lastStable).toBe(firstOffset);
  await append(open, topic, rows('slow 2'));
  await commitRows(fast, topic, rows('fast 2'));
  await open.commit();
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['slow 1', 'fast 1', 'slow 2', 'fast 2']);
}

async function interleaved(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const [keeping, dropping] = [await fixture.writer(log), await fixture.writer(log)];
  const expected: string[] = [];
  for (let i = 0; i < 6; i++) {
    const [kept, dropped] = [keeping.begin(), dropping.begin()];
    for (let j = 0; j < 3; j++) {
      await append(dropped, topic, rows(`dropped ${i} ${j}`));
      await append(kept, topic, rows(`kept ${i} ${j}`));
      expected.push(`kept ${i} ${j}`);
    }
    // By turns the abort comes first, or the commit.
    if (i % 2 === 0) await dropped.abort();
    await kept.commit();
    await dropped.abort();
  }
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(expected);
}

async function abortedAnywhere(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await abortRows(writer, topic, rows('start 1', 'start 2'));
  await commitRows(writer, topic, rows('a'));
  await abortRows(writer, topic, rows('middle'));
  await commitRows(writer, topic, rows('b'));
  const early = fixture.reading(log);
  early.assign(topic);
  await early.toEnd(topic);
  await abortRows(writer, topic, rows('end 1', 'end 2', 'end 3'));
  const late = fixture.reading(log);
  late.assign(topic);
  for (const reading of [early, late]) {
    await reading.toEnd(topic);
    expect(reading.values(topic)).toEqual(['a', 'b']);
  }
}

async function twoAborts(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const [writer, other] = [await fixture.writer(log), await fixture.writer(log)];
  await commitRows(writer, topic, rows('a'));
  await abortRows(writer, topic, rows('dropped 1'));
  const open = other.begin();
  await append(open, topic, rows('other dropped'));
  await abortRows(writer, topic, rows('dropped 2'));
  await commitRows(writer, topic, rows('b'));
  await open.abort();
  await abortRows(writer, topic, rows('dropped 3'));
  await commitRows(other, topic, rows('c'));
  await commitRows(writer, topic, rows('d'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['a', 'b', 'c', 'd']);
}

async function fromWithinAborted(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const [writer, other] = [await fixture.writer(log), await fixture.writer(log)];
  const dropped = writer.begin();
  const { firstOffset } = await append(dropped, topic, rows('d1', 'd2', 'd3'));
  await commitRows(other, topic, rows('kept'));
  const last = await append(dropped, topic, rows('d4', 'd5'));
  await dropped.abort();
  await commitRows(writer, topic, rows('next'));
  for (const from of [firstOffset + 1, firstOffset + 2, last.firstOffset, last.firstOffset + 1]) {
    const reading = fixture.reading(log);
    reading.assign(topic, 0, from);
    await reading.toEnd(topic);
    expect(reading.values(topic)).toEqual(from < last.firstOffset ? ['kept', 'next'] : ['next']);
    await reading.reader.close();
  }
}

async function zeroKeys(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const [writer, other] = [await fixture.writer(log), await fixture.writer(log)];
  const key = Buffer.alloc(4);
  const dropped = writer.begin();
  await append(dropped, topic, [{ key, value: 'dropped 1' }]);
  await commitRows(other, topic, [{ key, value: 'kept 1' }]);
  await append(dropped, topic, [{ key, value: 'dropped 2' }]);
  await dropped.abort();
  await commitRows(other, topic, [{ key, value: 'kept 2' }]);
  const reading = fixture.reading(log);
  reading.assign(topic);
  const records = await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['kept 1', 'kept 2']);
  for (const record of records) expect(record.key).toEqual(key);
}

/** How a writer's calls behave. */
export const writerTests: readonly ConformanceTest[] = [
  ['commits fifty transactions back to back', backToBack],
  ['keeps the order of appends that nobody waited for, and commits them all', pipelined],
  ['ends a transaction that holds nothing, and one that holds offsets only', emptyTransactions],
  ['begins no second transaction while one is open', oneAtATime],
  ['aborts once, however often it is called, and leaves a committed transaction as it is', abortIsIdempotent],
  ['refuses appends, offsets and commits in a transaction that has ended', endedIsEnded],
  ['L3: cannot commit once an append has failed; after the abort the next transaction is whole', failedAppend],
  ['aborts a transaction of which nothing was accepted, and goes on with the next', nothingAccepted],
  ['refuses offsets of a generation that the group does not have, and commits nothing of it', staleGeneration],
  ['commits tombstones and values of one key as they came', tombstones],
];

async function backToBack(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log, 2);
  const writer = await fixture.writer(log);
  const group = fixture.group();
  const expected: string[] = [];
  for (let i = 0; i < 50; i++) {
    const transaction = writer.begin();
    await transaction.append([0, 1].map((partition) => ({ topic, partition, records: rows(`v${i}`) })));
    await transaction.addOffsets(group, [{ topic, partition: 0, offset: offset(i) }]);
    await transaction.commit();
    expected.push(`v${i}`);
  }
  const reading = fixture.reading(log);
  for (const partition of [0, 1]) {
    reading.assign(topic, partition);
    await reading.toEnd(topic, partition);
    expect(reading.values(topic, partition)).toEqual(expected);
  }
}

async function pipelined(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const transaction = (await fixture.writer(log)).begin();
  const appended = Array.from({ length: 20 }, (_, i) => append(transaction, topic, rows(`v${i}`)));
  const results = await Promise.all(appended);
  await transaction.commit();
  const reading = fixture.reading(log);
  reading.assign(topic);
  const records = await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(Array.from({ length: 20 }, (_, i) => `v${i}`));
  expect(records.map((record) => record.offset)).toEqual(results.map(({ firstOffset }) => firstOffset));
}

async function emptyTransactions(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await writer.begin().commit();
  await writer.begin().abort();
  const withOffsets = writer.begin();
  await withOffsets.addOffsets(fixture.group(), [{ topic, partition: 0, offset: offset(1) }]);
  await withOffsets.commit();
  await commitRows(writer, topic, rows('a'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['a']);
}

const tryBegin = (writer: LogWriter): unknown => {
  try {
    return writer.begin();
  } catch (thrown) {
    return thrown;
  }
};

async function oneAtATime(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const transaction = writer.begin();
  expect(tryBegin(writer)).toMatchObject({ kind: 'internal' });
  await append(transaction, topic, rows('a'));
  expect(tryBegin(writer)).toMatchObject({ kind: 'internal' });
  await transaction.commit();
  await writer.begin().abort();
  await commitRows(writer, topic, rows('b'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['a', 'b']);
}

async function abortIsIdempotent(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const dropped = writer.begin();
  await append(dropped, topic, rows('dropped'));
  await Promise.all([dropped.abort(), dropped.abort()]);
  const kept = writer.begin();
  await append(kept, topic, rows('kept'));
  await dropped.abort();
  await kept.commit();
  await kept.abort();
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['kept']);
}

async function endedIsEnded(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const committed = writer.begin();
  await append(committed, topic, rows('a'));
  await committed.commit();
  const dropped = writer.begin();
  await dropped.abort();
  for (const ended of [committed, dropped]) {
    await rejection(append(ended, topic, rows('late')));
    await rejection(ended.addOffsets(fixture.group(), [{ topic, partition: 0, offset: offset(1) }]));
    await rejection(ended.commit());
  }
  await commitRows(writer, topic, rows('b'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['a', 'b']);
}

async function failedAppend(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [topic, narrow] = [await fixture.topic(log), await fixture.topic(log, 1, { 'max.message.bytes': '2000' })];
  const writer = await fixture.writer(log);
  const transaction = writer.begin();
  await append(transaction, topic, rows('half'));
  await rejection(append(transaction, narrow, rows('x'.repeat(5_000))));
  await rejection(transaction.commit());
  await transaction.abort();
  await commitRows(writer, topic, rows('whole'));
  await commitRows(writer, narrow, rows('short'));
  const reading = fixture.reading(log);
  for (const name of [topic, narrow]) {
    reading.assign(name);
    await reading.toEnd(name);
  }
  expect([reading.values(topic), reading.values(narrow)]).toEqual([['whole'], ['short']]);
}

async function nothingAccepted(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const narrow = await fixture.topic(log, 1, { 'max.message.bytes': '2000' });
  const writer = await fixture.writer(log);
  for (const value of ['a', 'b']) {
    const transaction = writer.begin();
    await rejection(append(transaction, narrow, rows('x'.repeat(5_000))));
    await transaction.abort();
    await commitRows(writer, narrow, rows(value));
  }
  const reading = fixture.reading(log);
  reading.assign(narrow);
  await reading.toEnd(narrow);
  expect(reading.values(narrow)).toEqual(['a', 'b']);
}

async function staleGeneration(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const transaction = writer.begin();
  await append(transaction, topic, rows('dropped'));
  const stale = { ...fixture.group(), generation: generation(7), memberId: 'ghost' };
  await rejection(transaction.addOffsets(stale, [{ topic, partition: 0, offset: offset(1) }]));
  await rejection(transaction.commit());
  await transaction.abort().catch(() => undefined);
  await commitRows(await fixture.writer(log, writer.transactionalId), topic, rows('kept'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['kept']);
}

async function tombstones(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log, 1, { 'cleanup.policy': 'compact' });
  await commitRows(await fixture.writer(log), topic, [{ key: 'k', value: '1' }, { key: 'k' }, { key: 'k', value: '' }]);
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['1', null, '']);
}
