import { expect } from '@jest/globals';
import { RECORD_TOO_LARGE, type RecordTooLarge } from '@weir/core';
import { append, commitRows, endsOf, rejection, rows, type LogFixture } from './log-harness.js';
import type { ConformanceTest } from './log.js';

/** Brokers. */
const MORE_THAN_ANY_CLUSTER = 30_000;

/** What a log tells about topics. */
export const topicTests: readonly ConformanceTest[] = [
  ['knows nothing of a topic that does not exist, and does not create it by being asked', unknownTopic],
  ['creates topics with their partitions and configuration, each with an id of its own that stays', createsTopics],
  ['creates topics once, however often and by however many clients it is asked', ensureIsIdempotent],
  ['refuses a topic that exists with another number of partitions', refusesOtherCount],
  ['creates topics with as many replicas as they are to have, and refuses more than there are brokers', replicas],
  ['deletes topics with all that they hold, and leaves the others alone; one that does not exist is passed over', deletesTopics],
  ['creates a deleted topic anew as another one, of which a reader of the former sees nothing', createsAnew],
  ['commits what a transaction holds in other topics although one was deleted', deletesBesideTransaction],
  ['gives the ends of partitions in the order asked for, 0 and 0 for an empty one', ends],
  ['L7: refuses a record that is larger than its topic takes, by its place and size, and sends nothing of the append', refusesTooLarge],
  ['takes records up to the size that its topic was given, in transactions of many', takesLarge],
  ['knows where the present leader epoch ends, and nothing of one that never was', epochEnds],
];

async function unknownTopic(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = fixture.harness.uniqueName('never-created');
  expect(await log.describeTopic(topic)).toBeUndefined();
  await fixture.quiet();
  expect(await log.describeTopic(topic)).toBeUndefined();
}

async function createsTopics(fixture: LogFixture): Promise<void> {
  const [log, other] = [await fixture.client(), await fixture.client()];
  const [plain, compacted] = [fixture.harness.uniqueName('plain'), fixture.harness.uniqueName('compacted')];
  await log.ensureTopics([
    { topic: plain, partitions: 3, config: {} },
    { topic: compacted, partitions: 1, config: { 'cleanup.policy': 'compact', 'delete.retention.ms': '123456' } },
  ]);
  const [one, two] = [await log.describeTopic(plain), await log.describeTopic(compacted)];
  expect(one).toMatchObject({ topic: plain, partitions: 3, deleteRetentionMs: 86_400_000 });
  expect(two).toMatchObject({ topic: compacted, partitions: 1, deleteRetentionMs: 123_456 });
  expect(one!.topicId).not.toBe('');
  expect(one!.topicId).not.toBe(two!.topicId);
  expect(await other.describeTopic(plain)).toEqual(one);
}

async function ensureIsIdempotent(fixture: LogFixture): Promise<void> {
  const clients = [await fixture.client(), await fixture.client()];
  const spec = { topic: fixture.harness.uniqueName('topic'), partitions: 2, config: {} };
  await Promise.all(clients.map((log) => log.ensureTopics([spec])));
  const described = await clients[0]!.describeTopic(spec.topic);
  const another = { ...spec, topic: fixture.harness.uniqueName('topic') };
  await clients[0]!.ensureTopics([spec, another]);
  await clients[1]!.ensureTopics([another, spec]);
  expect(await clients[1]!.describeTopic(spec.topic)).toEqual(described);
  expect(await clients[1]!.describeTopic(another.topic)).toMatchObject({ partitions: 2 });
}

async function refusesOtherCount(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log, 2);
  for (const partitions of [1, 3]) {
    const refusal = await rejection(log.ensureTopics([{ topic, partitions, config: {} }]));
    expect(refusal).toMatchObject({ kind: 'invalid' });
    expect(String(refusal)).toContain(topic);
  }
  expect(await log.describeTopic(topic)).toMatchObject({ partitions: 2 });
}

async function replicas(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [topic, impossible] = [fixture.harness.uniqueName('topic'), fixture.harness.uniqueName('topic')];
  await log.ensureTopics([{ topic, partitions: 2, config: {}, replicationFactor: 1 }]);
  expect(await log.describeTopic(topic)).toMatchObject({ partitions: 2 });
  const refusal = await rejection(log.ensureTopics([{ topic: impossible, partitions: 1, config: {}, replicationFactor: MORE_THAN_ANY_CLUSTER }]));
  expect(refusal).toMatchObject({ kind: 'invalid' });
  expect(String(refusal)).toContain(impossible);
  expect(String(refusal)).toContain(String(MORE_THAN_ANY_CLUSTER));
  expect(await log.describeTopic(impossible)).toBeUndefined();
}

async function deletesTopics(fixture: LogFixture): Promise<void> {
  const [log, other] = [await fixture.client(), await fixture.client()];
  const [one, two, kept] = [await fixture.topic(log, 2), await fixture.topic(log, 1, { 'cleanup.policy': 'compact' }), await fixture.topic(log)];
  const writer = await fixture.writer(log);
  for (const topic of [one, kept]) await commitRows(writer, topic, rows('a'));
  await other.deleteTopics([one, fixture.harness.uniqueName('never-created'), two]);
  for (const topic of [one, two]) expect(await other.describeTopic(topic)).toBeUndefined();
  await other.deleteTopics([one, two]);
  await other.deleteTopics([]);
  const reading = fixture.reading(log);
  reading.assign(kept);
  await reading.toEnd(kept);
  expect(reading.values(kept)).toEqual(['a']);
}

