import { expect } from '@jest/globals';
import { offset, type Log, type LogTransaction, type LogWriter } from '@weir/core';
import { append, commitRows, endsOf, rejection, rows, type LogFixture } from './log-harness.js';
import type { ConformanceTest } from './log.js';

/** Who may write. */
export const fencingTests: readonly ConformanceTest[] = [
  ['L5: ends the open transaction of an older writer with the id, which releases what it held back', endsOlder],
  ['L5: refuses every later call of the older writer as fenced', refusesOlder],
  ['L5: fences an older writer that had no transaction open', fencesIdle],
  ['L5: shows none of the appends that were pending when the writer was fenced', pendingNeverShow],
  ['L5: shows none of the appends of a commit that races with a new writer, unless that commit resolved', racingCommit],
  ['L5: lets at most one of two writers commit that claimed an id at the same time', racingClaims],
  ['L5: leaves writers with other ids alone', othersUnharmed],
  ['L5: aborts a transaction that outlives its timeout, and its writer is fenced; the next one goes on', timesOut],
];

/** A writer with an open transaction that holds 'old', and a newer writer with the same id from another client. */
async function twoOwners(fixture: LogFixture): Promise<{ log: Log; topic: string; old: LogWriter; open: LogTransaction; next: LogWriter }> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const old = await fixture.writer(log);
  const open = old.begin();
  await append(open, topic, rows('old'));
  const next = await fixture.writer(otherLog, old.transactionalId);
  return { old, open, next, topic, log };
}

async function endsOlder(fixture: LogFixture): Promise<void> {
  const { next, topic, log } = await twoOwners(fixture);
  const ends = await fixture.stable(log, topic);
  expect(ends.highWatermark).toBeGreaterThan(1);
  await commitRows(next, topic, rows('new'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['new']);
}

async function refusesOlder(fixture: LogFixture): Promise<void> {
  const { old, open, next, topic, log } = await twoOwners(fixture);
  const fenced = { kind: 'fenced' };
  expect(await rejection(append(open, topic, rows('late')))).toMatchObject(fenced);
  expect(await rejection(open.addOffsets(fixture.group(), [{ topic, partition: 0, offset: offset(1) }]))).toMatchObject(fenced);
  expect(await rejection(open.commit())).toMatchObject(fenced);
  // The transaction has ended, so an abort may find nothing to do; if it is refused, then as fenced.
  const aborted = await refusalOf(open.abort());
  if (aborted !== undefined) expect(aborted).toMatchObject(fenced);
  expect(() => old.begin()).toThrow(expect.objectContaining(fenced));
  await commitRows(next, topic, rows('new'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['new']);
}

/** What `call` rejects with; undefined if it resolves. */
const refusalOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (thrown: unknown) => thrown ?? 'nothing',
  );

/** What the first call of an idle writer says: begin may know already, or the first append finds out. */
async function firstUse(writer: LogWriter, topic: string): Promise<unknown> {
  try {
    await commitRows(writer, topic, rows('late'));
    return undefined;
  } catch (thrown) {
    return thrown ?? 'nothing';
  }
}

async function fencesIdle(fixture: LogFixture): Promise<void> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const old = await fixture.writer(log);
  await commitRows(old, topic, rows('before'));
  const next = await fixture.writer(otherLog, old.transactionalId);
  expect(await firstUse(old, topic)).toMatchObject({ kind: 'fenced' });
  await commitRows(next, topic, rows('after'));
  expect(await firstUse(old, topic)).toMatchObject({ kind: 'fenced' });
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['before', 'after']);
}

async function pendingNeverShow(fixture: LogFixture): Promise<void> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  for (let round = 0; round < 5; round++) {
    const old = await fixture.writer(log);
    const open = old.begin();
    await append(open, topic, rows('old'));
    const pending = [0, 1, 2].map((i) => refusalOf(append(open, topic, rows(`pending ${i}`))));
    const next = await fixture.writer(otherLog, old.transactionalId);
    const late = refusalOf(append(open, topic, rows('late')));
    expect(await late).toMatchObject({ kind: 'fenced' });
    await Promise.all(pending);
    expect(await rejection(open.commit())).toMatchObject({ kind: 'fenced' });
    await commitRows(next, topic, rows(`new ${round}`));
  }
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual([0, 1, 2, 3, 4].map((round) => `new ${round}`));
}

async function racingCommit(fixture: LogFixture): Promise<void> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const certain: string[] = [];
  const possible: string[] = [];
  for (let round = 0; round < 8; round++) {
    const old = await fixture.writer(log);
    const open = old.begin();
    await append(open, topic, rows(`old ${round}`));
    const committed = refusalOf(open.commit());
    const next = await fixture.writer(otherLog, old.transactionalId);
    const refusal = await committed;
    if (refusal === undefined) certain.push(`old ${round}`);
    else expect(refusal).toMatchObject({ kind: 'fenced' });
    possible.push(`old ${round}`, `new ${round}`);
    await commitRows(next, topic, rows(`new ${round}`));
    certain.push(`new ${round}`);
  }
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  const seen = reading.values(topic);
  // Fenced may mean committed (L4): what resolved is there, and nothing is there twice or out of order.
  expect(seen).toEqual(possible.filter((value) => seen.includes(value)));
  for (const value of certain) expect(seen).toContain(value);
}