async function createsAnew(fixture: LogFixture): Promise<void> {
  const [log, other] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  const before = await log.describeTopic(topic);
  await commitRows(await fixture.writer(log), topic, rows('of the former'));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  await log.deleteTopics([topic]);
  await other.ensureTopics([{ topic, partitions: 1, config: {} }]);
  const after = await other.describeTopic(topic);
  expect(after!.topicId).not.toBe(before!.topicId);
  await commitRows(await fixture.writer(other), topic, rows('1', '2', '3', '4', '5', '6'));
  expect(await reading.failure()).toMatchObject({ name: 'WeirError' });
  expect(reading.values(topic)).toEqual(['of the former']);
  const fresh = fixture.reading(other);
  fresh.assign(topic);
  await fresh.toEnd(topic);
  expect(fresh.values(topic)).toEqual(['1', '2', '3', '4', '5', '6']);
}

async function deletesBesideTransaction(fixture: LogFixture): Promise<void> {
  const [log, other] = [await fixture.client(), await fixture.client()];
  const [gone, kept] = [await fixture.topic(log), await fixture.topic(log)];
  const id = fixture.harness.uniqueName('writer');
  const writer = await fixture.writer(log, id);
  const transaction = writer.begin();
  for (const topic of [gone, kept]) await append(transaction, topic, rows('a'));
  await other.deleteTopics([gone]);
  await transaction.commit();
  const reading = fixture.reading(other);
  reading.assign(kept);
  await reading.toEnd(kept);
  expect(reading.values(kept)).toEqual(['a']);
  await commitRows(await fixture.writer(other, id), kept, rows('b'));
  await reading.toEnd(kept);
  expect(reading.values(kept)).toEqual(['a', 'b']);
}

async function ends(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [one, other] = [await fixture.topic(log, 2), await fixture.topic(log)];
  const written = await commitRows(await fixture.writer(log), one, rows('a', 'b', 'c'), 1);
  await fixture.stable(log, one, 1);
  const found = await log.endPositions([
    { topic: other, partition: 0 },
    { topic: one, partition: 1 },
    { topic: one, partition: 0 },
  ]);
  const plain = found.map(({ leaderEpoch, ...rest }) => {
    expect(leaderEpoch).toBeGreaterThanOrEqual(0);
    return rest;
  });
  expect(plain[0]).toEqual({ topic: other, partition: 0, start: 0, lastStable: 0, highWatermark: 0 });
  expect(plain[2]).toEqual({ topic: one, partition: 0, start: 0, lastStable: 0, highWatermark: 0 });
  expect(plain[1]).toMatchObject({ topic: one, partition: 1, start: 0 });
  expect(plain[1]!.lastStable).toBe(plain[1]!.highWatermark);
  expect(plain[1]!.highWatermark).toBeGreaterThan(written.nextOffset);
}

async function refusesTooLarge(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [small, other] = [await fixture.topic(log, 1, { 'max.message.bytes': '5000' }), await fixture.topic(log)];
  const transaction = (await fixture.writer(log)).begin();
  const appends = [
    { topic: other, partition: 0, records: rows('fits') },
    { topic: small, partition: 0, records: rows('fits', 'x'.repeat(5_000), 'fits') },
  ];
  const refusal = await rejection(transaction.append(appends));
  expect(refusal).toMatchObject({ kind: 'invalid', code: RECORD_TOO_LARGE, context: { topic: small, partition: 0, row: 1, limit: 5_000 } });
  expect((refusal.context as RecordTooLarge).bytes).toBeGreaterThan(5_000);
  await transaction.abort();
  for (const topic of [small, other]) expect((await fixture.stable(log, topic)).highWatermark).toBe(0);
}

async function takesLarge(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log, 1, { 'max.message.bytes': '1000000' });
  const values = Array.from({ length: 12 }, (_, i) => String(i).repeat(i % 3 === 0 ? 490_000 : 900_000 / String(i).length));
  await commitRows(await fixture.writer(log), topic, rows(...values));
  const reading = fixture.reading(log, 100_000);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic).map((value) => value?.length)).toEqual(values.map(({ length }) => length));
  expect(reading.values(topic)).toEqual(values);
}

async function epochEnds(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const { leaderEpoch } = await commitRows(await fixture.writer(log), topic, rows('a', 'b'));
  const { highWatermark } = await fixture.stable(log, topic);
  const now = await endsOf(log, topic);
  expect(now.leaderEpoch).toBe(leaderEpoch);
  expect(await log.epochEnd({ topic, partition: 0 }, leaderEpoch)).toBe(highWatermark);
  expect(await log.epochEnd({ topic, partition: 0 }, leaderEpoch + 1_000)).toBeUndefined();
}