async function racingClaims(fixture: LogFixture): Promise<void> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const transactionalId = fixture.harness.uniqueName('writer');
  for (let round = 0; round < 4; round++) {
    const writers = await Promise.all([fixture.writer(log, transactionalId), fixture.writer(otherLog, transactionalId)]);
    const outcomes = await Promise.all(writers.map((writer) => firstUse(writer, topic)));
    expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(1);
    for (const outcome of outcomes) if (outcome !== undefined) expect(outcome).toMatchObject({ kind: 'fenced' });
  }
  const reading = fixture.reading(log);
  reading.assign(topic);
  expect(await reading.toEnd(topic)).toHaveLength(4);
}

async function othersUnharmed(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const one = await fixture.writer(log);
  const open = one.begin();
  await append(open, topic, rows('a'));
  const other = await fixture.writer(log);
  await commitRows(other, topic, rows('b'));
  await open.commit();
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['a', 'b']);
}

async function timesOut(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log, fixture.harness.uniqueName('writer'), 1_000);
  const transaction = writer.begin();
  await append(transaction, topic, rows('too late'));
  await fixture.stable(log, topic);
  expect(await rejection(transaction.commit())).toMatchObject({ kind: 'fenced' });
  expect(await firstUse(writer, topic)).toMatchObject({ kind: 'fenced' });
  await commitRows(await fixture.writer(log, writer.transactionalId), topic, rows('in time'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['in time']);
}

/** How clients, readers and writers end. */
export const closingTests: readonly ConformanceTest[] = [
  ['leaves an open transaction to its successor when the client closes', leftToSuccessor],
  ['aborts the open transaction of a writer that closes', writerCloses],
  ['closes while it is busy: every call that was under way settles, and what did not commit never shows', closesWhileBusy],
  ['refuses every call after the client was closed', refusesAfterClose],
  ['hands out nothing after a reader was closed, and other readers go on', readerCloses],
];

async function leftToSuccessor(fixture: LogFixture): Promise<void> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await append(writer.begin(), topic, rows('left'));
  await log.close();
  await commitRows(await fixture.writer(otherLog, writer.transactionalId), topic, rows('successor'));
  const reading = fixture.reading(otherLog);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['successor']);
}

async function writerCloses(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await append(writer.begin(), topic, rows('dropped'));
  expect((await endsOf(log, topic)).lastStable).toBe(0);
  await writer.close();
  await fixture.stable(log, topic);
  await commitRows(await fixture.writer(log), topic, rows('kept'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['kept']);
}

async function closesWhileBusy(fixture: LogFixture): Promise<void> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await commitRows(writer, topic, rows('before'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  const transaction = writer.begin();
  await append(transaction, topic, rows('first'));
  const calls = [append(transaction, topic, rows('pending')), log.endPositions([{ topic, partition: 0 }]), fixture.writer(log)];
  const committed = transaction.commit();
  let settled = 0;
  for (const call of [...calls, committed]) void refusalOf(call).then(() => settled++);
  await log.close();
  await fixture.until('every call has settled', () => settled === 4);
  const refusal = await refusalOf(committed);
  await fixture.writer(otherLog, writer.transactionalId);
  const later = fixture.reading(otherLog);
  later.assign(topic);
  await later.toEnd(topic);
  const seen = later.values(topic);
  if (refusal === undefined) expect(seen).toEqual(['before', 'first', 'pending']);
  else expect([['before'], ['before', 'first', 'pending']]).toContainEqual(seen);
}

async function refusesAfterClose(fixture: LogFixture): Promise<void> {
  const [log, otherLog] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await commitRows(writer, topic, rows('before'));
  await log.close();
  await rejection(log.describeTopic(topic));
  await rejection(log.endPositions([{ topic, partition: 0 }]));
  await rejection(log.deleteRecordsBefore([{ topic, partition: 0, offset: offset(1) }]));
  await rejection(log.deleteTopics([topic]));
  await rejection(fixture.writer(log));
  expect(await firstUse(writer, topic)).toBeDefined();
  await log.close();
  const reading = fixture.reading(otherLog);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['before']);
}

async function readerCloses(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const [closed, other] = [fixture.reading(log), fixture.reading(log)];
  closed.assign(topic);
  other.assign(topic);
  await commitRows(writer, topic, rows('a'));
  await closed.reader.close();
  const { wakes } = closed;
  await commitRows(writer, topic, rows('b'));
  await other.toEnd(topic);
  expect(other.values(topic)).toEqual(['a', 'b']);
  expect(closed.reader.take()).toBeUndefined();
  expect(closed.wakes).toBe(wakes);
}
